"""Options of `pi-bench export` that choose the bits of a network: a fidelity, or bits by hand."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pi_bench.cli.arguments import positive_int
from pi_bench.errors import UsageError
from pi_bench.measurement_options.values import number_of_percent

if TYPE_CHECKING:
    from pi_bench.network.graph import Graph


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options with which an export chooses bits: the goal, or the bits themselves.

    >>> parser = argparse.ArgumentParser()
    >>> add_options(parser)
    >>> parser.parse_args(["--fidelity", "99.5%"]).fidelity
    99.5
    """
    group = parser.add_argument_group("fidelity")
    group.add_argument(
        "--fidelity",
        type=number_of_percent,
        metavar="P%",
        help="find the cheapest bits of each layer with which private answers have the float network's class "
        "on P%% of the inputs, and small errors of the logits; 90%% to 99.99%% (default 99%%)",
    )
    group.add_argument(
        "--weight-bits", type=positive_int, metavar="N", help="bits of all weights, 2 to 16, by hand instead"
    )
    group.add_argument(
        "--activation-bits",
        type=positive_int,
        metavar="N",
        help="bits of the calibrated maximum of all activations, by hand instead",
    )


def of(parsed: argparse.Namespace) -> dict[str, Any]:
    """Returns the options as keyword arguments of `pi_bench.export`.

    >>> of(argparse.Namespace(fidelity=None, weight_bits=12, activation_bits=None))
    {'fidelity': None, 'weight_bits': 12, 'activation_bits': None}
    """
    return {
        "fidelity": parsed.fidelity,
        "weight_bits": parsed.weight_bits,
        "activation_bits": parsed.activation_bits,
    }


def require_fitting(parsed: argparse.Namespace) -> None:
    """Refuses options that contradict each other, and impossible ones, before anything is built.

    Raises:
        UsageError: there are such options.

    >>> require_fitting(argparse.Namespace(fidelity=99.0, weight_bits=12, activation_bits=None))
    Traceback (most recent call last):
    pi_bench.errors.UsageError: --fidelity chooses the bits: give it, or --weight-bits and --activation-bits
    """
    from pi_bench.fidelity import bit_choice

    by_hand = parsed.weight_bits is not None or parsed.activation_bits is not None
    if parsed.fidelity is not None and by_hand:
        raise UsageError("--fidelity chooses the bits: give it, or --weight-bits and --activation-bits")
    bit_choice(
        **{"fidelity_pct" if name == "fidelity" else name: value for name, value in of(parsed).items()}
    )


def are_few(graph: Graph) -> bool:
    """Tells if an export measured its fidelity on too few inputs of the user to show one.

    >>> from pi_bench.fidelity import Fidelity
    >>> from pi_bench.network.graph import Graph
    >>> are_few(Graph((), {}, meta={"fidelity": Fidelity(4, 4, 0.1, 8.0, "calibration inputs").to_fields()}))
    True
    """
    from pi_bench.fidelity import Fidelity
    from pi_bench.fidelity.fidelity import CALIBRATION, MIN_SAMPLES

    fidelity = Fidelity.from_fields(graph.meta["fidelity"])
    return fidelity.source == CALIBRATION and fidelity.sample_count < MIN_SAMPLES


@contextmanager
def printed_warnings() -> Iterator[None]:
    """Prints warnings of a missed fidelity as one line each, to standard error.

    >>> with printed_warnings():
    ...     pass
    """
    from pi_bench.fidelity.fidelity_warning import FidelityWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", FidelityWarning)
        yield
    for warning in caught:
        if issubclass(warning.category, FidelityWarning):
            print(f"warning: {warning.message}", file=sys.stderr)
        else:
            warnings.warn_explicit(
                message=warning.message,
                category=warning.category,
                filename=warning.filename,
                lineno=warning.lineno,
            )
