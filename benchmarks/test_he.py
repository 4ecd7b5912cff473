"""The homomorphic encryption's primitives and whole linear operators, on every path, one thread.

`extra_info` holds products and bytes; the time per product is the mean over `products`.
"""

import numpy as np
import pytest

from pi_bench import _native
from pi_bench.crypto.he import HeClient, HeServer, LinearPlan, LinearShape, transform_weights
from pi_bench.crypto.he.parameters import DEGREE, PRIMES

LAYERS = {
    "conv3x3-64-32x32": LinearShape("w", (1, 64, 32, 32), (1, 64, 32, 32), (3, 3), (1, 1), (1, 1, 1, 1)),
    "conv3x3-256-8x8": LinearShape("w", (1, 256, 8, 8), (1, 256, 8, 8), (3, 3), (1, 1), (1, 1, 1, 1)),
    "conv3x3-512-4x4": LinearShape("w", (1, 512, 4, 4), (1, 512, 4, 4), (3, 3), (1, 1), (1, 1, 1, 1)),
    "fc-512-100": LinearShape("w", (1, 512), (1, 100)),
}


def test_polynomial_product(benchmark, isa: str) -> None:
    """Times two forward transforms, one product, one inverse transform, modulo one prime."""
    x = np.random.default_rng(0).integers(0, PRIMES[0], DEGREE, dtype=np.uint64)
    out = np.empty(DEGREE, np.uint64)
    benchmark(_native.he.parts.product, 0, x, x, out, isa)


def test_key(benchmark, isa: str) -> None:
    benchmark(lambda: HeClient(isa=isa).close())


@pytest.mark.parametrize("step", ["encrypt", "respond", "respond-prepared", "decrypt"])
@pytest.mark.parametrize("name", LAYERS)
def test_linear(benchmark, name: str, step: str, isa: str) -> None:
    plan = LinearPlan.of(LAYERS[name], 10)
    rng = np.random.default_rng(0)  # the time does not depend on the values
    weights = rng.integers(-511, 512, plan.weight_shape).astype(np.int16)
    r = rng.integers(0, 2**32, plan.in_shape, dtype=np.uint32)
    s = rng.integers(0, 2**32, plan.out_shape, dtype=np.uint32)
    with HeClient(isa=isa) as client:
        server = HeServer(client.public_key, isa=isa)
        upload = client.encrypt(plan, r)
        response = server.respond(plan, weights, upload, s)
        steps = {
            "encrypt": lambda: client.encrypt(plan, r),
            "respond": lambda: server.respond(plan, weights, upload, s),
            "decrypt": lambda: client.decrypt(plan, response),
        }
        if step == "respond-prepared":
            prepared = transform_weights(plan, weights, isa=isa)
            steps[step] = lambda: server.respond(plan, prepared, upload, s)
        benchmark.extra_info.update(
            isa=isa,
            products=plan.product_count,
            upload_bytes=plan.upload_bytes,
            response_bytes=plan.response_bytes,
        )
        benchmark(steps[step])
