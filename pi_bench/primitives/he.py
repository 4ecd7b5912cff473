"""The homomorphic encryption of linear operators, step by step.

In the minimal work a butterfly is three multiply-adds of 52-bit integers, and a product of residues is two.
It counts every transform of (N / 2) log2 N butterflies that the method cannot avoid, and each byte of a
ciphertext once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from pi_bench.costs import CostUnits
from pi_bench.crypto.he import (
    HE_PLANS,
    HeClient,
    HeServer,
    LinearPlan,
    LinearShape,
    OutputPolynomials,
    TransformedWeights,
    transform_weights,
)
from pi_bench.crypto.he.geometry import Geometry
from pi_bench.crypto.he.layout import Layout
from pi_bench.crypto.he.parameters import DEGREE, PRIMES
from pi_bench.primitives.buffers import filled
from pi_bench.primitives.primitive import Case, CaseSettings, MinimalWork, Primitive, TimedCase

_WEIGHT_BITS = 10
_TRANSFORM = DEGREE // 2 * (DEGREE.bit_length() - 1) * 3
_UNIFORM_BLOCKS = len(PRIMES) * DEGREE * 50 / 128
"""AES blocks that expand the uniform half of a ciphertext."""

UNITS = (
    *("encrypt polynomial", "decrypt polynomial", "decrypt coefficient"),
    *("load polynomial", "answer polynomial", "answer coefficient", "join polynomial", "copy polynomial"),
    *("product", "product of runs", "transform", "transform of runs"),
)
"""A polynomial at each step, a released coefficient, and a product or a transform of one polynomial. "Of
runs" marks kernels of one tap. A join is one key switch. A copy is one of an input polynomial."""

_LAYERS = {
    "conv3x3 64, 32x32": LinearShape("w", (1, 64, 32, 32), (1, 64, 32, 32), (3, 3), (1, 1), (1, 1, 1, 1)),
    "conv3x3 512, 4x4": LinearShape("w", (1, 512, 4, 4), (1, 512, 4, 4), (3, 3), (1, 1), (1, 1, 1, 1)),
}


def _convolution(inputs: int, outputs: int, size: int, side: int) -> LinearShape:
    """Describes a convolution of stride 1 that is padded to the same size."""
    pad = side // 2
    shapes = (1, inputs, size, size), (1, outputs, size, size)
    return LinearShape("w", *shapes, (side, side), (1, 1), (pad, pad, pad, pad))


