"""Numbers with units, for people: three significant digits, SI prefixes."""

from __future__ import annotations

MIN_QUARTILE_RUNS = 3
"""Fewer runs show no spread: their quartiles are not written."""


def seconds(value_s: float) -> str:
    """Writes a duration with three significant digits.

    >>> seconds(0.0032), seconds(14.1)
    ('3.20 ms', '14.1 s')
    """
    for limit, factor, unit in ((1e-3, 1e6, "us"), (1.0, 1e3, "ms")):
        if value_s < limit:
            return f"{_digits(value_s * factor)} {unit}"
    return f"{_digits(value_s)} s"


def is_shown(value_s: float) -> bool:
    """Tells whether a duration is long enough to be mentioned: `seconds` writes another number than 0.

    >>> is_shown(2e-6), is_shown(1e-9)
    (True, False)
    """
    return value_s >= _SHORTEST_S


_SHORTEST_S = 5e-9  # half of the last digit of 0.01 us


def milliseconds(value_s: float) -> str:
    """Writes milliseconds without the unit, for columns; "-" for none.

    >>> milliseconds(0.0032), milliseconds(0.0)
    ('3.20', '-')
    """
    return f"{value_s * 1e3:.2f}" if value_s else "-"


def seconds_or_dash(value_s: float) -> str:
    """Writes a duration as `seconds` does; "-" for none.

    >>> seconds_or_dash(0.0032), seconds_or_dash(0.0)
    ('3.20 ms', '-')
    """
    return seconds(value_s) if is_shown(value_s) else "-"


def byte_count(value: float) -> str:
    """Writes a number of bytes with an SI prefix.

    >>> byte_count(184), byte_count(37_700_000)
    ('184 B', '37.7 MB')
    """
    for limit, factor, unit in ((1e3, 1, "B"), (1e6, 1e3, "kB"), (1e9, 1e6, "MB")):
        if value < limit:
            return f"{int(value)} B" if unit == "B" else f"{_digits(value / factor)} {unit}"
    return f"{_digits(value / 1e9)} GB"


def bytes_or_dash(value: float) -> str:
    """Writes a number of bytes as `byte_count` does, and none as "-".

    >>> bytes_or_dash(0)
    '-'
    """
    return byte_count(value) if value else "-"


def figure_or_dash(value: float | None, form: str, factor: float = 1) -> str:
    """Writes `value` times `factor` as `form` says, and None as "-".

    >>> figure_or_dash(0.0042, "{:.1f}", 1000), figure_or_dash(None, "{:.1f}")
    ('4.2', '-')
    """
    return "-" if value is None else form.format(value * factor)


def count(value: int) -> str:
    """Writes a count with separators between thousands; "-" for none.

    >>> count(557056), count(0)
    ('557,056', '-')
    """
    return f"{value:,}" if value else "-"


def counted(value: float, noun: str, plural: str | None = None) -> str:
    """Writes a number of things with the noun in singular or plural.

    Args:
        plural: None to add an "s".

    >>> counted(1, "run"), counted(4000, "run"), counted(0.5, "round"), counted(2, "body", "bodies")
    ('1 run', '4,000 runs', '0.5 rounds', '2 bodies')
    """
    number = f"{value:,}" if isinstance(value, int) else f"{value:,g}"
    return f"{number} {noun if value == 1 else plural or f'{noun}s'}"


def multiply_accumulates(number: int) -> str:
    """Writes a number of multiply-accumulates: in millions from 0.1 M on, and else in full.

    >>> multiply_accumulates(34_800_000), multiply_accumulates(640)
    ('34.8 M multiply-accumulates', '640 multiply-accumulates')
    """
    if number < 100_000:
        return counted(number, "multiply-accumulate")
    return f"{number / 1e6:,.1f} M multiply-accumulates"


def millions(number: int) -> str:
    """Writes a number in millions without the unit, for columns; "-" for none.

    >>> millions(34_800_000), millions(640), millions(0)
    ('34.80', '<0.01', '-')
    """
    if not number:
        return "-"
    return f"{number / 1e6:,.2f}" if number >= 5000 else "<0.01"


