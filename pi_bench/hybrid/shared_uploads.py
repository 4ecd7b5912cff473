"""Terms that read the same value under encryption and share its upload, where that is fewer bytes.

The first convolution of a block and its shortcut read the same value. If the kernel of one lies within that
of the other, both are one product with more output channels, and zeros at the taps that one of them lacks.
Then the client encrypts the value once.

Sharing is decided by the prices of layouts (`pi_bench.crypto.he.layout`), from public shapes alone. Both
parties decide alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pi_bench.crypto.he import LinearPlan, LinearShape
from pi_bench.errors import ModelError
from pi_bench.hybrid.kernel_taps import Taps, taps_within
from pi_bench.hybrid.products import ProductJob, ProductPart, product_jobs, product_plan
from pi_bench.network.program import Program


def program_products(program: Program, objective: str, ahead: int = 1) -> list[ProductJob]:
    """Returns the products of a program in the order of its operators, with shared uploads.

    Args:
        objective: as in `product_jobs`.
        ahead: as in `product_jobs`.

    >>> from pi_bench.testing import small_network
    >>> [job.op_id for job in program_products(small_network()[0], "compute")]
    [1, 3]

    Raises:
        ModelError: the encryption cannot hold an operator.
    """
    found: list[ProductJob] = []
    for job in _separate(program, objective, ahead):
        for place, earlier in enumerate(found):
            both = _shared(earlier, job, program.weight_bits, objective, ahead)
            if both is not None:
                found[place] = both
                break
        else:
            found.append(job)
    return [replace(job, number=number) for number, job in enumerate(found)]


def _separate(program: Program, objective: str, ahead: int) -> Iterator[ProductJob]:
    for linear in program.linear_ops:
        for term in linear.terms:
            if term.weighted is not None:
                yield from product_jobs(linear.id, term, program.weight_bits, 0, objective, ahead)


def _shared(
    earlier: ProductJob, later: ProductJob, weight_bits: int, objective: str, ahead: int
) -> ProductJob | None:
    """Returns the product of the parts of both jobs. None: they are not one product, or it costs more."""
    if not _read_the_same(earlier, later):
        return None
    taps = taps_within(later.shape, earlier.shape)
    if taps is not None:
        kernel, parts = earlier.shape, (*earlier.parts, *_moved(later.parts, taps))
    else:
        taps = taps_within(earlier.shape, later.shape)
        if taps is None:
            return None
        kernel, parts = later.shape, (*_moved(earlier.parts, taps), *later.parts)
    channels = earlier.shape.out_shape[1] + later.shape.out_shape[1]
    shape = _with_channels(replace(kernel, name=earlier.shape.name), channels)
    try:
        plan = product_plan(shape, weight_bits, objective, ahead)
    except ModelError:  # together they are too many weights, or too much noise
        return None
    apart = (earlier.plan, later.plan)
    fewer = _wire_bytes(plan) < sum(map(_wire_bytes, apart))
    cheaper = _price_ns(plan, objective) <= sum(_price_ns(one, objective) for one in apart)
    return replace(earlier, parts=parts, shape=shape, plan=plan) if fewer and cheaper else None


def _read_the_same(earlier: ProductJob, later: ProductJob) -> bool:
    """Tells whether both read all channels of the same value."""
    first, second = earlier.parts[0], later.parts[0]
    return (
        first.term.source == second.term.source
        and first.term.local == second.term.local
        and first.weighted.groups == second.weighted.groups == 1
    )


def _moved(parts: tuple[ProductPart, ...], taps: Taps) -> tuple[ProductPart, ...]:
    """Returns parts of a kernel that is now within another one, at `taps` of it."""
    rows, columns = taps
    return tuple(
        replace(
            part,
            taps=(tuple(rows[tap] for tap in part.taps[0]), tuple(columns[tap] for tap in part.taps[1])),
        )
        for part in parts
    )


def _with_channels(shape: LinearShape, count: int) -> LinearShape:
    return replace(shape, out_shape=(shape.out_shape[0], count, *shape.out_shape[2:]))


def _wire_bytes(plan: LinearPlan) -> int:
    """Returns the bytes of a product, without the released coefficients, which are the same either way."""
    return plan.layout.wire_bytes(plan.geometry)


def _price_ns(plan: LinearPlan, objective: str) -> int:
    return plan.layout.cost(plan.geometry, objective)[0]
