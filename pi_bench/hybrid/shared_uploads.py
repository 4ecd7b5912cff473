"""Terms that read the same value under encryption and share its upload, where that is fewer bytes.

The first convolution of a block and its shortcut read the same value. If the kernel of one lies within that
of the other, both are one product with more output channels, and zeros at the taps that one of them lacks.
Then the client encrypts the value once. A shortcut that reads every second row and column after a local
operator counts as a convolution with a stride.

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
from pi_bench.network.program import LocalOp, Program, Shape, Subsample


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
    if earlier.source != later.source or any(job.parts[0].weighted.groups > 1 for job in (earlier, later)):
        return None
    taps = _taps(later, earlier)
    if taps is not None:
        outer, parts = earlier, (*earlier.parts, *_moved(later.parts, taps))
    else:
        taps = _taps(earlier, later)
        if taps is None:
            return None
        outer, parts = later, (*_moved(earlier.parts, taps), *later.parts)
    channels = earlier.shape.out_shape[1] + later.shape.out_shape[1]
    shape = _with_channels(replace(outer.shape, name=earlier.shape.name), channels)
    try:
        plan = product_plan(shape, weight_bits, objective, ahead)
    except ModelError:  # together they are too many weights, or too much noise
        return None
    apart = (earlier.plan, later.plan)
    fewer = _wire_bytes(plan) < sum(map(_wire_bytes, apart))
    cheaper = _price_ns(plan, objective) <= sum(_price_ns(one, objective) for one in apart)
    if not (fewer and cheaper):
        return None
    return replace(earlier, parts=parts, local=outer.local, shape=shape, plan=plan)


def _taps(inner: ProductJob, outer: ProductJob) -> Taps | None:
    """Returns the taps of the kernel of `outer` at which that of `inner` lies, if both read the same."""
    if inner.local == outer.local:
        return taps_within(inner.shape, outer.shape)
    if not inner.local or inner.local[:-1] != outer.local:
        return None
    strided = _strided(inner.shape, inner.local[-1], outer.shape.in_shape)
    return None if strided is None else taps_within(strided, outer.shape)


def _strided(shape: LinearShape, local: LocalOp, in_shape: Shape) -> LinearShape | None:
    """Returns a kernel of one tap after `Subsample` as one with a stride, if every position is in the map.

    The offset of the first position is a negative padding.
    """
    one_tap = shape.kernel == shape.stride == (1, 1) and not any(shape.padding)
    if not one_tap or not isinstance(local, Subsample) or in_shape[:2] != shape.in_shape[:2]:
        return None
    axes = zip(local.offset, local.stride, local.size, in_shape[2:], strict=True)
    if not all(first >= 0 and first + (count - 1) * step < size for first, step, count, size in axes):
        return None
    (top, left) = local.offset
    return replace(shape, in_shape=in_shape, stride=local.stride, padding=(-top, 0, -left, 0))


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
