"""The same files under other paths: the rules, and what they map."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsn.errors import UsageError
from tsn.shot.pathmap import map_path, read_rules


@pytest.mark.parametrize(
    ("text", "path", "here"),
    [
        ("/job=/mnt/show", "/job/sh/p.####.exr", "/mnt/show/sh/p.####.exr"),
        ("/job=/mnt/show", "/jobs/sh/p.####.exr", "/jobs/sh/p.####.exr"),
        ("/job/=/mnt/show", "/job", "/mnt/show/"),
        ("/job=/a;/job/sh=/b", "/job/sh/p.exr", "/b/p.exr"),
        ("P:=/mnt/show", r"p:\sh\p.####.exr", "/mnt/show/sh/p.####.exr"),
        (r"P:\=/mnt/show", "P:/sh/p.exr", "/mnt/show/sh/p.exr"),
        (r"\\server\show=/mnt/show", r"\\Server\Show\sh\p.exr", "/mnt/show/sh/p.exr"),
        (r"\\server\show=/mnt/show", "//server/show/p.exr", "/mnt/show/p.exr"),
        ("/Job=/mnt", "/job/p.exr", "/job/p.exr"),
        ("/=/mnt", "/job/p.exr", "/mnt/job/p.exr"),
        ("/mnt=/mnt/nas", "/mnt/sh/p.exr", "/mnt/nas/sh/p.exr"),
        ("/mnt=/mnt/nas", "/mnt/nas/sh/p.exr", "/mnt/nas/sh/p.exr"),
        ("P:/strasse=/x", "P:/stra\u00dfex/p.exr", "P:/stra\u00dfex/p.exr"),
        ("P:/Stra\u00dfe=/x", "p:/stra\u00dfe/p.exr", "/x/p.exr"),
        ("", "/job/p.exr", "/job/p.exr"),
    ],
)
def test_rules(text: str, path: str, here: str) -> None:
    assert map_path(path, read_rules({"TSN_PATHMAP": text})) == here


def test_rules_of_open_job_description(tmp_path: Path) -> None:
    listed = [
        {"source_path_format": "POSIX", "source_path": "/job", "destination_path": "/sessions/1"},
        {"source_path_format": "WINDOWS", "source_path": r"C:\job", "destination_path": "/sessions/2"},
        {"source_path_format": "URI", "source_path": "s3://bucket", "destination_path": "/sessions/3"},
    ]
    file = tmp_path / "rules.json"
    file.write_text(json.dumps({"version": "pathmapping-1.0", "path_mapping_rules": listed}))
    by = read_rules({"TSN_PATHMAP": f"{file}; /other = /mnt/other"})
    assert [map_path(p, by) for p in ("/job/a", r"c:\Job\a", "s3://bucket/a", "/other/a")] == [
        *("/sessions/1/a", "/sessions/2/a", "s3://bucket/a", "/mnt/other/a"),
    ]
    file.write_text("{}")  # what a session without rules is handed
    assert read_rules({"TSN_PATHMAP": str(file)}) == ()


@pytest.mark.parametrize("text", ["/a=/b;/b=/c", "/a=/b;/b=/a", "/a=/b/c;/b=/d"])
def test_no_rule_leads_into_another(text: str) -> None:
    """A path that was mapped when its shot was read would be mapped again when the plan is."""
    with pytest.raises(UsageError, match="and another rule from there to"):
        read_rules({"TSN_PATHMAP": text})


@pytest.mark.parametrize("text", ["/job=", "=/mnt", "/job=mnt", "/none/rules.json"])
def test_what_holds_no_rules_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="TSN_PATHMAP"):
        read_rules({"TSN_PATHMAP": text})


def test_a_file_without_rules_is_refused(tmp_path: Path) -> None:
    for number, text in enumerate(("[]", "{", '{"path_mapping_rules": [{"source_path": "/a"}]}', '"a"')):
        file = tmp_path / f"{number}.json"
        file.write_text(text)
        with pytest.raises(UsageError, match="holds no path-mapping rules"):
            read_rules({"TSN_PATHMAP": str(file)})


@given(st.lists(st.sampled_from(["a", "b", "c d", "####"]), max_size=4), st.lists(st.sampled_from("ab"), max_size=3))
def test_only_whole_folders_are_mapped(parts: list[str], source: list[str]) -> None:
    path, root = "/".join(["", "r", *parts]), "/".join(["", "r", *source])
    found = map_path(path, read_rules({"TSN_PATHMAP": f"{root}=/mnt"}))
    below = parts[: len(source)] == source
    assert found == ("/".join(["", "mnt", *parts[len(source) :]]) or "/mnt" if below else path) or (
        below and found.rstrip("/") == "/mnt" and parts == source
    )
