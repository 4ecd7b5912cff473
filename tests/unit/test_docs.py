"""README.md and docs/ show only existing things: links, commands, flags, targets, paths, modules."""

from __future__ import annotations

import argparse
import ast
import importlib
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from pi_bench.errors import EXIT_CODES
from pi_bench.registry import find_protocol, protocol_names

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in [
        *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")),
        *sorted((ROOT / "docs").glob("*.md")),
    ]
}
ALL_TEXT = "\n".join(DOCUMENTS.values())
SHELL_LINES = [
    line
    for block in re.findall(r"```sh\n(.*?)```", ALL_TEXT, re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
]
INLINE = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", ALL_TEXT, flags=re.DOTALL))
TARGETS = re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_every_native_file_is_described() -> None:
    """By its name without the instruction set; bindings and tests have one name per folder."""
    described = set(re.findall(r"`(\w+)`", DOCUMENTS["docs/native.md"]))
    folders = [path for path in (ROOT / "native").iterdir() if path.is_dir()]
    files = [
        path
        for folder in folders
        if folder.name not in ("bindings", "tests")
        for path in folder.glob("*.[hc]*")
    ]
    assert len(files) > 100
    instance = re.compile("_(portable|aesni|vaes512|ifma|avx2|vnni512)$")
    assert {
        path.stem for path in files if {path.stem, instance.sub("", path.stem)}.isdisjoint(described)
    } == set()
    assert {folder.name for folder in folders} <= described


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_resolve(name: str) -> None:
    links = re.findall(r"\]\(([^)]+)\)", DOCUMENTS[name])
    relative = [link for link in links if not re.match(r"[a-z]+:", link)]
    broken = [link for link in relative if not (ROOT / name).parent.joinpath(link.split("#")[0]).exists()]
    assert not broken


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_to_sections_resolve(name: str) -> None:
    for path, section in re.findall(r"\]\(([^):#]*)#([^)]+)\)", DOCUMENTS[name]):
        text = (ROOT / name).parent.joinpath(path).read_text() if path else DOCUMENTS[name]
        titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        assert section in [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_prose_has_at_most_120_columns(name: str) -> None:
    """Rows of tables, fenced text and a link without spaces are free."""
    unfenced = re.sub(r"^ *```.*?^ *```", "", DOCUMENTS[name], flags=re.DOTALL | re.MULTILINE)
    lines = [line for line in unfenced.splitlines() if not line.lstrip().startswith("|")]
    assert [line for line in lines if len(line) > 120 and len(line.split()) > 1] == []


def test_the_front_page_links_every_document() -> None:
    others = DOCUMENTS.keys() - {"README.md"}
    assert [name for name in others if f"({name})" not in DOCUMENTS["README.md"]] == []


@pytest.mark.parametrize("protocol", protocol_names())
def test_the_page_on_measuring_explains_every_option_of_a_protocol(protocol: str) -> None:
    text = DOCUMENTS["docs/measuring.md"]
    missing = [option.flag for option in find_protocol(protocol).options if f"`{option.flag}" not in text]
    assert missing == []


def test_the_glossary_explains_the_labels_and_columns_of_a_result() -> None:
    """Those of the whole result that the README shows."""
    (result,) = re.findall(r"```text\n(.*?)```", DOCUMENTS["README.md"], re.DOTALL)
    labels = re.findall(r"^([a-z]+(?: [a-z]+)*)  +\S", result.partition("\nlayer ")[0], re.MULTILINE)
    (heading,) = re.findall(r"^layer .*$", result, re.MULTILINE)
    columns = [re.sub(r" ms$", "", column) for column in re.split(r" {2,}", heading)[1:]]
    words = re.findall(r"^\| ([^|]*) \|", DOCUMENTS["docs/glossary.md"], re.MULTILINE)
    known = {word.strip(" `") for row in words for word in re.sub(r"\(.*?\)", "", row).split(",")}
    shown = {re.sub(r" (online|offline)$", "", label) for label in labels} | {*columns} - {"time", "ReLUs"}
    assert len(shown) > 12 and shown - known == set()


RELEASES = re.findall(r"^## (\d+\.\d+\.\d+) - (\d{4}-\d\d-\d\d)$", DOCUMENTS["CHANGELOG.md"], re.MULTILINE)


def test_the_citation_names_the_newest_release_and_the_license() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = (ROOT / "CITATION.cff").read_text()
    version, date = RELEASES[0]
    assert f"\nversion: {version}\ndate-released: {date}\n" in citation
    assert f"\nlicense: {project['license']}\n" in citation
    assert "Apache License" in (ROOT / project["license-files"][0]).read_text()


def test_the_front_page_names_the_extras_that_all_stands_for() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    (sentence,) = re.findall(
        r"The extra `all` stands for (.*?) together\.", DOCUMENTS["README.md"], re.DOTALL
    )
    names = ",".join(re.findall(r"`(\w+)`", sentence))
    assert extras["all"] == [f"pi-bench[{names}]"]


def test_the_changelog_begins_with_the_version() -> None:
    """A release has a date. A development version follows the newest release and is "Unreleased"."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    first = re.findall(r"^## (.*)$", DOCUMENTS["CHANGELOG.md"], re.MULTILINE)[0]
    release, development = re.fullmatch(r"(\d+\.\d+\.\d+)(\.dev\d+)?", version).groups()
    if development is None:
        assert first.partition(" - ")[0] == release == RELEASES[0][0]
    else:
        assert first == "Unreleased"
        assert [*map(int, release.split("."))] > [*map(int, RELEASES[0][0].split("."))]


def test_an_entry_of_the_changelog_has_one_line() -> None:
    newest = DOCUMENTS["CHANGELOG.md"].partition("## 0.2.0")[0]
    entries = newest.partition("### ")[2].splitlines()[1:]
    assert [line for line in entries if line and not line.startswith(("- ", "### "))] == []


def test_measuring_lists_every_exit_code_as_help_does() -> None:
    section = DOCUMENTS["docs/measuring.md"].split("## Exit codes")[1].split("\n## ")[0]
    listed = re.findall(r"^\| (\d+) \| (.*) \|$", section, re.MULTILINE)
    assert listed == [(str(code), meaning) for code, meaning in EXIT_CODES.items()]


def commands() -> list[str]:
    shown = [line for line in SHELL_LINES if line.startswith("pi-bench ")]
    # In running text a name alone (`pi-bench serve`) stands for its command.
    return shown + [code for code in INLINE if re.match(r"pi-bench \w+ .", code)]


@pytest.mark.parametrize("command", commands())
def test_commands_are_taken(command: str, parser: argparse.ArgumentParser) -> None:
    taken, _, _ = command.partition(" > ")  # the shell's
    parser.parse_args(shlex.split(taken, comments=True)[1:])


def test_commands_named_in_text_exist(parser: argparse.ArgumentParser) -> None:
    for command in {code for code in INLINE if re.fullmatch(r"pi-bench \w+", code)}:
        with pytest.raises(SystemExit) as exit_:
            parser.parse_args([*command.split()[1:], "--help"])
        assert exit_.value.code == 0, command


def test_make_targets_exist() -> None:
    shown = {target for code in (*SHELL_LINES, *INLINE) for target in re.findall(r"^make ([\w-]+)", code)}
    assert {"demo", "test"} <= shown <= set(TARGETS)


def test_paths_exist() -> None:
    """Of files and folders in backticks; NAME and the like are placeholders."""
    rooms = "pi_bench|native|protocols|models|benchmarks|tests|docs"
    paths = [
        code
        for code in INLINE
        if re.fullmatch(rf"(?:{rooms})/[\w./-]*", code) and not re.search("[A-Z]{4}", code)
    ]
    assert len(paths) > 1
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_modules_exist() -> None:
    """Dotted names: a module, or a name in one."""
    names = {code for code in INLINE if re.fullmatch(r"pi_bench(\.[a-z_]\w*)+", code)}
    assert len(names) > 1
    assert [name for name in names if not _is_there(name)] == []


def _is_there(name: str) -> bool:
    """A module, a name in a module, or an attribute of one."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[end:]:
            found = getattr(found, attribute, None)
        return found is not None
    return False


@pytest.mark.parametrize(
    "package",
    [
        "pi_bench/cli",
        "pi_bench/crypto",
        "pi_bench/hybrid",
        "pi_bench/hybrid/parties",
        "pi_bench/launch",
        "pi_bench/metrics",
        "pi_bench/network",
        "pi_bench/network/interchange",
        "pi_bench/network/lowering",
        "pi_bench/prediction",
        "pi_bench/report",
        "models",
        "models/linearization",
        "models/reduction",
        "models/training",
    ],
)
def test_the_overview_of_a_package_names_each_of_its_modules_once(package: str) -> None:
    folder = ROOT / package
    overview = ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
    assert overview is not None
    rows = [line.strip() for line in overview.splitlines()[1:] if "  " in line.strip()]
    named = [name for row in rows for name in re.split(r" {2,}", row)[0].split(", ")]
    modules = {
        path.stem
        for path in folder.iterdir()
        if path.suffix == ".py" or (path.is_dir() and not path.name.startswith("_"))
    }
    assert sorted(named) == sorted(modules - {"__init__"})
