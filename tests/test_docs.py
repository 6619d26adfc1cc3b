"""The words are as tested as the code: links lead somewhere, generated pages are up to date, pages stay short."""

import ast
import importlib.util
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).resolve().parents[1]
HISTORY = "CHANGELOG.md"
"""It names files as they were called then."""


def tracked(*patterns: str) -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z", "--", *patterns], cwd=ROOT, capture_output=True, check=True)
    return [ROOT / name for name in done.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


PAGES = [path.relative_to(ROOT).as_posix() for path in tracked("*.md")]


def without_code(text: str) -> str:
    text = re.sub(r"^( *)(```+).*?^\1\2 *$", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"(`+).+?\1", "", text, flags=re.DOTALL)


def links(text: str) -> Iterator[str]:
    """Targets of the links and images of a page that lead into this repository."""
    for target in re.findall(r"\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)", without_code(text)):
        if not re.match(r"[a-z][a-z0-9+.-]*:", target):
            yield target


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#{1,6} +(.+?) *#*$", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.M), re.M)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title) for title in titles)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in plain}


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES)
def test_links_of_a_page_lead_to_files_and_headings_that_exist(page: str) -> None:
    path = ROOT / page
    broken = []
    for target in links(path.read_text(encoding="utf-8")):
        name, _, anchor = unquote(target).partition("#")
        file = (path.parent / name).resolve() if name else path
        if not file.exists() or (anchor and anchor not in anchors(file.read_text(encoding="utf-8"))):
            broken.append(target)
    assert broken == []


def test_pages_of_the_site_link_only_to_pages_of_the_site() -> None:
    """The site is built of docs/ alone: a file elsewhere is named in code type, not linked."""
    outside = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in tracked("docs/*.md")
        for target in links(path.read_text(encoding="utf-8"))
        if (name := target.partition("#")[0]) and ROOT / "docs" not in (path.parent / name).resolve().parents
    ]
    assert outside == []


def test_pages_and_pictures_that_the_code_names_exist() -> None:
    named = re.compile(r"(?<![\w/.-])docs/[\w/.-]+\.(?:md|png|jpg|py)\b")
    lost = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in tracked("*.py", "*.md", "*.yaml", "*.json", "*.toml", "*.dtd", "Makefile")
        if path.name != HISTORY
        for name in named.findall(path.read_text(encoding="utf-8"))
        if not (ROOT / name).exists()
    ]
    assert lost == []


def test_files_that_the_pages_name_exist() -> None:
    rooms = "tsn|batch|plugins|training|shots|benchmarks|tests|docs"
    named = re.compile(rf"`((?:{rooms})/[\w/.-]+)`")
    lost = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in tracked("README.md", "CONTRIBUTING.md", "benchmarks/*.md", "docs/*.md")
        for name in named.findall(path.read_text(encoding="utf-8"))
        if "NAME" not in name and not (ROOT / name).exists()
    ]
    assert lost == []


def test_names_in_the_packages_that_the_pages_name_exist() -> None:
    named = re.compile(r"`(tsn(?:_batch|_training)?(?:\.\w+)+)`")
    homes = {"tsn": ROOT / "tsn", "tsn_batch": ROOT / "batch/tsn_batch", "tsn_training": ROOT / "training/tsn_training"}
    lost = []
    for path in tracked("README.md", "CONTRIBUTING.md", "benchmarks/*.md", "docs/*.md"):
        for name in named.findall(path.read_text(encoding="utf-8")):
            package, *inner = name.split(".")
            place = homes[package]
            while inner and ((place / inner[0]).is_dir() or (place / f"{inner[0]}.py").is_file()):
                place = place / inner.pop(0)
            file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
            if inner and not re.search(rf"\b{inner[0]}\b", file.read_text(encoding="utf-8")):
                lost.append(f"{path.relative_to(ROOT)}: {name}")
    assert lost == []


def test_every_picture_is_shown_somewhere() -> None:
    shown = {
        (path.parent / target).resolve()
        for path in tracked("*.md")
        for target in links(path.read_text(encoding="utf-8"))
    }
    assert [path.name for path in tracked("docs/images/*") if path not in shown] == []


def test_the_shot_files_reference_is_up_to_date() -> None:
    shot_file = script("shot_file")
    schema = json.loads(shot_file.SCHEMA.read_text(encoding="utf-8"))
    text = shot_file.PAGE.read_text(encoding="utf-8")
    assert shot_file.page(text, schema) == text, "run: python docs/shot_file.py"
    for kind, page in shot_file.KINDS.items():
        text = page.read_text(encoding="utf-8")
        assert shot_file.kind_page(kind, text, schema) == text, "run: python docs/shot_file.py"
    text = shot_file.LAYERS_PAGE.read_text(encoding="utf-8")
    assert shot_file.layers_page(text, schema) == text, "run: python docs/shot_file.py"


def test_the_shot_files_reference_has_a_row_for_each_key() -> None:
    shot_file = script("shot_file")
    schema = json.loads(shot_file.SCHEMA.read_text(encoding="utf-8"))
    keys = [key for section in (schema, *schema["$defs"].values()) for key in section.get("properties", {})]
    empty = f"{shot_file.BEGIN}{shot_file.END}"

    def rows(text: str) -> list[str]:
        return re.findall(r"^\| `(?:temporal\.)?(\w+)` \|", text, flags=re.MULTILINE)

    of_kinds = {row for kind in shot_file.KINDS for row in rows(shot_file.kind_page(kind, empty, schema))}
    of_layers = rows(shot_file.layers_page(empty, schema))
    assert sorted([*rows(shot_file.tables(schema)), *of_kinds, *of_layers]) == sorted(keys)


@pytest.mark.parametrize("page", ["README.md", *(page for page in PAGES if page.startswith("docs/guide/"))])
def test_a_page_of_the_guide_is_under_150_lines(page: str) -> None:
    assert len((ROOT / page).read_text(encoding="utf-8").splitlines()) < 150


def test_messages_of_the_troubleshooting_page_are_those_of_the_code() -> None:
    spoken = "\n".join(
        node.value
        for path in tracked("tsn/*.py", "batch/*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    page = (ROOT / "docs/guide/troubleshooting.md").read_text(encoding="utf-8")
    messages = re.findall(r"^\| `([^`]+)`", page, flags=re.MULTILINE)
    parts = [part.strip(" .:") for message in messages for part in message.split("...")]
    assert len(messages) > 30
    assert [part for part in parts if part not in spoken] == []
