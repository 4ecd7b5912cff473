"""Element-wise products of activations: their results and the views of both parties.

Written from docs/threat-model.md alone. On small rings every value of every random choice is enumerated: a
party's view must have one distribution whatever the other one's secrets are. Then the same equations hold
the messages and the material of a real run.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pi_bench.crypto.fss import version_numbers
from pi_bench.hybrid.work_plan import WorkPlan
from pi_bench.network.program import ActivationKind, Program, element_count
from pi_bench.protocol import Party, Preprocessing
from pi_bench.testing import MemoryRun
from tests.contract.conftest import encoded_inputs
from tests.contract.term_program import term_program

RING = 2  # bits, of the enumerated views
SIZE = 1 << RING
ALL = np.arange(SIZE)

Pads = tuple[np.ndarray, ...]


def grid(*ranges: int) -> list[np.ndarray]:
    """Every combination of numbers below `ranges`: one flat array each."""
    return [axis.ravel() for axis in np.meshgrid(*map(np.arange, ranges), indexing="ij")]


def pad_ranges(bits: int) -> list[int]:
    """Of P_0(j) and P_1(j), j = 0 .. bits - 1, in the bits that count."""
    return [1 << (bits - j) for j in range(bits) for _ in range(2)]


def gilboa(bits: int, t: np.ndarray, r: np.ndarray, pads: Pads) -> tuple[np.ndarray, np.ndarray, list]:
    """Section 7: alpha, beta mod 2^bits, and the server's view: (tau_j, P_{t_j}(j)) for each bit."""
    alpha = beta = np.zeros_like(r + t)
    seen = []
    for j in range(bits):
        p0, p1 = pads[2 * j], pads[2 * j + 1]
        tau = (p0 + r - p1) % (1 << (bits - j))
        chosen = t >> j & 1
        own = np.where(chosen, p1, p0)
        alpha = alpha + ((own + chosen * tau) << j)
        beta = beta - (p0 << j)
        seen += [tau, own]
    return alpha % (1 << bits), beta % (1 << bits), seen


def square(a, c, t, r, fresh, pads, bits: int = RING - 1) -> dict[str, list]:
    """Section 5: (client's view, server's view, both shares of the result) of x = a + c."""
    alpha, beta, seen = gilboa(bits, t, r, pads)
    d = (a - t) % SIZE
    z = (c * c + 2 * (d * c + beta) - fresh) % SIZE
    m_c = (c - r) % SIZE
    result = (z + a * a + 2 * (m_c * t + alpha)) % SIZE
    return {"client": [d, beta], "server": [*seen, m_c, z], "result": [(result + fresh) % SIZE]}


def product(a, c, m, t, r, fresh, pads, r_w, t_2) -> dict[str, list]:
    """The same of w x with w = m + r_w: `pads` of both cross products."""
    half = len(pads) // 2
    alpha_1, beta_1, seen_1 = gilboa(RING, t, r_w, pads[:half])
    alpha_2, beta_2, seen_2 = gilboa(RING, t_2, r, pads[half:])
    d_1, d_2 = (a - t) % SIZE, (m - t_2) % SIZE
    z = (r_w * (c + d_1) + d_2 * c + beta_1 + beta_2 - fresh) % SIZE
    m_c = (c - r) % SIZE
    result = (z + m * a + t_2 * m_c + alpha_1 + alpha_2) % SIZE
    return {
        "client": [d_1, d_2, beta_1, beta_2],
        "server": [*seen_1, *seen_2, m_c, z],
        "result": [(result + fresh) % SIZE],
    }


def distribution(columns: list[np.ndarray]) -> Counter:
    """How often each row of a view comes, by its digits: every value is below SIZE."""
    assert all(column.min() >= 0 and column.max() < SIZE for column in columns)
    rows = sum(column.astype(np.int64) << place * RING for place, column in enumerate(columns))
    return Counter(dict(zip(*(part.tolist() for part in np.unique(rows, return_counts=True)), strict=True)))


def same(views: list[Counter]) -> bool:
    return all(view == views[0] for view in views)


@pytest.mark.parametrize("bits", [1, 2, 3])
def test_cross_products_and_squares_add_up(bits: int) -> None:
    t, r, *pads = grid(1 << bits, 1 << bits, *pad_ranges(bits))
    alpha, beta, _ = gilboa(bits, t, r, tuple(pads))
    assert np.array_equal((alpha + beta) % (1 << bits), t * r % (1 << bits))


