"""Grouped terms as several encrypted products: their parts of the term, their costs, and their sum."""

import numpy as np
import pytest

from pi_bench.crypto.he import HeClient, HeServer
from pi_bench.hybrid.products import ProductJob, product_jobs
from pi_bench.network.execution.reference import linear_reference
from pi_bench.network.program import Convolution, FullyConnected, LinearOp, LinearTerm, Weighted


def jobs_of(weighted: Weighted, ahead: int = 1) -> tuple[LinearOp, list[ProductJob]]:
    """The term is at channel 1 of an operator with two channels more."""
    batch, channels, *size = weighted.out_shape
    term = LinearTerm(0, (), weighted, 1, (np.arange(channels) % 3).astype(np.uint8), 1)
    op = LinearOp(1, "layer", (batch, channels + 2, *size), 0, (term,), None, 0)
    return op, list(product_jobs(1, term, 6, 5, ahead=ahead))


def depthwise(channels: int, size: int, multiple: int = 1) -> Convolution:
    shape, out = (1, channels, size, size), (1, channels * multiple, size, size)
    return Convolution("w", shape, out, (3, 3), (1, 1), (1, 1, 1, 1), groups=channels)


CASES: dict[str, Weighted] = {
    "depthwise": depthwise(70, 16),
    "with a multiplier": depthwise(9, 8, 2),
    "groups": Convolution("w", (2, 6, 5, 4), (2, 9, 5, 4), (1, 3), (1, 1), (0, 0, 1, 1), groups=3),
    "features": FullyConnected("w", (2, 100), (2, 100), groups=100),
    "one group": Convolution("w", (1, 3, 4, 4), (1, 2, 4, 4), (1, 1), (1, 1), (0, 0, 0, 0)),
}


@pytest.fixture(scope="module")
def parties():
    with HeClient() as client:
        yield client, HeServer(client.public_key)


def product(job: ProductJob, parties, weights, masks) -> tuple[np.ndarray, np.ndarray]:
    """The shares of a product at client and server, after it ran under encryption."""
    client, server = parties
    blind = np.random.default_rng(2).integers(0, 2**32, job.plan.out_shape, dtype=np.uint32)
    upload = client.encrypt(job.plan, job.operand(masks))
    response = server.respond(job.plan, job.dense_weights(weights), upload, blind)
    return client.decrypt(job.plan, response), blind


@pytest.mark.parametrize("ahead", [1, 3])
@pytest.mark.parametrize("case", CASES)
def test_the_products_of_all_jobs_add_up_to_the_term(case, ahead, parties) -> None:
    """For each inference of an offline phase, whose masks share ciphertexts."""
    weighted = CASES[case]
    op, jobs = jobs_of(weighted, ahead)
    rng = np.random.default_rng(1)
    weights = {"w": rng.integers(-31, 32, weighted.weight_shape).astype(np.int16)}
    masks = [rng.integers(0, 2**32, weighted.in_shape, dtype=np.uint32) for _ in range(ahead)]
    totals = [{1: np.zeros(op.shape, np.uint32)} for _ in masks]
    for job in jobs:
        for share in product(job, parties, weights, masks):
            job.add(share, totals)
    for total, r in zip(totals, masks, strict=True):
        np.testing.assert_array_equal(total[1], linear_reference(op, {0: r}, weights))


def test_masks_of_several_inferences_take_fewer_bytes_than_one_by_one() -> None:
    weighted = Convolution("w", (1, 16, 8, 8), (1, 16, 8, 8), (3, 3), (1, 1), (1, 1, 1, 1))
    one, four = (
        sum(job.plan.upload_bytes + job.plan.response_bytes for job in jobs_of(weighted, ahead)[1])
        for ahead in (1, 4)
    )
    assert four < 3 * one


@pytest.mark.parametrize("case", CASES)
def test_jobs_cover_each_group_once_and_are_numbered(case) -> None:
    weighted = CASES[case]
    _, jobs = jobs_of(weighted)
    assert [job.number for job in jobs] == list(range(5, 5 + len(jobs)))
    parts = [part for job in jobs for part in job.parts]
    covered = [part.first_group + i for part in parts for i in range(part.group_count)]
    assert covered == list(range(weighted.groups))
    assert sum(job.plan.in_shape[1] for job in jobs) == weighted.in_shape[1]
    assert sum(job.plan.out_shape[1] for job in jobs) == weighted.out_shape[1]


def test_several_groups_share_polynomials_where_that_is_cheaper() -> None:
    """512 channels of 4 x 4: 25 coefficients each with shared padding, 327 channels in a polynomial."""
    _, jobs = jobs_of(depthwise(512, 4))
    sent = sum(job.plan.upload_bytes + job.plan.response_bytes for job in jobs)
    alone = jobs_of(depthwise(1, 4))[1][0].plan
    assert 12 * sent < 512 * (alone.upload_bytes + alone.response_bytes)
