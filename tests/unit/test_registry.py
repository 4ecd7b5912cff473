"""Protocols of other packages, found through entry points that a test lays on the path."""

from __future__ import annotations

from pathlib import Path

import pytest

from pi_bench.cli import main
from pi_bench.errors import UsageError
from pi_bench.registry import (
    default_protocol,
    find_protocol,
    loadable_protocols,
    protocol_names,
    require_known,
)
from tests.packages import Packages

OWN = ("delphi", "fss", "ideal", "null")


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Packages:
    return Packages(tmp_path, monkeypatch)


def renamed(name: str) -> str:
    """Source of a module whose PROTOCOL is `ideal` by another name, and claims to be the default."""
    return (
        "import dataclasses\nfrom pi_bench.registry import find_protocol\n"
        f"PROTOCOL = dataclasses.replace(find_protocol('ideal'), name={name!r}, default=True)\n"
    )


def test_a_protocol_of_another_package_is_found_beside_the_own_ones(packages: Packages) -> None:
    packages.install("found_protocol", "other = found_protocol:PROTOCOL", renamed("other"))
    assert protocol_names() == tuple(sorted((*OWN, "other")))
    assert find_protocol("other").name == "other"
    assert default_protocol().name == "delphi"  # whatever a foreign one says of itself
    require_known("other", "exact")


def test_a_package_that_is_installed_later_is_found(packages: Packages) -> None:
    """Into a folder that was searched before."""
    assert "other" not in protocol_names()
    packages.install("later_protocol", "other = later_protocol:PROTOCOL", renamed("other"))
    assert "other" in protocol_names()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            "import nothing_of_that_name",
            "does not load: ModuleNotFoundError: No module named 'nothing_of_that_name'; repair or uninstall",
        ),
        ("PROTOCOL = 3", "is no ProtocolInfo with that name; repair or uninstall"),
        (renamed("another"), "is no ProtocolInfo with that name; repair or uninstall"),
    ],
    ids=["import", "type", "name"],
)
def test_a_broken_one_is_named_and_disturbs_no_other(
    request: pytest.FixtureRequest,
    packages: Packages,
    source: str,
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    package = f"broken_{request.node.callspec.id}"
    packages.install(package, f"other = {package}:PROTOCOL", source)
    with pytest.raises(
        UsageError, match=rf"^protocol 'other' of {package} \({package}:PROTOCOL\) "
    ) as raised:
        find_protocol("other")
    assert words in str(raised.value)
    assert [info.name for info in loadable_protocols()] == list(OWN)
    with pytest.raises(UsageError, match="there is no mode 'fuzzy'; there are windowed, exact"):
        require_known(None, "fuzzy")
    require_known(None, "exact")
    with pytest.raises(SystemExit) as left:
        main(["latency", "--help"])
    assert left.value.code == 0 and "--label-chunk N" in capsys.readouterr().out
    assert main(["latency", "model.pt", "--protocol", "other"]) == 2
    assert words in capsys.readouterr().err


def test_two_providers_of_one_name_are_both_named_and_neither_runs(packages: Packages) -> None:
    packages.install("taker", "delphi = taker:PROTOCOL", renamed("delphi"))
    with pytest.raises(
        UsageError, match=r"provided by pi-bench .* and by taker \(taker:PROTOCOL\); uninstall"
    ):
        find_protocol("delphi")
    assert find_protocol("ideal").name == "ideal"


def test_the_default_protects() -> None:
    assert default_protocol().secure
    assert [info.name for info in loadable_protocols() if info.default] == ["delphi"]


def test_an_option_that_a_command_has_too_is_refused(
    packages: Packages, capsys: pytest.CaptureFixture[str]
) -> None:
    source = renamed("other").replace("default=True", "options=(Option('threads', range(4), 'x'),)")
    packages.install(
        "threaded", "other = threaded:PROTOCOL", f"from pi_bench.protocol import Option\n{source}"
    )
    assert main(["latency", "model.pt", "--protocol", "other"]) == 2
    assert "protocol other has an option --threads, and so has this command" in capsys.readouterr().err


def test_options_of_another_protocol_are_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["latency", "model.pt", "--protocol", "ideal", "--label-chunk", "2"])
    assert "there is no --label-chunk 2 with protocol ideal" in capsys.readouterr().err
