"""The homomorphic encryption of linear operators, step by step, and one transform's worth of it.

A butterfly is three multiply-adds of 52-bit integers, a product of residues two; every transform of
(N / 2) log2 N butterflies that the method cannot avoid is counted, the byte of each ciphertext once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from pi_bench.crypto.he import HeClient, HeServer, LinearPlan, LinearShape, PreparedWeights, prepare_weights
from pi_bench.crypto.he.parameters import DEGREE, PRIMES
from pi_bench.measure.micro.case import Case, MinimalWork, Settings, filled

_WEIGHT_BITS = 10
_TRANSFORM = DEGREE // 2 * (DEGREE.bit_length() - 1) * 3
_UNIFORM_BLOCKS = len(PRIMES) * DEGREE * 50 / 128
"""AES blocks that expand a ciphertext's uniform half."""

LAYERS = {
    "conv3x3 64, 32x32": LinearShape("w", (1, 64, 32, 32), (1, 64, 32, 32), (3, 3), (1, 1), (1, 1, 1, 1)),
    "conv3x3 512, 4x4": LinearShape("w", (1, 512, 4, 4), (1, 512, 4, 4), (3, 3), (1, 1), (1, 1, 1, 1)),
}


def cases(settings: Settings) -> Iterator[Case]:
    for name, layer in LAYERS.items():
        yield from layer_cases(name, layer, settings)


def layer_cases(name: str, layer: LinearShape, settings: Settings) -> Iterator[Case]:
    """encrypt, respond (weights transformed before, or on the spot) and decrypt of one operator."""
    plan = LinearPlan.of(layer, _WEIGHT_BITS)
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
        prepared = prepare_weights(plan, weights, isa=settings.isa)
        for threads in settings.threads:
            calls: dict[str, Callable[[], object]] = {
                "encrypt": partial(client.encrypt, plan, r, threads),
                "prepare": partial(prepare_weights, plan, weights, threads, isa=settings.isa),
                "respond": partial(server.respond, plan, weights, upload, s, threads),
                "respond, prepared": partial(server.respond, plan, prepared, upload, s, threads),
                "decrypt": partial(client.decrypt, plan, response, threads),
            }
            for step, call in calls.items():
                work = _work(plan, prepared, step)
                yield Case(f"{step} {name}", "layer", 1, threads, work, call, wire)


def _work(plan: LinearPlan, prepared: PreparedWeights, step: str) -> MinimalWork:
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
        return MinimalWork(multiply_adds=responses * _TRANSFORM, memory_bytes=plan.response_bytes)
    respond = primes * (
        2 * uploads * _TRANSFORM  # both halves, in
        + 2 * responses * _TRANSFORM  # both halves, out
        + 2 * plan.product_count * 2 * DEGREE
    )
    on_the_spot = step == "respond"
    return MinimalWork(
        aes_blocks=uploads * _UNIFORM_BLOCKS,
        multiply_adds=respond + (prepare if on_the_spot else 0),
        memory_bytes=plan.upload_bytes + plan.response_bytes + (0 if on_the_spot else table_bytes),
    )
