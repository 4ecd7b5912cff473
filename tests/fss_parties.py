"""Both parties of an FSS gadget in one process, with any source of randomness and of correlated OTs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from pi_bench.crypto import fss
from pi_bench.crypto.fresh_cot import FreshCotSender, fresh_cot_receiver
from pi_bench.crypto.fss import FssCall, FssSpec
from pi_bench.crypto.ot_extension import CotReceiver, CotSender, base_choice_bits, random_delta

LANES = 32
Labels = tuple[np.ndarray, np.ndarray]
"""Zero labels and active labels, each uint8 (groups, OTs, 32, 16)."""


@dataclass
class Material:
    """The parties' random draws and OTs before they run: in tests from generators with fixed seeds."""

    server_delta: np.ndarray
    client_delta: np.ndarray
    hash_seed: bytes
    choices: np.ndarray  # the server's
    server_bits: np.ndarray
    client_bits: np.ndarray
    cots: Callable[[str, np.ndarray, int], Labels]
    """Receives the receiver's name, its packed choices and the OTs per element."""


@dataclass
class FssRun:
    """All values of one run; both parties' secrets are here because a test is both parties."""

    spec: FssSpec
    material: Material
    corrections: np.ndarray
    opening: np.ndarray
    server_state: np.ndarray
    client_state: np.ndarray
    bundles: dict[tuple[str, int], np.ndarray] = field(default_factory=dict)  # by sender and level
    message: np.ndarray | None = None
    kept: np.ndarray | None = None
    z: np.ndarray | None = None
    answer: np.ndarray | None = None
    share: np.ndarray | None = None  # y - r'


def ideal_material(spec: FssSpec, groups: int, seed: int = 0) -> Material:
    """Draws everything from a generator; the OTs are ideal."""
    rng = np.random.default_rng(seed)
    server_delta, client_delta = rng.integers(0, 256, (2, 16), np.uint8)
    server_delta[0] |= 1
    client_delta[0] &= 0xFE

    def words(count: int) -> np.ndarray:
        return rng.integers(0, 2**32, groups * count, np.uint32)

    def cots(receiver: str, packed: np.ndarray, count: int) -> Labels:
        delta = client_delta if receiver == "server" else server_delta
        return ideal_labels(rng.integers(0, 256, (groups, count, LANES, 16), np.uint8), packed, delta)

    return Material(
        server_delta,
        client_delta,
        rng.bytes(16),
        words(spec.choice_ots),
        words(spec.server_bits),
        words(spec.client_bits),
        cots,
    )


def ideal_labels(zero: np.ndarray, packed: np.ndarray, delta: np.ndarray) -> Labels:
    choices = np.unpackbits(packed.view(np.uint8), bitorder="little").reshape(*zero.shape[:3], 1)
    return zero, zero ^ choices * delta


class Extensions:
    """Both directions of a session's OTs, by the project's own extension; only base OTs are ideal.

    The server receives the reverse OTs, whose delta is even. A fresh instance of label OTs, whose delta is
    odd, follows from them, as in an inference.
    """

    def __init__(self) -> None:
        client_delta, server_delta = random_delta(label=False, even=True), random_delta(label=True)
        pairs = np.random.default_rng().integers(0, 256, (128, 2, 16), np.uint8)
        reverse_receiver = CotReceiver(pairs)
        keys = pairs[np.arange(128), base_choice_bits(client_delta)]
        reverse_sender = CotSender(client_delta, keys, reverse_receiver.tree_message)
        self.client_delta = client_delta.array.copy()
        self.server_delta = server_delta.array.copy()  # wiped at the sender's end otherwise
        fresh = FreshCotSender(reverse_receiver, server_delta, b"test")
        label_receiver = fresh_cot_receiver(reverse_sender, fresh.message, b"test")
        label_sender = fresh.finish(label_receiver.tree_message)
        self._pairs = {
            "server": (reverse_receiver, reverse_sender),
            "client": (label_receiver, label_sender),
        }

    def material(self, spec: FssSpec, groups: int) -> Material:
        """Draws as the parties do."""

        def cots(receiver: str, packed: np.ndarray, count: int) -> Labels:
            ots = groups * count * LANES
            zero, active = np.empty((2, groups, count, LANES, 16), np.uint8)
            extended, sender = self._pairs[receiver]
            sender.extend(extended.extend(packed.view(np.uint8), ots, active), ots, zero)
            return zero, active

        return Material(
            self.server_delta,
            self.client_delta,
            fss.joint_hash_seed(b"test", bytes(16), bytes(range(16))),
            fss.draw_choices(spec, groups),
            fss.draw_bits(spec.server_bits, groups),
            fss.draw_bits(spec.client_bits, groups),
            cots,
        )


