"""Writes messages about names that do not exist: similar names first, then all names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_MAX = 3
_SIMILARITY = 0.5  # of difflib, from 0 to 1


def unknown_name(
    kind: str,
    name: str,
    known: Iterable[str],
    *,
    owner: str | None = None,
    listed: str | None = None,
    neither: Sequence[str] = (),
) -> str:
    """Returns the message that there is no such name.

    Args:
        owner: the thing that has names of this kind, such as a protocol.
        listed: says where all names are, if they are many.
        neither: other kinds, each with its article, that have nothing of this name either.

    >>> unknown_name("protocol", "dephi", ["delphi", "ideal", "null"])
    "there is no protocol 'dephi'; did you mean delphi? There are delphi, ideal, null"
    >>> unknown_name("protocol", "x", ["delphi", "ideal", "null"])
    "there is no protocol 'x'; there are delphi, ideal, null"
    >>> unknown_name("run", "x", [], listed="`pi-bench history` lists all runs", neither=["a file"])
    "'x' is neither a file nor a run; `pi-bench history` lists all runs"
    """
    names = list(known)
    names_all = f"there are {', '.join(names)}" if listed is None else listed
    question = similar_names(name, names)
    if question:
        names_all = f"{question} {names_all[0].upper()}{names_all[1:]}"
    lacks = "there is no" if owner is None else f"{owner} has no"
    lack = f"{lacks} {kind} {name[:80]!r}"
    if neither:
        lack = f"{name[:80]!r} is neither {', '.join(neither)} nor a {kind}"
    return f"{lack}; {names_all}"


def similar_names(name: str, known: Iterable[str]) -> str:
    """Asks whether the user meant one of the names that are similar. Returns "" if none is.

    >>> similar_names("resnet18-cifar-12288", ["resnet18-cifar100-12288", "vgg16"])
    'did you mean resnet18-cifar100-12288?'
    """
    import difflib  # here, because every command loads this module

    lowered = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name.lower(), lowered, n=_MAX, cutoff=_SIMILARITY)
    return f"did you mean {' or '.join(lowered[each] for each in near)}?" if near else ""
