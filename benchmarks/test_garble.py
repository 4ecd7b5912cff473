"""The gadgets' four steps on every instruction-set path: one thread, streaming from memory.

`extra_info` holds elements, bytes and path; time an element is the mean over `elements`.
"""

import os

import numpy as np
import pytest

from pi_bench import _native
from pi_bench.crypto import gadget as gadgets
from pi_bench.crypto.gadget import GadgetSpec
from pi_bench.crypto.symmetric import LANES

GROUPS = 1024
COUNT = GROUPS * LANES
SPECS = {
    "relu-11-ands": GadgetSpec("relu", 12, 23, False, 4095),
    "relu-11-ands-chunks-of-2": GadgetSpec("relu", 12, 23, False, 4095, 2),
    "relu-11-ands-chunks-of-3": GadgetSpec("relu", 12, 23, False, 4095, 3),
    "relu-11-ands-chunks-of-4": GadgetSpec("relu", 12, 23, False, 4095, 4),
    "relu-19-ands": GadgetSpec("relu", 12, 31, False, 4095),
    "relu-exact": GadgetSpec("relu", 12, 23, True, 2048),
    "truncate": GadgetSpec("truncate", 12, 31, False, 4095),
    "truncate-exact": GadgetSpec("truncate", 12, 31, True, 2048),
}


@pytest.mark.parametrize("step", ["garble", "accept", "encode", "evaluate"])
@pytest.mark.parametrize("isa", ["aesni", "vaes512"])
@pytest.mark.parametrize("name", SPECS)
def test_gadget(benchmark, name: str, isa: str, step: str) -> None:
    try:
        _native.symmetric.resolve_isa(isa)
    except _native.symmetric.UnsupportedCpuError as error:
        pytest.skip(str(error))
    spec = SPECS[name]
    rng = np.random.default_rng(0)  # the time does not depend on the values
    u, v, words, next_mask = rng.integers(0, 2**32, (4, COUNT), np.uint32)
    alpha = beta = words if spec.uses_select else None
    select = rng.integers(0, 2, COUNT, np.uint8) if spec.uses_select else None
    labels = rng.integers(0, 256, (GROUPS, spec.label_ots, LANES, 16), np.uint8)
    delta, hash_seed, label_seed = b"\x01" + os.urandom(15), os.urandom(16), os.urandom(16)
    garbled = np.zeros(GROUPS * spec.garbled_group_bytes, np.uint8)
    state = np.zeros(GROUPS * spec.state_group_bytes, np.uint8)
    message = np.zeros(GROUPS * spec.online_group_bytes, np.uint8)
    out_mask, z = np.zeros((2, COUNT), np.uint32)
    steps = {
        "garble": lambda: gadgets.garble(
            spec, delta, hash_seed, label_seed, 1, 0, labels, select, alpha, garbled, state, isa=isa
        ),
        "accept": lambda: gadgets.accept(spec, hash_seed, 1, 0, v, labels, garbled, isa=isa),
        "encode": lambda: gadgets.encode(spec, delta, label_seed, 1, 0, state, u, message, out_mask, isa=isa),
        "evaluate": lambda: gadgets.evaluate(
            spec, hash_seed, 1, 0, v, beta, labels, garbled, message, next_mask, z, isa=isa
        ),
    }
    benchmark.extra_info.update(
        isa=isa,
        elements=COUNT,
        and_count=spec.gate_count,
        offline_bytes=garbled.nbytes,
        state_bytes=state.nbytes,
        online_bytes=message.nbytes + z.nbytes,
    )
    benchmark(steps[step])
