"""Measures the costs of this machine in about half a minute and keeps them in the cache of the user.

Primitives are timed in this process (`pi_bench.metrics.primitive_costs`). Other costs show only between two
parties (`pi_bench.launch.two_party_costs`).
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import logging
from collections.abc import Mapping
from pathlib import Path

import pi_bench
from pi_bench.costs import LINK_UNITS, Costs
from pi_bench.errors import InputError, UsageError
from pi_bench.launch.two_party_costs import add_two_party_costs, chain_script, fixed_steps
from pi_bench.metrics.environment import describe_machine
from pi_bench.metrics.primitive_costs import COST_STEP, primitive_costs
from pi_bench.prediction.costs_file import cached_path, read_costs, write_costs
from pi_bench.primitives import Primitive
from pi_bench.primitives.built_in import BUILT_IN
from pi_bench.primitives.primitive import units_of
from pi_bench.progress import Progress
from pi_bench.protocol import ProtocolInfo

_log = logging.getLogger(__name__)


def machine_costs(info: ProtocolInfo, threads: int, progress: Progress, *, again: bool = False) -> Costs:
    """Returns the costs of this machine and build, from the cache of the user if they are in there.

    Args:
        again: measures them in any case.

    Raises:
        PiBenchError: the two parties cannot run on this machine.

    ```python
    from pi_bench.costs import Costs
    from pi_bench.launch.cached_costs import machine_costs
    from pi_bench.progress import silent
    from pi_bench.protocol import ProtocolInfo

    def measured_costs(info: ProtocolInfo) -> Costs:  # takes about half a minute
        return machine_costs(info, 1, silent)
    ```
    """
    machine = describe_build(info)
    path = cached_path(machine, threads)
    if path is not None and not again:
        with contextlib.suppress(InputError):  # not there, damaged, or measured for an older protocol
            costs = read_costs(path)
            costs.require(needed_units(info, threads))
            _log.info("the costs of this machine are in the cache: %s", path)
            return costs
    _log.info("the costs of this machine are measured: %s holds none", path or "no cache")
    costs = measure_costs(info, threads, machine, progress)
    if path is not None:
        with contextlib.suppress(OSError):  # without a cache they are measured every time
            write_costs(costs, path)
    return costs


def describe_build(info: ProtocolInfo) -> dict[str, str]:
    """Describes the build that costs are for: processor, instruction set, protocol, versions and native code.

    >>> from pi_bench.registry import find_protocol, protocol_names
    >>> name = protocol_names()[0]
    >>> describe_build(find_protocol(name))["protocol"] == name
    True
    """
    spec = importlib.util.find_spec("pi_bench._native")
    native = Path(spec.origin).read_bytes() if spec is not None and spec.origin is not None else b""
    return {
        **describe_machine(),
        "pi-bench": pi_bench.__version__,
        "native": hashlib.sha256(native).hexdigest()[:16],
        "protocol": info.name,
    }


def needed_units(info: ProtocolInfo, threads: int) -> tuple[str, ...]:
    """Lists every unit that a prediction of the protocol may need.

    These are the units of the primitives of this package, those of the protocol's own primitives, and those
    of the fixed steps that its script names.

    Raises:
        UsageError: two primitives declare the same unit, or the script counts a unit that nothing declares.

    >>> from pi_bench.registry import find_protocol, protocol_names
    >>> "evaluate gate" in needed_units(find_protocol(protocol_names()[0]), threads=1)
    True
    """
    names = units_of(_primitives(info))
    if info.script is None:
        return names
    script = chain_script(info, threads)
    names = tuple(dict.fromkeys((*names, *(step.unit for _, step in fixed_steps(script)))))
    actions = (
        action
        for phase in (script.offline, script.online)
        for role in phase.roles.values()
        for action in role.actions
    )
    undeclared = [unit for action in actions for unit in action.work.units if unit not in names]
    if undeclared:
        raise UsageError(
            f"the script of protocol {info.name} counts the cost unit {undeclared[0]!r}, which no primitive "
            "and no fixed step declares; declare it in ProtocolInfo.primitives"
        )
    return names


def measure_costs(info: ProtocolInfo, threads: int, machine: Mapping[str, str], progress: Progress) -> Costs:
    """Measures the costs of this machine, which takes about half a minute.

    Raises:
        PiBenchError: the two parties cannot run on this machine, or a primitive has a unit that none of its
            cases shows.

    ```python
    from pi_bench.costs import Costs
    from pi_bench.launch.cached_costs import describe_build, measure_costs
    from pi_bench.progress import silent
    from pi_bench.protocol import ProtocolInfo

    def measured_costs(info: ProtocolInfo) -> Costs:  # takes about half a minute
        return measure_costs(info, 1, describe_build(info), silent)
    ```
    """
    primitives = _primitives(info)
    needed_units(info, threads)  # refuses a wrong declaration before anything is measured
    known = dict.fromkeys(LINK_UNITS, 0.0) | primitive_costs(primitives, threads, progress)
    for primitive in primitives:
        missing = [unit for unit in primitive.units if unit not in known]
        if missing:
            raise UsageError(
                f"the primitive {primitive.name!r} of protocol {info.name} declares the cost unit "
                f"{missing[0]!r}, and none of its timed cases has this unit; add a case or drop the unit"
            )
    progress(f"{COST_STEP}messages", 1, 1)
    return add_two_party_costs(info, Costs(known, threads, machine))


def _primitives(info: ProtocolInfo) -> tuple[Primitive, ...]:
    return (*BUILT_IN, *(own for own in info.primitives if own not in BUILT_IN))
