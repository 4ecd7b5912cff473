"""Products of a gadget's result in the gadget's own round: one factor per version of the server's share."""

from __future__ import annotations

import numpy as np
import pytest

from pi_bench.crypto import fss
from pi_bench.crypto.fss import FssSpec
from pi_bench.crypto.randomness import random_words
from tests.fss_parties import LANES, ideal_material, prepare, run_online

GROUPS = 8
COUNT = GROUPS * LANES
GADGETS = {
    "relu": FssSpec("relu", 12, 23, False, 4095, 1),
    "exact relu": FssSpec("relu", 12, 23, True, 2048),
    "exact truncation": FssSpec("truncate", 12, 31, True, 2048),
}


@pytest.mark.parametrize(("name", "versions"), [("relu", 2), ("exact relu", 4), ("exact truncation", 2)])
def test_square_of_a_result(name: str, versions: int) -> None:
    """Beaver's trick: the server opens A_i - t_i for every version i before it knows which one counts."""
    spec = GADGETS[name]
    x = np.random.default_rng(3).integers(-(1 << 22), 1 << 22, COUNT).astype(np.int32).view(np.uint32)
    v, r = random_words((2, COUNT))
    run = run_online(prepare(spec, v, ideal_material(spec, GROUPS)), x - v, r)
    assert spec.share_versions == versions

    shares = fss.share_versions(spec, run.kept).transpose(1, 0, 2).reshape(versions, COUNT)
    factors, alpha = random_words((2, versions, COUNT))
    beta = factors * r - alpha  # cross products, offline
    opened = shares - factors

    at_client = fss.version_numbers(spec, run.message, run.answer)
    own, next_mask, element = run.z + r, random_words((COUNT,)), np.arange(COUNT)
    z = own * own + 2 * (opened[at_client, element] * own + beta[at_client, element]) - next_mask

    at_server = fss.version_numbers(spec, run.kept, run.answer)
    share = shares[at_server, element]
    cross = run.z * factors[at_server, element] + alpha[at_server, element]
    square = z + share * share + 2 * cross + next_mask

    result = run.share + r
    np.testing.assert_array_equal(square, result * result)
    np.testing.assert_array_equal(at_client, at_server)
    np.testing.assert_array_equal(share + run.z, run.share)
    assert set(at_server.tolist()) == set(range(versions)), "every version counts somewhere"
