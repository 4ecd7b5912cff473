"""The FSS gadgets' steps on every instruction-set path."""

import pytest

from pi_bench.primitives import CaseSettings
from pi_bench.primitives.fss import FSS_11, SPECS, STEPS, fss_cases, sizes_of
from pi_bench.primitives.fss_offline import offline_cases

OTHER_COUNT = 50_000
PORTABLE_COUNT = 1_600


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("step", STEPS)
def test_relu(time_case, step: str, threads: int, isa: str) -> None:
    """Times 200,000 ReLUs with a window of 11 bits."""
    settings = CaseSettings(threads=(threads,), isa=isa)
    (case,) = fss_cases("FSS ReLU, 11 bits", (step,), settings)
    time_case(case, isa)


@pytest.mark.parametrize("number", [0, 1], ids=["client", "server"])
def test_offline(time_case, number: int, isa: str) -> None:
    """A party's whole offline phase, with its OTs, in the slices of an inference."""
    cases = list(offline_cases("FSS ReLU, 11 bits", FSS_11, CaseSettings(threads=(1,), isa=isa)))
    time_case(cases[number], isa)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", SPECS)
def test_step(time_case, name: str, step: str, every_isa: str) -> None:
    count = PORTABLE_COUNT if every_isa == "portable" else OTHER_COUNT
    (case,) = fss_cases(name, (step,), CaseSettings(count=count, threads=(1,), isa=every_isa))
    time_case(case, every_isa)


@pytest.mark.parametrize("name", SPECS)
def test_bytes(benchmark, name: str) -> None:
    """Times the derivation of the bytes, which follow from the gadget."""
    benchmark.extra_info.update(benchmark.pedantic(sizes_of, (SPECS[name],), rounds=1))