def times_text(ratio: float | None) -> str:
    """Writes how many times its floor a time is, with two or three digits; a dash if that is unknown.

    Below 1.1 it has a second decimal, because many times over slow links are that close to their floor.

    >>> times_text(1.042), times_text(1.84), times_text(123.4), times_text(2078.0), times_text(0.043)
    ('1.04', '1.8', '123', '2,080', '0.043')
    """
    if ratio is None:
        return "-"
    if 1 <= ratio < 1.1:
        return f"{ratio:.2f}"
    return f"{ratio:.1f}" if 1 <= ratio < 99.95 else f"{ratio:.2g}" if ratio < 1 else three_digits(ratio)


def ratio_text(ratio: float) -> str:
    """Writes how many times as long a time is: three decimals below 2, and else three significant digits.

    Near 1 a third decimal tells an interval from one that contains 1.

    >>> ratio_text(1.0012), ratio_text(20.78), ratio_text(2078.4)
    ('1.001', '20.8', '2,080')
    """
    return f"{ratio:.3f}" if 0.1 <= ratio < 2 else three_digits(ratio)


def percent(fraction: float, decimals: int = 0) -> str:
    """Writes a fraction in percent.

    >>> percent(0.514), percent(0.0314, 1)
    ('51 %', '3.1 %')
    """
    return f"{100 * fraction:.{decimals}f} %"


def part_text(fraction: float, whole: str, decimals: int = 0) -> str:
    """Writes a size compared with another one: in percent if it is smaller, and else as a multiple.

    >>> part_text(0.514, "the median"), part_text(0.514, "itself", 2), part_text(20.78, "the median")
    ('51 % of the median', '51.40 % of itself', '20.8 times the median')
    """
    if fraction < 1:
        return f"{percent(fraction, decimals)} of {whole}"
    return f"{three_digits(fraction)} times {whole}"


def difference_text(ratio: float, other: str) -> str:
    """Writes how far a size is from another one: in percent, or as a multiple from twice on.

    >>> difference_text(0.71, "measured"), difference_text(1.04, "measured")
    ('29 % less than measured', '4 % more than measured')
    >>> difference_text(1.001, "measured"), difference_text(2.4, "measured")
    ('as measured', '2.40 times as long as measured')
    """
    if ratio >= 2:
        return f"{three_digits(ratio)} times as long as {other}"
    percent = round(100 * abs(ratio - 1))
    return f"{percent} % {'less' if ratio < 1 else 'more'} than {other}" if percent else f"as {other}"


def span_text(low_s: float, high_s: float) -> str:
    """Writes two durations with one unit where they have the same.

    >>> span_text(0.00508, 0.00544), span_text(0.0009, 0.0012)
    ('5.08 to 5.44 ms', '900 us to 1.20 ms')
    """
    low, high = seconds(low_s), seconds(high_s)
    value, unit = low.split()
    return f"{value if high.endswith(f' {unit}') else low} to {high}"


def middle_half_text(low_s: float, high_s: float, run_count: int) -> str:
    """Writes the span between the quartiles of some runs; a dash for so few that they show no spread.

    >>> middle_half_text(0.00508, 0.00544, 5), middle_half_text(0.00912, 0.00912, 1)
    ('5.08 to 5.44 ms', '-')
    """
    return span_text(low_s, high_s) if run_count >= MIN_QUARTILE_RUNS else "-"


def three_digits(value: float) -> str:
    """Writes a number with three significant digits, zeros at its end too.

    >>> three_digits(0.013), three_digits(20.78), three_digits(2078.4), three_digits(0.0)
    ('0.0130', '20.8', '2,080', '0')
    """
    rounded = float(f"{value:.3g}")
    if rounded >= 1e6:
        return f"{rounded:.2e}"
    return f"{rounded:,g}" if rounded >= 100 or not rounded else f"{rounded:#.3g}"


def _digits(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def rate(bits_per_s: float) -> str:
    """Writes the rate of a link.

    >>> rate(1e8)
    '100 Mbit/s'
    """
    for unit, size in (("Gbit/s", 1e9), ("Mbit/s", 1e6)):
        if bits_per_s >= size:
            return f"{bits_per_s / size:.3g} {unit}"
    return f"{bits_per_s / 1e3:.3g} kbit/s"
