"""DELPHI-style hybrid private inference: secret-shared linear layers, garbled-circuit ReLUs.

    client                                                            server
      set-up     HE public key  ------------------------------------->
                 base OTs (reverse direction)  <--------------------->
      offline    <-------------------  seeds, fresh delta; its OTs' trees  ->
                 layer by layer, a layer's tables behind the next one's products:
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

Source: Mishra et al., DELPHI, USENIX Security 2020, figures 3 and 4 for the linear layers and the
order of the phases. Where it differs, and why (the derivations stand in docs/threat-model.md):

- shares live in Z_2^32 and not in a prime field: numpy's arithmetic wraps by itself;
- the circuit computes the sign alone, over a window of bits; product, truncation and masking leave
  it as one-time-padded words, in the same single round;
- elements without a ReLU are truncated with the help of one precomputed OT, never locally;
- the client's labels come from correlated OT on its offline share, so that no OT runs online;
- the homomorphic scheme is a coefficient-packed BFV without rotations (Huang et al., Cheetah,
  USENIX Security 2022), with the response re-randomized and flooded.

Security: static semi-honest adversary, two parties; client and server learn what the ideal
functionality of docs/threat-model.md gives them and nothing else.
"""

from pi_bench.hybrid.alternatives import hybrid_alternatives
from pi_bench.hybrid.modes import LABEL_CHUNK, SIGN_DROP, WINDOW_MODES
from pi_bench.hybrid.script import hybrid_script, predict_hybrid
from pi_bench.protocol import ProtocolInfo

from .party import DelphiClient, DelphiServer

PROTOCOL = ProtocolInfo(
    name="delphi",
    title="delphi",
    modes=WINDOW_MODES,
    secure=True,
    client=DelphiClient,
    server=DelphiServer,
    predict=predict_hybrid,
    script=hybrid_script,
    alternatives=hybrid_alternatives,
    options=(LABEL_CHUNK, SIGN_DROP),
    default=True,
)
