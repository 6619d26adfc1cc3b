"""Published weights: downloaded once, checked by their hash, nothing left behind."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tsn.errors import InputError, OutputError
from tsn.io.published import PublishedWeights, fetch, weights_folder

CONTENT = bytes(range(256)) * 9000
HASH = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        if self.path != "/models/net.pth":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/models/net.pth"
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("TSN_WEIGHTS", str(tmp_path / "weights"))


def entry(url: str, sha256: str = HASH[:8]) -> PublishedWeights:
    return PublishedWeights(name="net", url=url, sha256=sha256)


@pytest.mark.parametrize("digits", [8, 64])
def test_fetches_into_a_new_folder_and_only_once(server: str, tmp_path: Path, digits: int) -> None:
    wanted = entry(server, HASH[:digits])
    path = fetch(wanted)
    assert path == tmp_path / "weights" / "net.pth" and path.read_bytes() == CONTENT
    asked = Handler.asked
    assert fetch(wanted) == path and Handler.asked == asked


def test_wrong_hash_leaves_nothing(server: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"expected sha256 00000000.*found {HASH[:8]}"):
        fetch(entry(server, "00000000"), into=tmp_path / "here")
    assert list((tmp_path / "here").iterdir()) == []


def test_a_damaged_file_is_fetched_again(server: str, tmp_path: Path) -> None:
    (tmp_path / "net.pth").write_bytes(CONTENT[:100])
    assert fetch(entry(server), into=tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("url", ["missing", "http://127.0.0.1:9/net.pth"])
def test_unreachable_says_what_to_copy_where(server: str, tmp_path: Path, url: str) -> None:
    if url == "missing":
        url = server.replace("net.pth", "net2.pth")
    with pytest.raises(InputError, match="cannot be downloaded") as caught:
        fetch(entry(url), into=tmp_path)
    assert "copy" in (caught.value.hint or "") and list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_made(server: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file"):
        fetch(entry(server), into=tmp_path / "file" / "weights")


def test_folder_of_the_user_without_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TSN_WEIGHTS", "")
    monkeypatch.setenv("HOME", "/home/artist")
    assert weights_folder() == Path("/home/artist/.local/share/tsn/weights")
