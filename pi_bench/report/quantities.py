"""Numbers with units, for people: three significant digits, SI prefixes."""

from __future__ import annotations


def seconds(value_s: float) -> str:
    for limit, factor, unit in ((1e-3, 1e6, "us"), (1.0, 1e3, "ms")):
        if value_s < limit:
            return f"{_digits(value_s * factor)} {unit}"
    return f"{_digits(value_s)} s"


def milliseconds(value_s: float) -> str:
    """Without the unit, for columns."""
    return f"{value_s * 1e3:.2f}" if value_s else "-"


def byte_count(value: float) -> str:
    for limit, factor, unit in ((1e3, 1, "B"), (1e6, 1e3, "kB"), (1e9, 1e6, "MB")):
        if value < limit:
            return f"{int(value)} B" if unit == "B" else f"{_digits(value / factor)} {unit}"
    return f"{_digits(value / 1e9)} GB"


def bytes_or_dash(value: float) -> str:
    """Write a number of bytes as `byte_count` does, and none as "-"."""
    return byte_count(value) if value else "-"


def count(value: int) -> str:
    return f"{value:,}" if value else "-"


def _digits(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def rate(bits_per_s: float) -> str:
    """Such as ``100 Mbit/s``."""
    for unit, size in (("Gbit/s", 1e9), ("Mbit/s", 1e6)):
        if bits_per_s >= size:
            return f"{bits_per_s / size:.3g} {unit}"
    return f"{bits_per_s / 1e3:.3g} kbit/s"
