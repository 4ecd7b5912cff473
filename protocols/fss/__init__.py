"""Hybrid private inference with dealer-free function secret sharing: about ten bytes per ReLU online.

    client                                                            server
      set-up     HE public key  ------------------------------------->
                 base OTs (reverse direction)  <--------------------->
      offline    <-------------------  seeds, fresh delta; its OTs' trees  ->
                 layer by layer, slices of the layers before between the products of a layer:
                 <---------------------  masks of the tables: reverse OT extension
                 Enc(r) for every weighted product  ----------------->
                 <-------------------------------  Enc(W r - s), flooded
                 paths of v: label OT extension, corrections, bundle 1 of the trees  -->
                 <-----------------------------------------------  bundles 1 and 2
                 bundles 2 and 3 ...  ------------------------------->
      online     x - r  --------------------------------------------->
                 per activation, in slices:
                 <---------------  masked index of the table, one bit, one word
                 z, one bit  ---------------------------------------->
                 <-----------------------------------------  u of the logits

The linear layers, masks and results are those of `delphi`. A ReLU opens u plus a mask, and both parties look
up their shares of a table of comparisons that they have grown offline without a dealer. A gadget whose window
is too wide for a table is garbled, as in `delphi`: with more than 16 bits above the fraction and the dropped
bits of the sign, or in exact mode with more than 15 bits of window or of fraction. So are truncations without
ReLU, except in exact mode.

Sources: `pi_bench.crypto.fss` names the papers. Growing the tree of a distributed point function from
correlated OTs follows half-tree (Guo et al., EUROCRYPT 2023) and Doerner and shelat (CCS 2017), with the
deviations that docs/threat-model-fss.md lists. The butterfly of OTs that masks a table, the product in one
round and the exact mode are new.

Security: static semi-honest adversary, two parties. The ideal functionality of docs/threat-model.md defines
the knowledge that client and server gain. The protocol is new. It was reviewed inside this project, not by
outside cryptographers: section 11 of docs/threat-model-fss.md lists the findings of the review.
"""

from functools import partial

from pi_bench.hybrid.link_choice import settle_by_link
from pi_bench.hybrid.modes import CONSTANTS, HE_PLAN, OT, SIGN_DROP, WINDOW_MODES
from pi_bench.hybrid.other_settings import cheaper_settings
from pi_bench.hybrid.parts import TABLE_PARTS
from pi_bench.hybrid.script import hybrid_script, predict_hybrid
from pi_bench.hybrid.security import hybrid_security
from pi_bench.primitives.fss import FSS
from pi_bench.protocol import ProtocolInfo

from .notes import gadget_notes
from .party import FssClient, FssServer

PROTOCOL = ProtocolInfo(
    name="fss",
    title="fss",
    meaning="A protocol with the linear layers of delphi, whose ReLUs are computed by function secret "
    "sharing: shares of comparisons, made offline, take few bytes online.",
    caveat="Protocol fss is new. It was reviewed inside this project, not by outside cryptographers.",
    parts=TABLE_PARTS,
    modes=WINDOW_MODES,
    secure=True,
    client=FssClient,
    server=FssServer,
    predict=partial(predict_hybrid, uses_tables=True),
    script=partial(hybrid_script, uses_tables=True),
    security=partial(hybrid_security, uses_tables=True),
    alternatives=cheaper_settings,
    settle=partial(settle_by_link, uses_tables=True),
    notes=gadget_notes,
    primitives=(FSS,),
    options=(HE_PLAN, OT, SIGN_DROP),
    constants=CONSTANTS,
)
