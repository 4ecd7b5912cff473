"""Every instruction-set path, and a gadget run between two parties with ideal correlated OTs."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from pi_bench import _native
from pi_bench.crypto import gadget as gadgets
from pi_bench.crypto.gadget import GadgetSpec
from pi_bench.crypto.ot_extension import CotReceiver, CotSender, base_choice_bits
from pi_bench.crypto.secret import SecretBytes
from pi_bench.crypto.symmetric import LANES


def available_paths() -> list[str]:
    paths = []
    for isa in ("portable", "aesni", "vaes512"):
        try:
            paths.append(_native.symmetric.resolve_isa(isa))
        except _native.symmetric.UnsupportedCpuError:
            continue
    return paths


@pytest.fixture(params=available_paths())
def isa(request: pytest.FixtureRequest) -> str:
    """Each instruction-set path that this processor can run."""
    return request.param


@pytest.fixture(scope="session")
def available_isas() -> list[str]:
    """All of them, the best last."""
    return available_paths()


def random_bytes(shape: int | tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


CotInstance = Callable[..., tuple[CotSender, CotReceiver]]


@pytest.fixture(scope="session")
def cot_instance() -> CotInstance:
    """cot_instance(delta, seed=0): two parties whose base OTs an ideal functionality ran."""

    def instance(delta: bytes | SecretBytes, seed: int = 0) -> tuple[CotSender, CotReceiver]:
        pairs = random_bytes((128, 2, 16), seed)
        receiver = CotReceiver(pairs)
        chosen = pairs[np.arange(128), base_choice_bits(delta)]
        return CotSender(delta, chosen, receiver.tree_message), receiver

    return instance


Stream = Callable[[str, int], np.ndarray]


@dataclass
class GadgetRun:
    """All values of one run; both parties' secrets are here because a test is both parties."""

    spec: GadgetSpec
    u: np.ndarray
    v: np.ndarray
    delta: np.ndarray
    hash_seed: bytes
    label_seed: bytes
    zero_labels: np.ndarray  # (groups, label_ots, 32, 16)
    active_labels: np.ndarray
    select_bits: np.ndarray | None
    alpha: np.ndarray | None
    beta: np.ndarray | None
    next_mask: np.ndarray
    garbled_sent: np.ndarray  # as received, before accept
    garbled: np.ndarray
    state: np.ndarray
    message: np.ndarray
    out_mask: np.ndarray
    z: np.ndarray

    @property
    def y(self) -> np.ndarray:
        """The result, revealed, as int64."""
        shares = self.z - self.out_mask + self.next_mask
        return shares.view(np.int32).astype(np.int64)


GADGET_NUMBER = 0xABCDEF


@pytest.fixture(scope="session")
def run_gadget() -> Callable[..., GadgetRun]:
    """run_gadget(spec, u, v, isa=, threads=1, slices=None, seed=0): the whole gadget; u and v are
    uint32 of whole groups. `slices`: lengths in groups, each step called once for each.
    `stream(name, byte_count)` replaces the random values."""
    return _run_gadget


def _run_gadget(
    spec: GadgetSpec,
    u: np.ndarray,
    v: np.ndarray,
    *,
    isa: str,
    threads: int = 1,
    slices: list[int] | None = None,
    seed: int = 0,
    first_group: int = 5,
    stream: Stream | None = None,
) -> GadgetRun:
    rng = np.random.default_rng(seed)
    draw = stream or (lambda name, size: np.frombuffer(rng.bytes(size), np.uint8))
    groups = u.size // LANES
    slices = slices or [groups]
    assert sum(slices) == groups

    delta = draw("delta", 16).copy()
    delta[0] |= 1
    zero = draw("zero labels", u.size * spec.label_ots * 16).reshape(groups, spec.label_ots, LANES, 16)
    choice = np.unpackbits(gadgets.choice_bits(spec, v), bitorder="little")
    active = zero ^ choice.reshape(groups, spec.label_ots, LANES, 1) * delta
    select = alpha = beta = None
    if spec.uses_select:
        select = draw("select bits", u.size) & 1
        alpha = draw("alpha", 4 * u.size).view(np.uint32)
        beta = select * gadgets.correlation(spec, v) - alpha
    run = GadgetRun(
        spec=spec,
        u=u,
        v=v,
        delta=delta,
        hash_seed=draw("hash seed", 16).tobytes(),
        label_seed=draw("label seed", 16).tobytes(),
        zero_labels=zero,
        active_labels=active,
        select_bits=select,
        alpha=alpha,
        beta=beta,
        next_mask=draw("next mask", 4 * u.size).view(np.uint32),
        garbled_sent=np.zeros(0, np.uint8),
        garbled=np.zeros(groups * spec.garbled_group_bytes, np.uint8),
        state=np.zeros(groups * spec.state_group_bytes, np.uint8),
        message=np.zeros(groups * spec.online_group_bytes, np.uint8),
        out_mask=np.zeros(u.size, np.uint32),
        z=np.zeros(u.size, np.uint32),
    )
    begin = 0
    parts = []
    for length in slices:
        parts.append((begin, begin + length))
        begin += length

    def rows(array: np.ndarray | None, part: tuple[int, int]) -> np.ndarray | None:
        """The part's share of an array that holds `groups` groups."""
        if array is None:
            return None
        step = len(array) // groups
        return array[part[0] * step : part[1] * step]

    def call_of(part: tuple[int, int]) -> gadgets.GadgetCall:
        return gadgets.GadgetCall(spec, GADGET_NUMBER, first_group + part[0], threads, isa)

    for part in parts:
        gadgets.garble(
            call_of(part),
            gadgets.GarbleArguments(
                delta, run.hash_seed, run.label_seed, rows(zero, part), rows(select, part),
                rows(alpha, part), rows(run.garbled, part), rows(run.state, part),
            ),
        )  # fmt: skip
    run.garbled_sent = run.garbled.copy()
    for part in parts:
        gadgets.accept(
            call_of(part),
            gadgets.AcceptArguments(
                run.hash_seed, rows(v, part), rows(active, part), rows(run.garbled, part)
            ),
        )
        gadgets.encode(
            call_of(part),
            gadgets.EncodeArguments(
                delta, run.label_seed, rows(run.state, part), rows(u, part), rows(run.message, part),
                rows(run.out_mask, part),
            ),
        )  # fmt: skip
    for part in parts:
        gadgets.evaluate(
            call_of(part),
            gadgets.EvaluateArguments(
                run.hash_seed, rows(v, part), rows(beta, part), rows(active, part), rows(run.garbled, part),
                rows(run.message, part), rows(run.next_mask, part), rows(run.z, part),
            ),
        )  # fmt: skip
    return run