def test_squares_and_products_are_exact() -> None:
    a, c, t, r, fresh, *pads = grid(*[SIZE] * 5, *pad_ranges(RING - 1))
    assert np.array_equal(square(a, c, t, r, fresh, tuple(pads))["result"][0], (a + c) ** 2 % SIZE)
    a, c, m, r_w, t, t_2, r = grid(*[SIZE] * 7)
    pads = tuple(np.full(1, value % size) for value, size in enumerate(pad_ranges(RING) * 2, 3))
    run = product(a, c, m, t, r, 3, pads, r_w, t_2)
    assert np.array_equal(run["result"][0], (m + r_w) * (a + c) % SIZE)


def square_views(party: str, bend: Callable[[dict[str, list]], dict[str, list]] = lambda run: run) -> bool:
    """Whether the party's view is the same for each secret of the other one, given its own values."""
    if party == "client":  # knows c, r, fresh, its pads; must not learn a
        t, *pads = grid(SIZE, *pad_ranges(RING - 1))
        return all(
            same([distribution(bend(square(a, c, t, r, 1, tuple(pads)))["client"]) for a in ALL])
            for c, r in itertools.product(ALL, ALL)
        )
    r, fresh, *pads = grid(SIZE, SIZE, *pad_ranges(RING - 1))  # knows a, t; must not learn c
    return all(
        same([distribution(bend(square(a, c, t, r, fresh, tuple(pads)))["server"]) for c in ALL])
        for a, t in itertools.product(ALL, ALL)
    )


@pytest.mark.parametrize("party", ["client", "server"])
def test_the_view_of_a_square_is_independent_of_the_others_secret(party: str) -> None:
    assert square_views(party)


def product_view(party: str, alike: bool = False) -> bool:
    """The same for a product; `alike`: the server uses one factor twice."""
    if party == "client":  # must learn neither a nor m
        t, t_2, *pads = grid(SIZE, 1 if alike else SIZE, *[2] * 4)
        pads = [*pads, *[np.zeros(1, int)] * (len(pad_ranges(RING) * 2) - len(pads))]
        return same(
            [
                distribution(product(a, 1, m, t, 2, 3, tuple(pads), 1, t if alike else t_2)["client"])
                for a, m in itertools.product(ALL, ALL)
            ]
        )
    r, fresh, *pads = grid(*[SIZE] * 2, *pad_ranges(RING) * 2)  # must learn neither c nor r_w
    return same(
        [
            distribution(product(2, c, 3, 1, r, fresh, tuple(pads), r_w, 3)["server"])
            for c, r_w in itertools.product(ALL, ALL)
        ]
    )


@pytest.mark.parametrize("party", ["client", "server"])
def test_the_view_of_a_product_is_independent_of_the_others_secrets(party: str) -> None:
    assert product_view(party)


def test_the_enumeration_sees_what_must_not_be_done() -> None:
    """One factor for two values; x - r sent to the client; a product that no fresh mask hides."""
    assert not product_view("client", alike=True)
    opened = square_views("client", lambda run: run | {"client": [*run["client"], run["result"][0]]})
    assert not opened
    unmasked = square_views("server", lambda run: run | {"server": [*run["server"][:-1], run["result"][0]]})
    assert not unmasked


def version_views(alike: bool = False) -> bool:
    """Whether the client's view of a square is the same for all shares A_0, A_1 that the server has before it
    knows which counts. `alike`: the server uses one factor for both."""
    first, second, *pads = grid(SIZE, 1 if alike else SIZE, *pad_ranges(RING - 1) * 2)
    factors, half = (first, first if alike else second), len(pads) // 2
    parts = tuple(pads[:half]), tuple(pads[half:])

    def view(shares: tuple[int, ...], c: int, r: int) -> Counter:
        runs = [square(a, c, t, r, 1, own) for a, t, own in zip(shares, factors, parts, strict=True)]
        return distribution([column for run in runs for column in run["client"]])

    return all(
        same([view(shares, c, r) for shares in itertools.product(ALL, ALL)])
        for c, r in itertools.product(ALL, ALL)
    )


def test_versions_of_a_share_are_hidden_by_factors_of_their_own() -> None:
    assert version_views()
    assert not version_views(alike=True)


