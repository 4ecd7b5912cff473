"""The gadgets' four steps on every instruction-set path, streaming from memory."""

import pytest

from pi_bench.crypto.gadget import GadgetSpec
from pi_bench.crypto.symmetric import LANES
from pi_bench.primitives import CaseSettings
from pi_bench.primitives.gadget import SPECS, STEPS, gadget_cases, sizes_of

OTHER_COUNT = 50_000
PORTABLE_COUNT = 3_200
RELUS = {11: "ReLU, 11 ANDs", 19: "ReLU, 19 ANDs"}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("and_count", RELUS)
@pytest.mark.parametrize("step", ["garble", "evaluate"])
def test_relu(time_case, step: str, and_count: int, threads: int, isa: str) -> None:
    """Times the rows of the target table: 200,000 ReLUs."""
    (case,) = gadget_cases(RELUS[and_count], (step,), CaseSettings(threads=(threads,), isa=isa))
    time_case(case, isa, f"{step}-{and_count}-{threads}-{isa}")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", SPECS)
def test_step(time_case, name: str, step: str, every_isa: str) -> None:
    count = PORTABLE_COUNT if every_isa == "portable" else OTHER_COUNT
    (case,) = gadget_cases(name, (step,), CaseSettings(count=count, threads=(1,), isa=every_isa))
    time_case(case, every_isa)


@pytest.mark.parametrize("chunk", [1, 2, 3, 4])
def test_bytes(benchmark, target, chunk: int) -> None:
    """Times the derivation of the bytes, which follow from the circuit."""
    spec = GadgetSpec("relu", 12, 23, False, 4095, chunk)
    sizes = benchmark.pedantic(sizes_of, (spec,), rounds=1)
    benchmark.extra_info.update(sizes, label_chunk=chunk, state_bytes=spec.state_group_bytes / LANES)
    if chunk < 4:
        target(f"online-bytes-chunk-{chunk}", sizes["online_to_client"])
    if chunk == 1:
        target("storage-11", sizes["client_storage"])
