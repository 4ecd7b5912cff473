"""Linear operators on encrypted masks: coefficient-packed BFV, for the offline phase.

The client encrypts its mask r, the server answers with W r - s, the client decrypts its share.

    client                                            server
      public key: encryption of zero   ───────────▶     (once a key)
      encrypt(plan, r)                 ───────────▶
                                       ◀───────────     respond(plan, W, upload, s)
      decrypt(plan, response) = W r - s

Scheme: Fan and Vercauteren (ePrint 2012/144) in residues of three 50-bit primes (q of 150 bits),
N = 8192, t = 2**32, ternary secret, centred binomial noise of 2 * 21 bits; no relinearization and no
rotation, since every product has one public-shape plaintext factor. Secure parameters: the
homomorphic encryption standard allows 218 bits of q at this N for 128 bits of security.

Why each part is safe, against semi-honest parties:

- r: each ciphertext has a fresh c1, expanded from a public seed, and fresh noise: RLWE.
- W: the client knows every c1 it sent, so sum w c1 alone would reveal W. The server adds u times the
  encryption of zero plus e2, with u and e2 fresh in each response polynomial: RLWE with secret u.
- the noise of c0 depends on W: a flood uniform in [-2**112, 2**112) hides it, added modulo q, *before*
  the switch to one prime (the other order would show the rounding of what depends on W). Only the
  coefficients that carry outputs leave, each under its own flood and its own mask s.
- time: products with zero polynomials are not skipped; arithmetic has no branch and no index that
  depends on a secret; the noise bound is that of the worst weights of the public shape.

Decryption cannot fail: `LinearPlan.of` refuses shapes and widths whose worst case could.
"""

from pi_bench.crypto.he.client import HeClient
from pi_bench.crypto.he.layout import LinearShape
from pi_bench.crypto.he.packing import LinearPlan
from pi_bench.crypto.he.parameters import PUBLIC_KEY_BYTES
from pi_bench.crypto.he.server import HeServer, PreparedWeights, prepare_weights, prepared_bytes

__all__ = [
    "PUBLIC_KEY_BYTES",
    "HeClient",
    "HeServer",
    "LinearPlan",
    "LinearShape",
    "PreparedWeights",
    "prepare_weights",
    "prepared_bytes",
]
