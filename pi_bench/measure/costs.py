"""The costs of primitives, measured by the cases of `pi_bench.measure.micro` in this process, in seconds.

Each case is timed several times and its fastest time taken, so that another program that runs now and then
does not enter (so cases are short, too); the units of work are fitted to all cases of a family
(`pi_bench.prediction.fit`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from pi_bench.costs.work import (
    CostUnits,
    decrypt_work,
    encrypt_work,
    evaluate_work,
    gadget_work,
    ot_work,
    random_work,
    respond_work,
    ring_work,
    words_work,
)
from pi_bench.crypto.he import LinearPlan, LinearShape
from pi_bench.crypto.randomness import random_words
from pi_bench.measure.micro import channel, cot, gadgets, he, linear
from pi_bench.measure.micro.case import Case, Settings, filled
from pi_bench.measure.micro.timing import sample
from pi_bench.prediction.fit import fit_units
from pi_bench.progress import Progress

_COUNT = 1 << 14  # elements of a gadget
_STREAMED_COUNT = 1 << 16  # whose tables exceed the caches
_CACHED_COUNT = 1 << 10
_REPETITIONS = 9
_WORDS = 1 << 22  # three arrays of them exceed the caches
_WEIGHT_BITS = 10

Timed = list[tuple[CostUnits, float]]


def _convolution(inputs: int, outputs: int, size: int, side: int) -> LinearShape:
    """Stride 1, padded to the same size."""
    pad = side // 2
    shapes = (1, inputs, size, size), (1, outputs, size, size)
    return LinearShape("w", *shapes, (side, side), (1, 1), (pad, pad, pad, pad))


_PRODUCTS = {
    "conv3x3 8, 16x16": _convolution(8, 8, 16, 3),
    "conv3x3 8, 32x32": _convolution(8, 8, 32, 3),
    "conv3x3 3 to 32, 32x32": _convolution(3, 32, 32, 3),
    "conv3x3 256 to 16, 4x4": _convolution(256, 16, 4, 3),
    "conv3x3 64, 8x8": _convolution(64, 64, 8, 3),
    "conv3x3 64, 16x16": _convolution(64, 64, 16, 3),
    "conv1x1 64, 8x8": _convolution(64, 64, 8, 1),
    "conv1x1 256 to 64, 8x8": _convolution(256, 64, 8, 1),
    "conv1x1 128 to 32, 16x16": _convolution(128, 32, 16, 1),
    "fully connected 512, 512": LinearShape("w", (1, 512), (1, 512)),
}
"""From few products a polynomial to many, of runs too, so that each unit shows."""

_LAYERS: dict[str, tuple[tuple[int, ...], tuple[int, ...], int, int]] = {
    "conv3x3 3 to 64, 32x32": ((1, 3, 32, 32), (1, 64, 32, 32), 3, 1),
    "conv3x3 16, 32x32": ((1, 16, 32, 32), (1, 16, 32, 32), 3, 1),
    "conv3x3 64, 32x32": ((1, 64, 32, 32), (1, 64, 32, 32), 3, 1),
    "conv3x3 128, 16x16": ((1, 128, 16, 16), (1, 128, 16, 16), 3, 1),
    "conv3x3 256, 8x8": ((1, 256, 8, 8), (1, 256, 8, 8), 3, 1),
    "conv3x3 512, 4x4": ((1, 512, 4, 4), (1, 512, 4, 4), 3, 1),
    "conv3x3 256 to 512, 4x4 to 2x2": ((1, 256, 4, 4), (1, 512, 2, 2), 3, 1),
    "conv1x1 64 to 128, 16x16": ((1, 64, 16, 16), (1, 128, 16, 16), 1, 1),
    "depthwise 3x3 128, 16x16": ((1, 128, 16, 16), (1, 128, 16, 16), 3, 128),
    "fully connected 512, 512": ((1, 512, 1, 1), (1, 512, 1, 1), 1, 1),
}


def primitive_costs(threads: int, progress: Progress = lambda what, done, total: None) -> dict[str, float]:
    """Seconds of every unit that one process can measure, and of a wake-up over loopback."""
    settings = Settings(_COUNT, (threads,), _REPETITIONS)
    families: tuple[tuple[str, Callable[[Settings], dict[str, float]]], ...] = (
        ("gadgets", _gadgets),
        ("oblivious transfer", _transfers),
        ("encryption", _products),
        ("linear layers", _layers),
        ("memory", _words),
        ("loopback", _loopback),
    )
    found: dict[str, float] = {}
    for done, (what, measure) in enumerate(families):
        progress(f"measuring {what}", done, len(families))
        found |= measure(settings)
    return found


def _gadgets(settings: Settings) -> dict[str, float]:
    """Evaluation twice, with tables in the cache and from memory: what a table's byte costs there."""
    timed: Timed = []
    for name, spec in gadgets.SPECS.items():
        for case in gadgets.gadget_cases(name, ("garble", "accept", "encode"), settings):
            step = case.name.split(" ", 1)[0]
            timed.append((gadget_work(step, spec, case.unit_count), _best_s(case)))
        for count, work in (
            (_CACHED_COUNT, partial(gadget_work, "evaluate")),
            (_STREAMED_COUNT, evaluate_work),
        ):
            for case in gadgets.gadget_cases(name, ("evaluate",), replace(settings, count=count)):
                timed.append((work(spec, case.unit_count), _best_s(case)))
    return fit_units(timed)


