"""Writes the indefinite article of a noun that a message learns while the program runs."""

from __future__ import annotations

_SPOKEN_LIKE_YOU = ("uint", "uni", "unet", "use")
_SPOKEN_WITH_VOWEL = ("8", "11", "18")


def with_article(noun: str) -> str:
    """Returns the noun with "a" or "an" before it, by its first sound.

    >>> with_article("list"), with_article("int"), with_article("ONNX file"), with_article("uint8")
    ('a list', 'an int', 'an ONNX file', 'a uint8')
    """
    lowered = noun.lower()
    vowel = lowered.startswith(("a", "e", "i", "o", "u", *_SPOKEN_WITH_VOWEL))
    return f"{'an' if vowel and not lowered.startswith(_SPOKEN_LIKE_YOU) else 'a'} {noun}"
