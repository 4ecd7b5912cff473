"""Words the circumstances that make figures doubtful. Each sentence says what to do about one."""

from __future__ import annotations

from collections.abc import Sequence

from pi_bench.costs import LIMIT_KINDS
from pi_bench.metrics.machine_use import MachineUse
from pi_bench.prediction.limits import Limits
from pi_bench.report.documents.cautions import Caution, Phase
from pi_bench.report.documents.fields import Directions
from pi_bench.report.documents.latency import ProbedLink, Result
from pi_bench.report.quantities import MIN_QUARTILE_RUNS, counted, percent, rate, seconds

_OTHER_FRACTION = 0.1
_STEAL_FRACTION = 0.02
_SWAPPED_PAGES = 100
_FREQUENCY_FRACTION = 0.6
_QUOTA_WAIT_S = 0.01
_LINK_FRACTION = 0.8
_ROUND_TRIP_FACTOR = 1.25
_PHASE_FRACTION = 0.01
"""A phase is doubtful if missing bandwidth takes more than this part of its time."""
LINK_CODES = ("slow-link", "long-round-trip")
"""The codes of the cautions that follow from a result alone."""


def machine_cautions(use: MachineUse, limits: Limits | None = None) -> list[Caution]:
    """Words the state of the machine during a measurement, and limits far off the usual ones.

    >>> [caution.code for caution in machine_cautions(MachineUse(other_fraction=0.3, steal_fraction=0.05))]
    ['load', 'steal']
    >>> machine_cautions(MachineUse(other_fraction=0.01))
    []
    """
    found = []
    other, stolen = use.other_fraction or 0.0, use.steal_fraction or 0.0
    if other > _OTHER_FRACTION:
        found.append(
            Caution(
                code="load",
                text=f"other programs took {percent(other)} of the time of the cores that this "
                "measurement may use: close them, or measure when the machine is quiet.",
            )
        )
    if stolen > _STEAL_FRACTION:
        found.append(
            Caution(
                code="steal",
                text=f"the hypervisor took {percent(stolen)} of the processor time away (steal time): "
                "measure at another hour, or on a machine that shares no cores with others.",
            )
        )
    found += _slow_processor(use)
    if use.swapped_pages > _SWAPPED_PAGES:
        found.append(
            Caution(
                code="swap",
                text=f"the system moved {counted(use.swapped_pages, 'page')} between memory and swap: close "
                "programs that need memory, or use a machine with more of it.",
            )
        )
    if use.quota_wait_s > _QUOTA_WAIT_S:
        found.append(
            Caution(
                code="quota",
                text=f"the control group of this process, which grants {use.quota_cores or 0:.3g} cores, "
                f"stopped it for {use.quota_wait_s:.2f} s: raise the container's limit of processor time, or "
                "use fewer --threads.",
            )
        )
    return found + _unusual_limits(limits)


def result_cautions(result: Result, use: MachineUse, limits: Limits | None) -> tuple[Caution, ...]:
    """Words everything that makes the figures of `pi-bench latency` doubtful, that of the machine first.

    ```python
    def codes(result: Result) -> list[str]:
        return [caution.code for caution in result_cautions(result, MachineUse(), None)]
    ```
    """
    found = machine_cautions(use, limits)
    if result.runs < MIN_QUARTILE_RUNS:
        found.append(
            Caution(
                code="few-runs",
                text="so few runs show no spread; use --runs 5 or more for figures that you publish.",
            )
        )
    environment, one_machine = result.environment, result.server_environment is None
    if one_machine and not environment.pinned:
        found.append(
            Caution(
                code="shared-cores",
                text=f"both parties share {counted(environment.usable_core_count, 'core')} with "
                f"{counted(environment.threads, 'thread')} each: their times include each other's. "
                "Use fewer --threads or a larger machine.",
            )
        )
    if one_machine and use.quota_cores is not None and use.quota_cores < 2 * environment.threads:
        found.append(
            Caution(
                code="shared-cores",
                text=f"a control group grants both parties {use.quota_cores:.3g} cores together, and they "
                f"compute with {counted(environment.threads, 'thread')} each: their times include each "
                "other's. Raise the container's limit of processor time, or use fewer --threads.",
            )
        )
    found += link_cautions(result)
    beaten = [
        phase
        for phase, times_floor in _times_floors(result).items()
        if times_floor is not None and times_floor < 1
    ]
    if beaten:
        found.append(
            Caution(
                code="busy-limits",
                text="a phase took less than its floor: the machine was busy when its limits were measured. "
                "Measure again in some minutes, when the machine is quiet.",
                phases=tuple(beaten),
            )
        )
    return tuple(found)