def prepare(
    spec: FssSpec, v: np.ndarray, material: Material, *, isa: str = "", call: FssCall | None = None
) -> FssRun:
    """Runs the offline phase."""
    groups = v.size // LANES
    call = call or FssCall(spec, gadget=9, first_group=0, isa=isa)
    packed = fss.request_choices(spec, v, material.client_bits)
    zero_choices, active_choices = material.cots("server", material.choices, spec.choice_ots)
    zero_request, active_request = material.cots("client", packed, spec.request_ots)

    def buffer(size: int) -> np.ndarray:
        return np.zeros(groups * size, np.uint8)

    def bundle(level: int) -> np.ndarray:
        return buffer(spec.bundle_group_bytes(level) if level <= spec.bundle_count else 0)

    run = FssRun(
        spec,
        material,
        corrections=buffer(spec.correction_group_bytes),
        opening=buffer(spec.opening_group_bytes),
        server_state=buffer(spec.server_state_group_bytes),
        client_state=buffer(spec.client_state_group_bytes),
    )
    scratch = {party: buffer(spec.scratch_group_bytes) for party in ("server", "client")}
    states = {"server": run.server_state, "client": run.client_state}
    run.bundles = {(party, 1): bundle(1) for party in states}
    fss.request(
        call,
        fss.RequestArguments(
            material.client_delta,
            material.hash_seed,
            v,
            material.client_bits,
            zero_choices,
            active_request,
            run.corrections,
            run.client_state,
            scratch["client"],
            run.bundles["client", 1],
        ),
    )
    fss.answer(
        call,
        fss.AnswerArguments(
            material.server_delta,
            material.hash_seed,
            material.choices,
            material.server_bits,
            active_choices,
            zero_request,
            run.corrections,
            run.opening,
            run.server_state,
            scratch["server"],
            run.bundles["server", 1],
        ),
    )
    fss.accept_opening(spec, run.opening, run.client_state)
    grow_in_turns(run, call, states, scratch)
    return run


def grow_in_turns(
    run: FssRun, call: FssCall, states: dict[str, np.ndarray], scratch: dict[str, np.ndarray]
) -> None:
    """Sends the bundles as an offline phase does: a party uses the received bytes, and nothing else."""
    spec, material = run.spec, run.material
    deltas = {"server": material.server_delta, "client": material.client_delta}
    received: dict[str, list[np.ndarray]] = {"server": [], "client": []}
    groups = states["server"].size // spec.server_state_group_bytes

    def grow(party: str, level: int) -> None:
        size = spec.bundle_group_bytes(level + 1) if level < spec.bundle_count else 0
        following = np.zeros(groups * size, np.uint8)
        bundle = received[party][level - 1]
        arguments = (party, deltas[party], material.hash_seed, level, bundle)
        fss.grow(call, fss.GrowArguments(*arguments, states[party], scratch[party], following))
        if level < spec.bundle_count:
            run.bundles[party, level + 1] = following

    for sender, levels in bundle_flights(spec):
        for level in levels:
            if level > 1:
                grow(sender, level - 1)
            received["client" if sender == "server" else "server"].append(run.bundles[sender, level])
    if spec.bundle_count:
        for party in received:
            grow(party, spec.bundle_count)


def bundle_flights(spec: FssSpec) -> list[tuple[str, range]]:
    """Lists who sends the bundles of which levels, message by message; the first goes with the request.

    A party can make bundle i + 1 as soon as it has both halves of bundle i.
    """
    sent = {"client": 0, "server": 0}
    flights = []
    sender, other = sent
    while sent[sender] < spec.bundle_count:
        last = min(spec.bundle_count, sent[other] + 1)
        flights.append((sender, range(sent[sender] + 1, last + 1)))
        sent[sender] = last
        sender, other = other, sender
    return flights


def restored(run: FssRun) -> FssRun:
    """The run with copies of its states, as a process has that was restored from a snapshot."""
    return replace(run, server_state=run.server_state.copy(), client_state=run.client_state.copy())


def run_online(
    run: FssRun, u: np.ndarray, next_mask: np.ndarray, *, isa: str = "", call: FssCall | None = None
) -> FssRun:
    """Runs the round."""
    spec, material, groups = run.spec, run.material, u.size // LANES
    call = call or FssCall(spec, gadget=9, first_group=0, isa=isa)
    run.message = np.zeros(groups * spec.online_group_bytes, np.uint8)
    run.kept = np.zeros(groups * spec.kept_group_bytes, np.uint8)
    run.z, run.share = np.zeros((2, u.size), np.uint32)
    run.answer = np.zeros(groups * spec.answer_group_bytes // 4, np.uint32)
    fss.encode(
        call,
        fss.FssEncodeArguments(
            material.server_delta, material.hash_seed, run.server_state, u, run.message, run.kept
        ),
    )
    fss.evaluate(
        call,
        fss.FssEvaluateArguments(
            material.client_delta,
            material.hash_seed,
            run.client_state,
            run.message,
            next_mask,
            run.z,
            run.answer,
        ),
    )
    fss.finish(spec, fss.FinishArguments(run.kept, run.z, run.answer, run.share))
    return run
