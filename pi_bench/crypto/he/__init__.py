"""Applies linear operators to encrypted masks: coefficient-packed BFV, for the offline phase.

The client encrypts its mask r, the server answers with W r - s, and the client decrypts its share.

    client                                            server
      public key: encryption of zero,
      join keys, copy keys if needed   ───────────▶     (once per key)
      encrypt(plan, r)                 ───────────▶
                                       ◀───────────     respond(plan, W, upload, s)
      decrypt(plan, response) = W r - s

Scheme: Fan and Vercauteren (ePrint 2012/144) in residues of three 50-bit primes (q of 150 bits), N = 8192,
t = 2**32, ternary secret, centered binomial noise of 2 * 21 bits. There is no relinearization, because
every product has one plaintext factor of public shape. Key switching copies uploads under automorphisms,
modulo q and a fourth prime (200 bits), and joins finished answers, modulo two of the primes. Copy keys have
the largest modulus. The homomorphic encryption standard allows 218 bits at this N for 128 bits of security.
The core-SVP estimate for 200 bits is 108 bits.

Why each part is safe, against semi-honest parties:

- r: each ciphertext has a fresh c1, expanded from a public seed, and fresh noise: RLWE
  and circular security (join and copy keys).
- W: the client knows every c1 that it sent, so sum w c1 alone would reveal W. The server adds u times the
  encryption of zero plus e2, with u and e2 fresh in each response polynomial: RLWE with secret u.
- noise: the noise of c0 depends on W. A flood uniform in [-2**112, 2**112) hides it. For a CIFAR ResNet18 of
  10 bits, the mean of the noise is at most 2**29.0, and the distance per coefficient is 2**-84 or less on
  average. A plan with more than 2**-50 for one response is refused. The flood is added modulo q, *before* the
  switch to one prime; in the other order, the rounding would depend on W. Only the coefficients that carry
  outputs leave, each under its own flood and its own mask s.
- copies: they are public computing on the client's ciphertexts. The flood hides their noise, too.
- joining: it is public computing on answers that the server could have sent one by one.
- time: products with zero polynomials are not skipped; arithmetic has no branch and no index that depends on
  a secret; the noise bound is that of the worst weights of the public shape.

Decryption of a separate answer cannot fail, because `LinearPlan.of` refuses shapes and widths whose worst
case could. A joined one fails with a chance below 2**-500.

>>> import numpy as np
>>> plan = LinearPlan.of(LinearShape("dense", in_shape=(1, 3), out_shape=(1, 2)), weight_bits=4)
>>> weights = np.array([[1, 2, 3], [0, -1, 4]], np.int16)
>>> r, s = np.array([[10, 20, 30]], np.uint32), np.array([[5, 6]], np.uint32)  # uniform in real use
>>> with HeClient() as client:
...     upload = client.encrypt(plan, r)
...     response = HeServer(client.public_key).respond(plan, weights, upload, s)
...     client.decrypt(plan, response).tolist()  # W r - s: 140 - 5 and 100 - 6
[[135, 94]]
"""

from pi_bench.crypto.he.client import HeClient
from pi_bench.crypto.he.geometry import LinearShape
from pi_bench.crypto.he.layout import HE_PLANS, SLOW_LINK_BYTE_NS, prices_hash
from pi_bench.crypto.he.packing import LinearPlan
from pi_bench.crypto.he.parameters import public_key_bytes
from pi_bench.crypto.he.server import (
    HeServer,
    OutputPolynomials,
    TransformedWeights,
    transform_weights,
    transformed_bytes,
)

__all__ = [
    "HE_PLANS",
    "SLOW_LINK_BYTE_NS",
    "HeClient",
    "HeServer",
    "LinearPlan",
    "LinearShape",
    "OutputPolynomials",
    "TransformedWeights",
    "prices_hash",
    "public_key_bytes",
    "transform_weights",
    "transformed_bytes",
]