_TIMED_LAYERS = {
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
"""Layers of few and of many products per polynomial."""


def _timed_plans() -> Iterator[tuple[str, LinearPlan]]:
    """Yields plans with separate answers, some of them with products of runs, and plans with joined ones."""
    for name, shape in _TIMED_LAYERS.items():
        geometry = Geometry.of(shape)
        separate = [
            layout for layout in Layout.candidates(geometry) if layout.per_answer == layout.copies == 1
        ]
        layout = min(separate, key=lambda layout: layout.wire_bytes(geometry))
        yield name, LinearPlan.with_layout(shape, _WEIGHT_BITS, layout)
    for name in ("conv3x3 64, 8x8", "conv1x1 256 to 64, 8x8"):
        yield f"{name}, few bytes", LinearPlan.of(_TIMED_LAYERS[name], _WEIGHT_BITS, "bytes")


def encrypt_work(plan: LinearPlan) -> CostUnits:
    """Counts the client's encryption of an operator's input.

    >>> encrypt_work(LinearPlan.of(LinearShape("w", (1, 512), (1, 10)), 10)).units
    {'encrypt polynomial': 1.0}
    """
    return CostUnits({"encrypt polynomial": float(plan.tile_count * plan.in_poly_count)})


def decrypt_work(plan: LinearPlan) -> CostUnits:
    """Counts the client's decryption of an operator's output.

    >>> decrypt_work(LinearPlan.of(LinearShape("w", (1, 512), (1, 10)), 10)).units["decrypt coefficient"]
    10.0
    """
    return CostUnits(
        {
            "decrypt polynomial": float(plan.answer_count),
            "decrypt coefficient": float(plan.released_count),
        }
    )


def respond_work(plan: LinearPlan, *, prepared: bool) -> CostUnits:
    """Counts the server's products.

    Args:
        prepared: the weights were transformed before.

    >>> plan = LinearPlan.of(LinearShape("w", (1, 512), (1, 10)), 10)
    >>> sorted(set(respond_work(plan, prepared=False).units) - set(respond_work(plan, prepared=True).units))
    ['transform']
    """
    runs = " of runs" if plan.run > 1 else ""
    units = {
        "load polynomial": float(plan.tile_count * plan.in_poly_count),
        f"product{runs}": float(plan.product_count),
        "answer polynomial": float(plan.tile_count * plan.out_poly_count),
        "answer coefficient": float(plan.released_count),
        "join polynomial": float(plan.join_count),
        "copy polynomial": float(plan.copy_count),
    }
    if not prepared:
        units[f"transform{runs}"] = float(plan.in_poly_count * plan.out_poly_count)
    return CostUnits(units)


def cases(settings: CaseSettings) -> Iterator[Case]:
    """Runs every step of two convolutions, one with few and one with many products per polynomial.

    Each is packed for little computing and for few bytes.

    >>> next(cases(CaseSettings(threads=(1,)))).name
    'encrypt conv3x3 64, 32x32'
    """
    for objective in HE_PLANS:
        for name, layer in _LAYERS.items():
            words = name if objective == HE_PLANS[0] else f"{name}, few {objective}"
            yield from layer_cases(words, LinearPlan.of(layer, _WEIGHT_BITS, objective), settings)


def layer_cases(name: str, plan: LinearPlan, settings: CaseSettings) -> Iterator[Case]:
    """Runs every step of one operator. "respond" transforms the weights on the spot, and joins answers.

    >>> plan = LinearPlan.of(LinearShape("w", (1, 512), (1, 10)), 10)
    >>> cases = layer_cases("small", plan, CaseSettings(threads=(1,)))
    >>> [case.name for case in cases][:3]
    ['encrypt small', 'prepare small', 'respond small']
    """
    bound = 1 << (_WEIGHT_BITS - 1)
    size = int(np.prod(plan.weight_shape))
    weights = (filled(2 * size).view(np.uint16) % (2 * bound - 1)).astype(np.int16) - np.int16(bound - 1)
    weights = weights.reshape(plan.weight_shape)
    r = filled(4 * int(np.prod(plan.in_shape))).view(np.uint32).reshape(plan.in_shape)
    s = filled(4 * int(np.prod(plan.out_shape))).view(np.uint32).reshape(plan.out_shape)
    wire = {"upload": plan.upload_bytes, "response": plan.response_bytes}
    with HeClient(isa=settings.isa) as client:
        server = HeServer(client.public_key, isa=settings.isa)
        upload = client.encrypt(plan, r)
        response = server.respond(plan, weights, upload, s)
        prepared = transform_weights(plan, weights, isa=settings.isa)
        outputs = OutputPolynomials.of(plan)
        outputs.c1[:] = outputs.c0[:] = 0
        for threads in settings.threads:
            calls: dict[str, Callable[[], object]] = {
                "encrypt": partial(client.encrypt, plan, r, threads),
                "prepare": partial(transform_weights, plan, weights, threads, isa=settings.isa),
                "respond": partial(server.respond, plan, weights, upload, s, threads),
                "respond, prepared": partial(server.respond, plan, prepared, upload, s, threads),
                "decrypt": partial(client.decrypt, plan, response, threads),
            }
            if plan.join_count:
                calls["join"] = partial(server.join, plan, outputs, threads)
            if plan.copy_count:
                calls["load and copy"] = partial(server.load, plan, upload, threads)
            for step, call in calls.items():
                work = _work(plan, prepared, step)
                yield Case(f"{step} {name}", "layer", 1, threads, work, call, wire)


def _work(plan: LinearPlan, prepared: TransformedWeights, step: str) -> MinimalWork:
    uploads = plan.tile_count * plan.in_poly_count
    responses = plan.tile_count * plan.out_poly_count
    primes = len(PRIMES)
    if step == "encrypt":
        return MinimalWork(
            aes_blocks=uploads * _UNIFORM_BLOCKS,
            multiply_adds=uploads * primes * (_TRANSFORM + 2 * DEGREE),
            memory_bytes=plan.upload_bytes,
        )
    table_bytes = prepared.transformed.nbytes if prepared.transformed is not None else 0
    prepare = plan.in_poly_count * plan.out_poly_count * primes * _TRANSFORM
    if step == "prepare":
        return MinimalWork(multiply_adds=prepare, memory_bytes=table_bytes)
    if step == "decrypt":
        return MinimalWork(multiply_adds=plan.answer_count * _TRANSFORM, memory_bytes=plan.response_bytes)
    joins = plan.join_count * (4 * _TRANSFORM + 8 * DEGREE)  # four transforms and four products each
    if step == "join":
        return MinimalWork(multiply_adds=joins, memory_bytes=plan.response_bytes)
    # A copy has one transform out of the special prime and three back into the others, for each half.
    copies = plan.copy_count * (8 * _TRANSFORM + 24 * 2 * DEGREE)
    digits = uploads * 9 * _TRANSFORM if plan.copy_count else 0
    load = copies + digits + primes * 2 * uploads * _TRANSFORM  # both halves, in
    if step == "load and copy":
        return MinimalWork(
            aes_blocks=uploads * _UNIFORM_BLOCKS, multiply_adds=load, memory_bytes=plan.upload_bytes
        )
    products = 2 * plan.product_count * 2 * DEGREE + 2 * responses * _TRANSFORM  # both halves, out
    respond = joins + load + primes * products
    on_the_spot = step == "respond"
    return MinimalWork(
        aes_blocks=uploads * _UNIFORM_BLOCKS,
        multiply_adds=respond + (prepare if on_the_spot else 0),
        memory_bytes=plan.upload_bytes + plan.response_bytes + (0 if on_the_spot else table_bytes),
    )


def timed_cases(settings: CaseSettings) -> Iterator[TimedCase]:
    """Yields the cases that the costs of encryption are fitted to, for layers of many shapes.

    They encrypt, respond with prepared and with fresh weights, and decrypt.

    >>> next(timed_cases(CaseSettings(threads=(1,)))).case.name
    'encrypt conv3x3 8, 16x16'
    """
    for name, plan in _timed_plans():
        works = {
            "encrypt": encrypt_work(plan),
            "decrypt": decrypt_work(plan),
            "respond": respond_work(plan, prepared=False),
            "respond, prepared": respond_work(plan, prepared=True),
        }
        for case in layer_cases(name, plan, settings):
            step = case.name.removesuffix(f" {name}")
            if step in works:
                yield TimedCase(works[step], case)


_BOTH_TRANSFORMS = 2 * len(PRIMES) * _TRANSFORM
_PRODUCT = MinimalWork(multiply_adds=2 * len(PRIMES) * 2 * DEGREE)
LEAST = {
    "encrypt polynomial": MinimalWork(
        aes_blocks=_UNIFORM_BLOCKS, multiply_adds=len(PRIMES) * (_TRANSFORM + 2 * DEGREE)
    ),
    "decrypt polynomial": MinimalWork(multiply_adds=_TRANSFORM),
    "load polynomial": MinimalWork(aes_blocks=_UNIFORM_BLOCKS, multiply_adds=_BOTH_TRANSFORMS),
    "answer polynomial": MinimalWork(multiply_adds=_BOTH_TRANSFORMS),
    "product": _PRODUCT,
    "product of runs": _PRODUCT,
    "transform": MinimalWork(multiply_adds=len(PRIMES) * _TRANSFORM),
}
"""The minimal work of a unit. A transform of runs is shorter than one of a whole polynomial and counts
nothing."""

HE = Primitive("homomorphic products", UNITS, {"he": cases}, timed_cases, LEAST)
