"""DELPHI-style hybrid private inference: secret-shared linear layers, garbled-circuit ReLUs.

    client                                                            server
      set-up     HE public key  ------------------------------------->
                 base OTs (reverse direction)  <--------------------->
      offline    <-------------------  seeds, fresh delta; its OTs' trees  ->
                 value by value, a value's tables after the products of the next two:
                 <-----------------------  select bits pi: reverse OT extension
                 Enc(r) for every weighted product  ----------------->
                 <-------------------------------  Enc(W r - s), flooded
                 tau, OT extension for the labels of v  ------------->
                 <---------------------------  garbled tables, wrap words
      online     x - r  --------------------------------------------->
                 per activation, in slices:
                 <---------------  active labels of u, one word, one bit
                 z = y - r' + mask  --------------------------------->
                 <-----------------------------------------  u of the logits

Source: Mishra et al., DELPHI, USENIX Security 2020, figures 3 and 4 for the linear layers and the order of
the phases. It differs from the paper in these points, which docs/threat-model.md derives:

- Shares are elements of Z_2^32 and not of a prime field, since numpy's arithmetic wraps by itself.
- The circuit computes only the sign, over a window of bits. Product, truncation and masking are done on
  one-time-padded words, in the same single round.
- Elements without a ReLU are truncated with the help of one precomputed OT, never locally.
- The client's labels come from correlated OT on its offline share, so no OT runs online.
- The homomorphic scheme is a coefficient-packed BFV without rotations (Huang et al., Cheetah, USENIX
  Security 2022). The response is re-randomized and flooded.

Security: static semi-honest adversary, two parties. The ideal functionality of docs/threat-model.md defines
the knowledge that client and server gain. They learn nothing else.
"""

from pi_bench.hybrid.link_choice import settle_by_link
from pi_bench.hybrid.modes import (
    CONSTANTS,
    GARBLING,
    HE_PLAN,
    LABEL_CHUNK,
    OT,
    SIGN_DROP,
    WINDOW_MODES,
    garbling_notes,
)
from pi_bench.hybrid.other_settings import hybrid_alternatives
from pi_bench.hybrid.parts import GARBLED_PARTS
from pi_bench.hybrid.script import hybrid_script, predict_hybrid
from pi_bench.hybrid.security import hybrid_security
from pi_bench.protocol import ProtocolInfo

from .party import DelphiClient, DelphiServer

PROTOCOL = ProtocolInfo(
    name="delphi",
    title="delphi",
    meaning="A protocol after DELPHI: homomorphic encryption computes linear layers offline, and garbled "
    "circuits compute ReLUs online.",
    parts=GARBLED_PARTS,
    modes=WINDOW_MODES,
    secure=True,
    client=DelphiClient,
    server=DelphiServer,
    predict=predict_hybrid,
    script=hybrid_script,
    security=hybrid_security,
    alternatives=hybrid_alternatives,
    settle=settle_by_link,
    options=(LABEL_CHUNK, GARBLING, HE_PLAN, OT, SIGN_DROP),
    constants=CONSTANTS,
    notes=garbling_notes,
    default=True,
)
