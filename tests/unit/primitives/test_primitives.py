"""Primitives tell their units and cases; the declared units are those that the timed cases show."""

from dataclasses import replace

import pytest

from pi_bench.costs import LINK_UNITS
from pi_bench.errors import UsageError
from pi_bench.hybrid.fixed_steps import FIXED_UNITS
from pi_bench.hybrid.script import hybrid_script
from pi_bench.primitives import CaseSettings, MinimalWork, Primitive, he
from pi_bench.primitives.built_in import BUILT_IN, UNITS
from pi_bench.primitives.fss import FSS
from pi_bench.primitives.primitive import families_of, units_of
from pi_bench.protocol import ProtocolOptions
from tests.contract.term_program import term_program

TINY = CaseSettings(count=64, threads=(1,), repetitions=1)
SLOW = ("garbled gadgets", "homomorphic products", "messages over loopback")
BETWEEN_PARTIES = tuple(unit for unit in LINK_UNITS if unit != "wake")


@pytest.mark.parametrize(
    "primitive",
    [
        pytest.param(each, id=each.name, marks=pytest.mark.slow if each.name in SLOW else ())
        for each in (*BUILT_IN, FSS)
    ],
)
def test_timed_cases_show_exactly_the_declared_units(
    primitive: Primitive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Layers of nine taps and of one show each unit, with separate and with joined answers."""
    names = ("conv3x3 64, 8x8", "conv1x1 256 to 64, 8x8")
    monkeypatch.setattr(he, "_TIMED_LAYERS", {name: he._TIMED_LAYERS[name] for name in names})
    shown = {unit for timed in primitive.timed_cases(TINY) for unit in timed.work.units}
    assert shown == set(primitive.units) - set(BETWEEN_PARTIES)


def test_scripts_count_units_that_are_declared() -> None:
    """A unit that no primitive declares would never be measured."""
    chunked = ProtocolOptions("windowed", values={"label_chunk": 3})
    halves = ProtocolOptions("windowed", values={"garbling": "three-halves"})
    for options in (ProtocolOptions("windowed"), ProtocolOptions("exact"), chunked, halves):
        script = hybrid_script(term_program()[0], options)
        for phase in (script.offline, script.online):
            for role in phase.roles.values():
                assert {unit for a in role.actions for unit in a.work.units} <= {*UNITS, *FIXED_UNITS}


def test_a_name_belongs_to_one_primitive() -> None:
    first = Primitive("sums", ("sum",), {"sum": lambda settings: ()})
    with pytest.raises(UsageError, match="'sums' and 'copies' both declare the cost unit 'sum'; rename one"):
        units_of([first, Primitive("copies", ("copy", "sum"))])
    with pytest.raises(UsageError, match="'sums' and 'copies' both declare the micro name 'sum'; rename one"):
        families_of([first, Primitive("copies", families=first.families)])


def test_a_case_without_work_has_no_limit() -> None:
    with pytest.raises(ValueError, match="at least one positive amount"):
        MinimalWork()
    with pytest.raises(ValueError, match="at least one positive amount"):
        replace(MinimalWork(aes_blocks=1), aes_blocks=0)
