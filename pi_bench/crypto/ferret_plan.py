"""The parameters of Ferret and the batches that make a number of OTs.

A batch turns `input_count` OTs into `output_count` OTs. It has one tree per block of the noise, and `secrets`
OTs for the secret of the code. A batch with fewer trees shows fewer samples of the same problem, so it is no
easier to break. docs/threat-model.md, section 7, has the estimate of each set of parameters. Both parties
derive the batches from the number of OTs, which is public.
"""

from __future__ import annotations

from dataclasses import dataclass

from pi_bench import _native
from pi_bench.crypto.ot_extension import LABEL_BYTES, extension_bytes
from pi_bench.crypto.symmetric import LANES

GROUP_TREES: int = _native.ferret.GROUP_TREES
"""The trees that are grown together. A batch has a multiple of them."""

ROW_ONES: int = _native.ferret.ROW_ONES
"""The ones in a row of the code."""


@dataclass(frozen=True, slots=True)
class FerretParameters:
    """Names a problem of learning parity with regular noise.

    `levels` of a tree, whose 2^levels leaves are a block with one error; `secrets` is the dimension of the
    code; a batch has at most `most_trees` trees.

    >>> LARGE.most_trees << LARGE.levels  # samples
    2867200
    """

    levels: int
    secrets: int
    most_trees: int


SMALL = FerretParameters(levels=9, secrets=65_536, most_trees=896)
LARGE = FerretParameters(levels=11, secrets=278_528, most_trees=1400)


def parameters_text() -> str:
    """Returns all numbers by which two parties derive the same batches and the same code, as one text.

    >>> parameters_text()
    '9-65536-896 11-278528-1400, 10 ones, groups of 4'
    """
    sets = " ".join(f"{p.levels}-{p.secrets}-{p.most_trees}" for p in (SMALL, LARGE))
    return f"{sets}, {ROW_ONES} ones, groups of {GROUP_TREES}"


@dataclass(frozen=True, slots=True)
class FerretBatch:
    """Describes one batch.

    >>> batch = FerretBatch.making(100_000, SMALL)
    >>> batch.trees, batch.output_count, batch.input_count, batch.message_bytes
    (196, 100352, 67328, 25088)
    """

    parameters: FerretParameters
    trees: int

    @classmethod
    def making(cls, count: int, parameters: FerretParameters) -> FerretBatch:
        """Returns the batch with the fewest trees that makes `count` OTs.

        Raises:
            ValueError: the parameters do not allow that many samples.
        """
        batch = cls(parameters, GROUP_TREES * -(-count // (GROUP_TREES << parameters.levels)))
        if not 0 < batch.trees <= parameters.most_trees:
            raise ValueError(f"a batch with these parameters cannot make {count} OTs")
        return batch

    @property
    def groups(self) -> int:
        """The number of groups of trees."""
        return self.trees // GROUP_TREES

    @property
    def group_ots(self) -> int:
        """The number of OTs that a group makes."""
        return GROUP_TREES << self.parameters.levels

    @property
    def output_count(self) -> int:
        """The number of OTs that the batch makes."""
        return self.trees << self.parameters.levels

    @property
    def path_count(self) -> int:
        """The number of OTs that choose the paths of all trees."""
        return self.trees * self.parameters.levels

    @property
    def input_count(self) -> int:
        """The number of OTs that the batch uses up: its secret and its paths, rounded up to 32."""
        return -(-(self.parameters.secrets + self.path_count) // LANES) * LANES

    @property
    def message_bytes(self) -> int:
        """The bytes of the sender's corrections."""
        return self.trees * (self.parameters.levels - 1) * LABEL_BYTES


def ferret_batches(count: int) -> tuple[FerretBatch, ...]:
    """Returns the batches that make `count` OTs, besides those that each batch makes for the next one.

    The first batch uses OTs of SoftSpoken. Few OTs take one small batch. More take a small batch that makes
    the inputs of a large one, and then as many large ones as are necessary.

    >>> [batch.parameters is SMALL for batch in ferret_batches(300_000)]
    [True]
    >>> [batch.trees for batch in ferret_batches(5_000_000)]
    [576, 1400, 1188]
    >>> ferret_batches(0)
    ()

    Raises:
        ValueError: the count is negative.
    """
    if count < 0:
        raise ValueError(f"the number of OTs is not negative, as {count} is")
    if count == 0:
        return ()
    if count <= SMALL.most_trees << SMALL.levels:
        return (FerretBatch.making(count, SMALL),)
    full = FerretBatch(LARGE, LARGE.most_trees)
    batches: list[FerretBatch] = []
    left = count
    while left > full.output_count:
        # Each full batch but the last also makes the inputs of the next one.
        left -= full.output_count - full.input_count
        batches.append(full)
    batches.append(FerretBatch.making(left, LARGE))
    return (FerretBatch.making(batches[0].input_count, SMALL), *batches)


@dataclass(frozen=True, slots=True)
class FerretPlan:
    """Says which batches an instance makes, and how both parties name them.

    `context` names session, inference and direction. It is the same at both parties, and no two instances
    under one delta have the same. With `even`, bit 0 of delta is 0, and otherwise it is 1.

    >>> plan = FerretPlan(ferret_batches(1000), b"session 5, inference 7, labels", even=False)
    >>> plan.set_up_bytes, plan.correction_bytes, plan.ot_count
    (262400, 512, 2048)
    """

    batches: tuple[FerretBatch, ...]
    context: bytes
    even: bool

    @property
    def set_up_bytes(self) -> int:
        """The size of the receiver's first message, for the inputs of the first batch."""
        return set_up_bytes(self.batches)

    @property
    def correction_bytes(self) -> int:
        """The size of the sender's message, the corrections of all batches."""
        return correction_bytes(self.batches)

    @property
    def ot_count(self) -> int:
        """The number of OTs that the instance makes for callers."""
        used = sum(batch.input_count for batch in self.batches[1:])
        return sum(batch.output_count for batch in self.batches) - used


def set_up_bytes(batches: tuple[FerretBatch, ...]) -> int:
    """Returns the size of the receiver's first message.

    >>> set_up_bytes(())
    0
    """
    return extension_bytes(batches[0].input_count) if batches else 0


def correction_bytes(batches: tuple[FerretBatch, ...]) -> int:
    """Returns the size of the sender's message.

    >>> correction_bytes(())
    0
    """
    return sum(batch.message_bytes for batch in batches)


def choice_bytes(count: int) -> int:
    """Returns the size of the message by which the receiver chooses `count` bits.

    >>> choice_bytes(2048)
    256

    Raises:
        ValueError: `count` is negative or no multiple of 32.
    """
    if count < 0 or count % LANES:
        raise ValueError(f"OTs are extended in multiples of 32, not {count}")
    return count // 8