class Records:
    """The material of both parties, by kind."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        claim = Preprocessing.claim

        def recorded(material: Preprocessing, protocol: str) -> dict[str, np.ndarray]:
            arrays = claim(material, protocol)
            party = "server" if "delta" in arrays else "client"
            self.arrays |= {f"{party} {name}": array.copy() for name, array in arrays.items()}
            return arrays

        monkeypatch.setattr(Preprocessing, "claim", recorded)


@pytest.mark.parametrize("factor", list(ActivationKind))
def test_a_real_run_sends_and_keeps_what_the_equations_say(
    secure_protocol, options, factor, run, monkeypatch
) -> None:
    """uint32 throughout, which wraps as the ring does. `factor`: the kind of the product's second factor."""
    program, weights = term_program()
    program = with_kind(program, "cut", factor)
    material = Records(monkeypatch).arrays
    (outcome,) = run(secure_protocol, program, weights, encoded_inputs(program)[:1], options)
    if secure_protocol.name != "delphi" and "server factor:0" not in material:
        pytest.skip(f"{secure_protocol.name} multiplies otherwise; its views need equations of their own")
    plan = WorkPlan(program, options, uses_tables=getattr(secure_protocol.client, "uses_tables", False))
    jobs = plan.multiplications.jobs
    assert [job.is_square for job in jobs] == [True, False]
    for job in jobs:
        op, count = job.op, element_count(job.op.shape)

        def kept(name: str, count: int = count) -> np.ndarray:
            return material[name].reshape(-1)[:count]

        r, fresh = kept(f"client mask:{op.right}"), kept(f"client mask:{op.id}")
        t, alpha, beta = (
            [kept(f"{name}:{cross.number}") for cross in job.crosses]
            for name in ("server factor", "server cross", "client cross")
        )
        for i, cross in enumerate(job.crosses):
            ring = np.uint32((1 << cross.bit_count) - 1)
            masks = kept(f"client mask:{cross.masked_by}")
            assert np.array_equal(alpha[i] + beta[i] & ring, t[i] * masks & ring)
        z, version = answered(plan, outcome, op.right)
        c = z + r
        a = outcome.value(f"a:{op.right}").ravel() - c
        opened = sent(outcome, op.id, Party.SERVER).reshape(len(job.crosses), count)
        columns = np.arange(count)
        d, own_beta = (np.stack(words[: job.versions])[version, columns] for words in (opened, beta))
        assert np.array_equal(d, a - np.stack(t[: job.versions])[version, columns])
        if secure_protocol.name == "fss":
            of_relu = job.is_square or factor is ActivationKind.RELU
            assert job.versions == (2 if of_relu else 1) * (2 if options.mode == "exact" else 1)
        if job.is_square:
            expected = c * c + 2 * (d * c + own_beta) - fresh
        else:
            r_w = kept(f"client mask:{op.left}")
            kind = "x" if op.left in {linear.id for linear in program.linear_ops} else "a"
            m = outcome.value(f"{kind}:{op.left}").ravel() - r_w
            assert np.array_equal(opened[-1], m - t[-1])
            expected = r_w * (c + d) + opened[-1] * c + own_beta + beta[-1] - fresh
        assert np.array_equal(sent(outcome, op.id, Party.CLIENT), expected)
        value = outcome.value(f"a:{op.id}").ravel()
        assert np.array_equal(value, (a + c) * (a + c if job.is_square else m + r_w))


def with_kind(program: Program, name: str, kind: ActivationKind) -> Program:
    """The program with one activation whose elements are all of `kind`."""
    (op,) = (op for op in program.activation_ops if op.name == name)
    changed = replace(op, groups=tuple(replace(group, kind=kind) for group in op.groups))
    return replace(program, ops=tuple(changed if old is op else old for old in program.ops))


def answered(plan: WorkPlan, outcome: MemoryRun, op_id: int) -> tuple[np.ndarray, np.ndarray]:
    """The words z of an activation, and the number of the version of the server's share that counts."""
    online = [m for m in outcome.transcript if m.phase.startswith("online") and m.op_id == op_id]
    messages = {party: iter([m.payload for m in online if m.sender is party]) for party in Party}
    z, version = np.zeros((2, element_count(plan.program.ops[op_id].shape)), np.uint32)
    for job in plan.gadgets[op_id]:
        for groups in job.online_slices:
            down, up = (
                np.frombuffer(next(messages[party]), np.uint8) for party in (Party.SERVER, Party.CLIENT)
            )
            words = up.view(np.uint32)
            real = len(job.real_elements(groups))
            job.scatter_slice(words[:real], groups, z)
            if job.table is not None:
                job.scatter_slice(version_numbers(job.table, down, words[real:]), groups, version)
    return z, version


def sent(outcome: MemoryRun, op_id: int, party: Party) -> np.ndarray:
    """The words of an operator's online messages."""
    messages = [m for m in outcome.transcript if m.phase.startswith("online")]
    payload = b"".join(m.payload for m in messages if (m.op_id, m.sender) == (op_id, party))
    return np.frombuffer(payload, np.uint32)
