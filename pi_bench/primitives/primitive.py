"""Defines a primitive by its units, its cases and the work that they do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import astuple, dataclass, field

from pi_bench.costs import LIMIT_KINDS, CostUnits
from pi_bench.errors import UsageError


@dataclass(frozen=True, slots=True)
class MinimalWork:
    """The least work that one unit of a case demands of the machine; the slowest kind of it is the limit.

    All amounts are lower bounds. Key schedules, loads that stay in a cache and bookkeeping are not counted.

    Raises:
        ValueError: no amount is positive, so that the case would have no limit.

    >>> MinimalWork(aes_blocks=4, memory_bytes=32).aes_blocks
    4
    """

    aes_blocks: float = 0.0
    memory_bytes: float = 0.0  # read or written, each byte once
    multiply_adds: float = 0.0  # of 64-bit lanes: float64 or 52-bit integer
    ring_multiply_adds: float = 0.0  # a 32-bit word times a 16-bit weight, mod 2^32
    socket_bytes: float = 0.0
    round_trips: float = 0.0

    def __post_init__(self) -> None:
        if not any(amount > 0 for amount in astuple(self)):
            raise ValueError("the minimal work of a case needs at least one positive amount")

    @property
    def amounts(self) -> dict[str, float]:
        """The positive amounts by the name of the machine's limit for them."""
        counted = {kind.name: getattr(self, kind.amount) for kind in LIMIT_KINDS.values() if kind.amount}
        return {name: amount for name, amount in counted.items() if amount}


@dataclass(frozen=True, slots=True)
class Case:
    """One call to time: `call` does `unit_count` units with `threads` threads.

    Attributes:
        work: the minimal work of one unit.
        bytes: sizes of one unit on the wire or in storage, by name.

    >>> case = Case("sort", "element", 3, 1, MinimalWork(memory_bytes=8), lambda: sorted([3, 1, 2]))
    >>> case.call()
    [1, 2, 3]
    """

    name: str
    unit: str
    unit_count: int
    threads: int
    work: MinimalWork
    call: Callable[[], object]
    bytes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TimedCase:
    """A case of the cost model.

    Attributes:
        work: the cost units of one call of the case.

    >>> case = Case("sort", "element", 3, 1, MinimalWork(memory_bytes=8), lambda: sorted([3, 1, 2]))
    >>> TimedCase(CostUnits({"sorted element": 3.0}), case).work.units
    {'sorted element': 3.0}
    """

    work: CostUnits
    case: Case


@dataclass(frozen=True, slots=True)
class CaseSettings:
    """Settings that every primitive's cases follow.

    Attributes:
        count: elements that a case streams through.
        threads: numbers of threads, each of which gets a case.
        isa: the instruction set; "" takes the process's choice.

    >>> CaseSettings(count=1000).repetitions
    7
    """

    count: int = 200_000
    threads: tuple[int, ...] = (1, 2)
    repetitions: int = 7
    isa: str = ""


CaseMaker = Callable[[CaseSettings], Iterable[Case]]
TimedCaseMaker = Callable[[CaseSettings], Iterable[TimedCase]]


def no_timed_cases(settings: CaseSettings) -> Iterable[TimedCase]:
    """Yields no case. It serves primitives whose units no script uses.

    >>> list(no_timed_cases(CaseSettings()))
    []
    """
    del settings
    return ()


@dataclass(frozen=True, slots=True, eq=False)
class Primitive:
    """A primitive as the harness sees it.

    Attributes:
        name: a plural noun for progress and messages.
        units: its cost units, which no other primitive may have.
        families: makers of micro cases by the name that `pi-bench micro NAME` takes.
        timed_cases: makes cases from whose times the seconds of all units are fitted. A maker prepares the
            buffers of each case right before it yields the case.
        least: the minimal work of one unit, for the floor of a whole network (docs/measuring.md). It counts
            bytes of memory only for material that an earlier phase has stored, since other data may stay in a
            cache. A unit that it lacks counts nothing.

    >>> sums = Primitive("sums", ("sum",), least={"sum": MinimalWork(multiply_adds=1)})
    >>> list(sums.timed_cases(CaseSettings())), sums.least["sum"].amounts
    ([], {'multiply_add': 1})
    """

    name: str
    units: tuple[str, ...] = ()
    families: Mapping[str, CaseMaker] = field(default_factory=dict)
    timed_cases: TimedCaseMaker = no_timed_cases
    least: Mapping[str, MinimalWork] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = [unit for unit in self.least if unit not in self.units]
        if unknown:
            raise ValueError(
                f"the primitive {self.name!r} has minimal work of an unknown unit {unknown[0]!r}"
            )


def units_of(primitives: Iterable[Primitive]) -> tuple[str, ...]:
    """Lists the cost units of all `primitives` in their order.

    Raises:
        UsageError: two primitives have a unit of the same name.

    >>> units_of([Primitive("sums", ("sum",)), Primitive("copies", ("copied byte", "copy"))])
    ('sum', 'copied byte', 'copy')
    """
    return tuple(
        _owners("cost unit", ((name, primitive) for primitive in primitives for name in primitive.units))
    )


def families_of(primitives: Iterable[Primitive]) -> dict[str, CaseMaker]:
    """Collects the makers of micro cases of all `primitives` by family name.

    Raises:
        UsageError: two primitives have a family of the same name.

    >>> list(families_of([Primitive("sums", families={"sum": lambda settings: ()})]))
    ['sum']
    """
    owners = _owners(
        "micro name", ((name, primitive) for primitive in primitives for name in primitive.families)
    )
    return {name: primitive.families[name] for name, primitive in owners.items()}


def _owners(what: str, named: Iterable[tuple[str, Primitive]]) -> dict[str, Primitive]:
    """Maps each name to its only primitive."""
    owners: dict[str, Primitive] = {}
    for name, primitive in named:
        if name in owners:
            raise UsageError(
                f"the primitives {owners[name].name!r} and {primitive.name!r} both declare the {what} "
                f"{name!r}; rename one of them"
            )
        owners[name] = primitive
    return owners
