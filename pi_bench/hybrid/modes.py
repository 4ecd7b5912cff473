"""The modes and options that several protocols offer: for activations, labels and encrypted products."""

from __future__ import annotations

from collections.abc import Iterator

from pi_bench.arithmetic.activation_law import WindowLaw
from pi_bench.arithmetic.law import MODES, RING_BITS, TRUNCATED_SIGN
from pi_bench.crypto.ferret_plan import parameters_text
from pi_bench.crypto.gadget_spec import GARBLINGS, HALF_GATES, THREE_HALVES
from pi_bench.crypto.he import HE_PLANS, prices_hash
from pi_bench.hybrid.ot_construction import CONSTRUCTIONS, SOFTSPOKEN, OtConstruction
from pi_bench.hybrid.shared_uploads import SHARING_LIMITS
from pi_bench.network.program import Program
from pi_bench.protocol.options import Mode, Option, ProtocolOptions

AUTO = "auto"

SIGN_DROP = Option[int](
    "sign_drop",
    range(RING_BITS),
    "number of low bits of each window that the sign disregards; values below 2^K units in the last place "
    "may then become 0, which saves gates and bytes and costs accuracy",
    modes=(TRUNCATED_SIGN,),
    metavar="K",
)
LABEL_CHUNK = Option[int](
    "label_chunk",
    range(1, 5),
    "how many bits of a value share one key when the server sends the labels of a garbled circuit, 1 to 4; a "
    "larger number sends fewer bytes online, and costs more bytes offline and more computing",
    default=1,
)
GARBLING = Option[str](
    "garbling",
    (*GARBLINGS, AUTO),
    "how an AND of a garbled circuit is garbled: half-gates with 32 bytes, three-halves with 24.4 bytes and "
    "1.5 times as many hashes, which sends fewer bytes offline and costs computing in both phases, auto "
    "whichever the link makes faster; three-halves, which auto may choose, is experimental: its hash and "
    "control bits differ from the paper's and were reviewed inside this project alone",
    default=HALF_GATES,
    metavar="NAME",
)
HE_PLAN = Option[str](
    "he_plan",
    (*HE_PLANS, AUTO),
    "how the products under encryption are packed: compute for fast links and little computing, bytes for "
    "slow links, with about half of the bytes and somewhat more computing at the server, auto whichever the "
    "link makes faster",
    default=HE_PLANS[0],
    metavar="PLAN",
)
OT = Option[str](
    "ot",
    (*CONSTRUCTIONS, AUTO),
    "how oblivious transfers are extended: softspoken with 4 bytes each, ferret with about a quarter of a "
    "byte each, more computing and a fixed cost per inference, auto whichever the link makes faster; ferret, "
    "which auto may choose, is experimental: it rests on learning parity with noise, its parameters were "
    "estimated inside this project alone, and its use with fss was not reviewed",
    default=SOFTSPOKEN.name,
    metavar="NAME",
)
BY_LINK = (HE_PLAN, OT, GARBLING)
"""The options with the value ``auto``, which chooses the faster setting for the link of the run."""
CONSTANTS = (
    ("prices of encrypted products", prices_hash(SHARING_LIMITS)),
    ("parameters of Ferret", parameters_text()),
)
"""The constants of `ProtocolInfo.constants` that decide how both parties pack products and extend OTs."""

_HELP = (
    "every activation is within one unit in the last place of the exact value",
    "equals the integer network bit for bit",
    f"as windowed, but small values may become 0, see {SIGN_DROP.flag}",
)


def settled(option: Option[str], options: ProtocolOptions) -> str:
    """Returns the value of one of `BY_LINK`, and the default for ``auto``, where there is no link to ask.

    >>> settled(GARBLING, ProtocolOptions("exact", values={"garbling": "auto"}))
    'half-gates'
    """
    value = option.of(options)
    assert option.default is not None
    return option.default if value == AUTO else value


def ot_construction(options: ProtocolOptions) -> OtConstruction:
    """Returns the construction of OTs that the options name.

    >>> ot_construction(ProtocolOptions("exact", values={"ot": "ferret"})).begins_with_set_up
    True
    """
    return CONSTRUCTIONS[settled(OT, options)]


def ot_notes(program: Program, options: ProtocolOptions) -> Iterator[str]:
    """Yields the caveat of an experimental extension of OTs.

    >>> from pi_bench.testing import small_network
    >>> len(list(ot_notes(small_network()[0], ProtocolOptions("exact", values={"ot": "ferret"}))))
    1
    >>> list(ot_notes(small_network()[0], ProtocolOptions("exact")))
    []
    """
    construction = ot_construction(options)
    if construction.experimental:
        yield f"{OT.flag} {construction.name} is experimental: {construction.experimental}"


def garbling_notes(program: Program, options: ProtocolOptions) -> Iterator[str]:
    """Yields the caveat of an experimental garbling, and the sentences of `ot_notes`.

    >>> from pi_bench.testing import small_network
    >>> halves = ProtocolOptions("exact", values={"garbling": "three-halves"})
    >>> len(list(garbling_notes(small_network()[0], halves)))
    1
    >>> list(garbling_notes(small_network()[0], ProtocolOptions("exact")))
    []
    """
    if settled(GARBLING, options) == THREE_HALVES:
        yield (
            f"{GARBLING.flag} {THREE_HALVES} is experimental: its hash and control bits differ from the "
            "paper's and were reviewed inside this project alone"
        )
    yield from ot_notes(program, options)


def window_law(options: ProtocolOptions) -> WindowLaw:
    """Returns the law of one of `WINDOW_MODES`.

    >>> window_law(ProtocolOptions("truncated-sign", values={"sign_drop": 4})).sign_drop
    4
    """
    return WindowLaw(options.mode, SIGN_DROP.of(options) if SIGN_DROP.applies(options.mode) else 0)


WINDOW_MODES = tuple(Mode(name, text, window_law) for name, text in zip(MODES, _HELP, strict=True))
