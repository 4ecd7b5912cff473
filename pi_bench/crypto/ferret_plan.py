"""The parameters of Ferret and the batches that make a number of OTs.

A batch turns `input_count` OTs into `output_count` OTs. It has one tree per block of the noise, and `secrets`
OTs for the secret of the code. A batch with fewer trees shows fewer samples of the same problem, so it is no
easier to break. docs/threat-model.md, section 7, has the estimate of each set of parameters. Both parties
derive the batches from the number of OTs, which is public.
"""

from __future__ import annotations

from dataclasses import dataclass

from pi_bench import _native
from pi_bench.crypto.ot_extension import LABEL_BYTES
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


SMALL = FerretParameters(levels=9, secrets=57_344, most_trees=896)
LARGE = FerretParameters(levels=12, secrets=393_216, most_trees=700)


@dataclass(frozen=True, slots=True)
class FerretBatch:
    """Describes one batch.

    >>> batch = FerretBatch.making(100_000, SMALL)
    >>> batch.trees, batch.output_count, batch.input_count, batch.message_bytes
    (196, 100352, 59136, 25088)
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
    [788, 700, 620]
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
