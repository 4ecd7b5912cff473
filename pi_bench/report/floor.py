"""The floor of an inference and the machine's limits, as parts of a result and as text."""

from __future__ import annotations

from typing import Any

from pi_bench.network.program import Program
from pi_bench.prediction import floor as computed
from pi_bench.prediction.limits import Limits
from pi_bench.protocol import Party
from pi_bench.report.documents.floor import Floor, FloorTime, LayerFloor, MeasuredLimits, PhaseFloor
from pi_bench.report.quantities import seconds, times_text

_NOTHING = computed.FloorTimes()
_WORDS = {
    "client": "the client's work needs",
    "server": "the server's work needs",
    "link": "the messages need",
}


def limits_part(limits: Limits) -> MeasuredLimits:
    """Describes the limits of the machine.

    >>> from pi_bench.costs import LIMIT_NAMES
    >>> limits_part(Limits(dict.fromkeys(LIMIT_NAMES, 1e-9), threads=2)).threads
    2
    """
    return MeasuredLimits(
        time=limits.time,
        threads=limits.threads,
        cache_bytes=limits.cache_bytes,
        unit_s=dict(limits.unit_s),
    )


def floor_part(floor: computed.Floor, program: Program, *, offline_s: float, online_s: float) -> Floor:
    """Compares the floors of both phases with their measured medians, and lists those of the operators.

    >>> from pi_bench.testing import small_network
    >>> program, _ = small_network()
    >>> phase = computed.PhaseFloor(computed.FloorTimes(client_s=0.5), {})
    >>> floor_part(computed.Floor(phase, phase), program, offline_s=1.0, online_s=2.0).online.times_floor
    4.0
    """
    return Floor(
        offline=_phase(floor.offline, offline_s),
        online=_phase(floor.online, online_s),
        layers=[
            LayerFloor(
                id=op.id,
                name=op.name,
                offline=_times(floor.offline.operators.get(op.id, _NOTHING)),
                online=_times(floor.online.operators.get(op.id, _NOTHING)),
            )
            for op in program.ops
        ],
    )


def layer_floors_s(floor: Floor | None) -> dict[int, float]:
    """Returns the online floor of each operator by its id, in seconds; none without a floor.

    >>> layer_floors_s(None)
    {}
    """
    return {} if floor is None else {layer.id: layer.online.time_s for layer in floor.layers}


def floor_rows(floor: Floor | None) -> list[tuple[str, str]]:
    """States how far both phases are above their floors, and which work binds; no row without a floor.

    >>> def phase(time_s: float, times_floor: float) -> PhaseFloor:
    ...     return PhaseFloor(
    ...         time_s=time_s, bound_by="client", client_s=time_s, server_s=0.0, link_s=0.0,
    ...         times_floor=times_floor, client_work={}, server_work={},
    ...     )
    >>> floor_rows(Floor(online=phase(0.01, 1.8), offline=phase(0.5, 2.5), layers=[]))
    [('floor', "online 1.8 times the 10.0 ms that the client's work needs at least on this machine"),
    ('', "offline 2.5 times the 500 ms that the client's work needs at least")]
    """
    if floor is None:
        return []
    words = [
        f"{name} {times_text(phase.times_floor)} times the {seconds(phase.time_s)} that "
        f"{_WORDS[phase.bound_by]} at least"
        for name, phase in (("online", floor.online), ("offline", floor.offline))
        if phase.times_floor is not None
    ]
    if words:
        words[0] += " on this machine"
    return [("" if number else "floor", each) for number, each in enumerate(words)]


def _phase(floor: computed.PhaseFloor, measured_s: float) -> PhaseFloor:
    whole = floor.whole
    work = {party: dict(whole.work.get(party, {})) for party in Party}
    return PhaseFloor(
        **_fields(whole),
        times_floor=measured_s / whole.time_s if whole.time_s and measured_s else None,
        client_work=work[Party.CLIENT],
        server_work=work[Party.SERVER],
    )


def _times(floor: computed.FloorTimes) -> FloorTime:
    return FloorTime(**_fields(floor))


def _fields(floor: computed.FloorTimes) -> dict[str, Any]:
    return {
        "time_s": floor.time_s,
        "bound_by": floor.bound_by,
        "client_s": floor.client_s,
        "server_s": floor.server_s,
        "link_s": floor.link_s,
    }
