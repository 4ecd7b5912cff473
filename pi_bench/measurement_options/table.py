"""The table of all options of a measurement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from pi_bench import defaults
from pi_bench.measurement_options import values
from pi_bench.measurement_options.fixed_point import FixedPointOptions
from pi_bench.measurement_options.option import declarations, option
from pi_bench.measurement_options.stopping import StoppingOptions

if TYPE_CHECKING:
    import numpy as np

    from pi_bench.channel.link import Link
    from pi_bench.fidelity import FidelityGoal
    from pi_bench.network.compiler import CompileOptions
    from pi_bench.network.graph import Graph

_LATENCY = {"latency": ""}


@dataclass(frozen=True, kw_only=True)
class MeasurementOptions(StoppingOptions, FixedPointOptions):
    """The options of one measurement, whatever command or function starts it.

    This table is the only declaration of an option: of its type, its default, its flag, its help, its key in
    JSON, and the commands that take it. `pi_bench.measure` repeats the parameter where `in_python` is set.

    >>> MeasurementOptions(runs=3).stopping.runs
    3
    """

    fidelity: float | None = option(
        None,
        "--fidelity",
        group="fidelity",
        commands=_LATENCY,
        needs_model=True,
        type=values.number_of_percent,
        metavar="P%",
        help="compare the fidelity in the model file with this one, 90%% to 99.99%%, and warn if it is "
        "lower; the bits stay those of the export (default: the fidelity that the export was asked for, or "
        "99%%)",
    )
    link: Link | None = option(
        None,
        "--link",
        group="measuring",
        commands=dict.fromkeys(("latency", "inspect"), "default: loopback as it is"),
        in_python=True,
        refusal="--link emulates a link on one machine; --connect measures over the real one",
        type=values.link,
        metavar="LINK",
        help="link between the parties: lan, 10g, wan, mobile, loopback, or a bandwidth and a round trip "
        "such as 100Mbit,40ms; each direction has the whole bandwidth, unless up= and down= give two "
        "bandwidths ({default})",
    )
    batch: int | None = option(
        None,
        "--batch",
        group="measuring",
        commands={
            **dict.fromkeys(("latency", "compare"), "default: as many as the input file holds, or 1"),
            "inspect": "default 1",
            "serve": "default 1; the input of every client must hold as many",
        },
        needs_model=True,
        in_python=True,
        type=values.positive_int,
        metavar="N",
        help="inputs that one inference runs together ({default})",
    )
    ahead: int = option(
        1,
        "--ahead",
        group="measuring",
        commands=dict.fromkeys(("latency", "inspect", "serve"), ""),
        refusal="--ahead is the server's; give it to `pi-bench serve`",
        type=values.positive_int,
        metavar="N",
        help=f"inferences that one offline phase prepares, 1 to {defaults.MAX_AHEAD}; each has material of "
        "its own and runs alone, but their masks share ciphertexts, which takes fewer bytes and less time "
        "per inference; the server's choice (default 1)",
    )
    threads: int | None = option(
        None,
        "--threads",
        group="measuring",
        commands={
            **dict.fromkeys(("latency", "inspect", "accuracy"), "default: half of the cores"),
            **dict.fromkeys(("serve", "infer"), "default: all cores"),
        },
        in_python=True,
        type=values.thread_count,
        metavar="N",
        help="computing threads per party ({default})",
    )
    weight_cache_mb: int | None = option(
        None,
        "--weight-cache",
        group="measuring",
        commands=dict.fromkeys(("latency", "compare", "inspect", "serve"), ""),
        refusal="--weight-cache is the server's; give it to `pi-bench serve`",
        type=values.count,
        metavar="MB",
        help="memory that the server may use for weights in the form that the offline phase needs, at most a "
        "quarter of the memory that is available when it starts; weights that do not fit are transformed "
        "again for every inference (default: as much as all weights need, within that quarter)",
    )
    timeout_s: float = option(
        defaults.TIMEOUT_S,
        "--timeout",
        group="measuring",
        commands=dict.fromkeys(("latency", "compare", "serve", "accuracy", "infer"), ""),
        in_python=True,
        type=values.positive_seconds,
        metavar="S",
        help="seconds without progress after which the command fails; there is no progress while the other "
        "party sends nothing (a server may be busy with another client), or while a process of this command "
        f"neither sends nor computes (default {defaults.TIMEOUT_S:g} s)",
    )
    trace: str | None = option(
        None,
        "--trace",
        group="measuring",
        commands=_LATENCY,
        repeated=False,
        metavar="FILE",
        help="run once more after the timed runs, and write to this file when each party computed, sent and "
        "waited in that inference, by layer and part, on one clock; https://ui.perfetto.dev and "
        "chrome://tracing open it; the inference counts for no figure of the result",
    )
    seed: int = option(
        0,
        "--seed",
        group="input",
        commands=dict.fromkeys(("latency", "compare"), ""),
        in_python=True,
        type=values.count,
        metavar="N",
        help="seed of the noise (default 0)",
    )
    expect_digest: str | None = option(
        None,
        "--expect-digest",
        group="requirements",
        commands=dict.fromkeys(("latency", "infer"), ""),
        repeated=False,
        type=values.digest_prefix,
        metavar="HEX",
        help="fail unless the public program has this digest, which `pi-bench inspect` prints; 16 digits or "
        "more are enough",
    )
    max_ahead: int | None = option(
        None,
        "--max-ahead",
        group="requirements",
        commands={
            "latency": "a server elsewhere, with --connect",
            "infer": "the server; this command uses one of them",
        },
        repeated=False,
        connected_only=True,
        type=values.positive_int,
        metavar="N",
        help="most inferences per offline phase, all of which this machine computes and keeps, that are "
        "accepted from {default}",
    )
    explain: bool = option(
        False,
        "--explain",
        group="prediction",
        commands=dict.fromkeys(("latency", "inspect"), ""),
        refusal="--explain, --costs and --measure-costs predict for one machine, and --connect measures two; "
        "leave them out",
        action="store_true",
        help="name the three largest costs of each phase, and the changes that would reduce them",
    )
    logits_tolerance: float = option(
        0.0,
        "--logits-tolerance",
        group="two machines",
        commands=_LATENCY,
        repeated=False,
        connected_only=True,
        type=values.not_negative,
        metavar="X",
        help="largest difference of a logit from --expect-logits (default 0: none; a mode other than exact "
        "rounds at random and needs one)",
    )
    insecure_verify: bool = option(
        False,
        "--insecure-verify",
        group="two machines",
        commands=_LATENCY,
        repeated=False,  # an insecure flag is never repeated unasked
        connected_only=True,
        action="store_true",
        help="INSECURE: verify with the server's shares, which reveal its weights to this client; the server "
        "needs the same option",
    )

    @classmethod
    def from_arguments(cls, arguments: Mapping[str, Any]) -> Self:
        """Makes the options from values by their keys. Options without a value have their defaults.

        >>> MeasurementOptions.from_arguments({"timeout": 30.0, "model": "model.pt"}).timeout_s
        30.0
        """
        known = declarations(cls)
        return cls(**{name: arguments[each.key] for name, each in known.items() if each.key in arguments})

    @property
    def goal(self) -> FidelityGoal | None:
        """The fidelity that the network should have, or None for that of its export."""
        from pi_bench.fidelity import FidelityGoal

        return None if self.fidelity is None else FidelityGoal(self.fidelity)

    def compiling(self, inputs: np.ndarray | None = None) -> Callable[[Graph], CompileOptions]:
        """Returns the function that chooses the options of the compiler for a network.

        Args:
            inputs: to measure with. They give the batch if the option is left open.
        """
        from pi_bench.launch.inputs import batch_of

        return lambda graph: self.compile_options(graph, self.batch or batch_of(inputs, graph) or 1)