def link_cautions(result: Result) -> list[Caution]:
    """Words how an emulated link differed from the one that was asked for, by its probe.

    The bandwidth may be a fifth lower, although bytes were waiting, and the round trip a quarter longer. Less
    bandwidth concerns the phases of which it takes more than a hundredth. A longer round trip concerns all.

    ```python
    def is_kept(result: Result) -> bool:
        return not link_cautions(result)
    ```
    """
    link = result.link
    if not isinstance(link, ProbedLink):  # a real link carries what it carries
        return []
    found = []
    for where, asked, measured, field in (
        ("to the server", link.up_bits_per_s, link.measured.up_bits_per_s, "client_to_server"),
        ("to the client", link.down_bits_per_s, link.measured.down_bits_per_s, "server_to_client"),
    ):
        if measured >= _LINK_FRACTION * asked:
            continue
        longer_s = 8 / measured - 8 / asked  # per byte
        phases = tuple(
            phase
            for phase, (sent, time_s) in _phases(result).items()
            if getattr(sent, field) * longer_s > _PHASE_FRACTION * time_s
        )
        if phases:
            found.append(
                Caution(
                    code="slow-link",
                    text=f"the link carried {rate(measured)} {where}, not {rate(asked)}: this machine cannot "
                    "feed it. Choose a slower --link or a faster machine, or close other programs.",
                    phases=phases,
                )
            )
    if link.measured.rtt_s > _ROUND_TRIP_FACTOR * link.rtt_s:
        rounds = result.online.comm_round_count
        longer_s = rounds * (link.measured.rtt_s - link.rtt_s)
        found.append(
            Caution(
                code="long-round-trip",
                text=f"the link's round trip took {seconds(link.measured.rtt_s)}, not {seconds(link.rtt_s)}, "
                f"which adds about {seconds(longer_s)} to the {counted(rounds, 'round')} online: "
                "this machine wakes a waiting party too late. Choose a --link with a longer round trip, or "
                "close other programs.",
            )
        )
    return found


def _times_floors(result: Result) -> dict[Phase, float | None]:
    if result.floor is None:
        return {}
    return {"offline": result.floor.offline.times_floor, "online": result.floor.online.times_floor}


def _phases(result: Result) -> dict[Phase, tuple[Directions, float]]:
    """Returns the bytes on the wire and the time of each phase."""
    return {
        "set-up": (result.setup.wire_bytes, result.setup.time_s),
        "offline": (result.offline.wire_bytes, result.offline.time_s),
        "online": (result.online.wire_bytes, result.online.latency_s.median),
    }


def caution_lines(cautions: Sequence[Caution]) -> list[str]:
    """Writes each caution as a line, with the phases that it concerns unless it concerns all figures.

    >>> caution_lines([Caution(code="swap", text="the system swapped: close programs.")])
    ['caution: the system swapped: close programs.']
    >>> caution_lines([Caution(code="slow-link", text="the link was slow.", phases=("offline", "online"))])
    ['caution (offline, online): the link was slow.']
    """
    return [f"caution{_phase_words(caution)}: {caution.text}" for caution in cautions]


def _phase_words(caution: Caution) -> str:
    return f" ({', '.join(caution.phases)})" if caution.phases else ""


def _slow_processor(use: MachineUse) -> list[Caution]:
    remedy = "improve its cooling, or choose the governor for performance, and measure again."
    if use.heat_events > 0:
        text = f"the processor slowed down {counted(use.heat_events, 'time')} because of heat: {remedy}"
        return [Caution(code="throttled", text=text)]
    if use.frequency_fraction is not None and use.frequency_fraction < _FREQUENCY_FRACTION:
        text = f"the processor ran at {percent(use.frequency_fraction)} of its highest frequency: {remedy}"
        return [Caution(code="throttled", text=text)]
    return []


def _unusual_limits(limits: Limits | None) -> list[Caution]:
    slow = {} if limits is None else limits.far_below_usual()
    if not slow:
        return []
    words = ", ".join(f"{LIMIT_KINDS[name].words} at {percent(fraction)}" for name, fraction in slow.items())
    return [
        Caution(
            code="slow-machine",
            text=f"this machine is slower than it was before ({words} of the usual rate): close other "
            "programs or measure later, and compare with earlier runs relative to the floor.",
        )
    ]