def _transfers(settings: Settings) -> dict[str, float]:
    steps = {
        "extend, receiver": "extend receiver",
        "extend, sender": "extend sender",
        "additive, receiver": "add receiver",
        "additive, sender": "add sender",
    }
    return fit_units(
        [(ot_work(steps[case.name], case.unit_count), _best_s(case)) for case in cot.cases(settings)]
    )


def _products(settings: Settings) -> dict[str, float]:
    timed: Timed = []
    for name, shape in _PRODUCTS.items():
        plan = LinearPlan.of(shape, _WEIGHT_BITS)
        works = {
            "encrypt": encrypt_work(plan),
            "decrypt": decrypt_work(plan),
            "respond": respond_work(plan, prepared=False),
            "respond, prepared": respond_work(plan, prepared=True),
        }
        for case in he.layer_cases(name, shape, settings):
            step = case.name.removesuffix(f" {name}")
            if step in works:
                timed.append((works[step], _best_s(case)))
    return fit_units(timed)


def _layers(settings: Settings) -> dict[str, float]:
    timed: Timed = []
    for name, (in_shape, out_shape, side, groups) in _LAYERS.items():
        work = ring_work(in_shape, out_shape, (side, side), groups)
        timed += [
            (work, _best_s(case))
            for case in linear.layer_cases(name, in_shape, out_shape, side, settings, groups)
        ]
    return fit_units(timed)


def _words(settings: Settings) -> dict[str, float]:
    """Adding two arrays into a third, and the generator."""
    left, right, out = filled(12 * _WORDS).view(np.uint32).reshape(3, _WORDS)
    timed = [
        (words_work(_WORDS), _best_of(lambda: np.add(left, right, out=out))),
        (random_work(_WORDS), _best_of(lambda: random_words((_WORDS,)))),
    ]
    return fit_units(timed)


def _loopback(settings: Settings) -> dict[str, float]:
    """Half of a round trip whose receivers sleep."""
    for case in channel.cases(settings):
        if case.unit == "round trip":
            return {"wake": _best_s(case) / case.unit_count / 2}
    raise AssertionError("the channel's cases have no round trip")


def _best_s(case: Case) -> float:
    return _best_of(case.call)


def _best_of(call: Callable[[], object]) -> float:
    return min(sample(call, _REPETITIONS))
