"""Finds a module's weights in a checkpoint: under which keys they lie, and after which prefixes.

Training scripts keep the weights under keys such as ``state_dict`` or ``net``, next to an optimizer and other
copies, and wrappers put ``module.`` before or between the names. So the names of all tensors in the
checkpoint are written out with the keys above them, and the places are found that have every weight of
the module.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from pi_bench.errors import ModelError
from pi_bench.network.files.pickle_data import Placeholder
from pi_bench.network.files.stored_tensors import StoredTensor

_WRAPPERS = frozenset(("module", "_orig_mod", "_fsdp_wrapped_module"))
_COUNTERS = ".num_batches_tracked"  # of training; inference does not read them, and old files lack them
_DEEPEST = 6
_MAX_ENTRIES = 200_000
_MAX_DOTS = 32
_MAX_ITEMS = 16
Rename = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Found:
    """The tensors at one place of a checkpoint, by the module's names where it has them, else by their own.

    Attributes:
        others: names the entries among them that are no tensors.

    >>> Found({}, ["epoch"]).others
    ['epoch']
    """

    state: dict[str, StoredTensor]
    others: list[str]


@dataclass(slots=True)
class _Place:
    prefix: str
    matched: dict[str, tuple[str, str]] = field(default_factory=dict)  # module's name → (container, key)
    fitting: int = 0

    @property
    def title(self) -> str:
        return repr(self.prefix.rstrip(".")) if self.prefix else "the top level"


def find_weights(name: str, content: Any, wanted: Mapping[str, torch.Tensor], key: str | None) -> Found:
    """Returns the tensors of `content` in the place that has all of `wanted`, or else most of them.

    `key` is the place that the user names: a key, several with dots between them, or a prefix of names.

    Raises:
        ModelError: there are no tensors, none under `key`, or different weights at several places.

    >>> from pi_bench.network.files.stored_tensors import Storage
    >>> weight = StoredTensor(Storage(torch.float32, 1, lambda *_: bytes(4)), 0, (1,), (1,), torch.float32)
    >>> content = {"epoch": 3, "net": {"module.weight": weight}}
    >>> list(find_weights("checkpoint.pt", content, {"weight": torch.zeros(1)}, None).state)
    ['weight']
    """
    tensors, others = _entries(name, content)
    if not tensors:
        raise _nothing(name, content)
    if key is not None:
        tensors = {place: value for place, value in tensors.items() if _is_under(place, key)}
        if not tensors:
            raise ModelError(f"{name} has no weights under {key!r:.80}; it has {_few(_tops(content))}")
    required = [each for each in wanted if not each.endswith(_COUNTERS)]
    best: _Place | None = None
    for of_wanted, of_file in _renames(required):
        places = _places(tensors, wanted, of_wanted, of_file)
        whole = [place for place in places if place.fitting == len(required)]
        whole = [place for place in whole if key is not None and place.prefix == f"{key}."] or whole
        if whole:
            _require_one(name, whole, tensors)
            return _found(whole[0], tensors, others)
        most = max(places, key=lambda place: (len(place.matched), place.fitting), default=None)
        if most is not None and (best is None or len(most.matched) > len(best.matched)):
            best = most
    return _found(best or _largest(tensors), tensors, others)


def _entries(name: str, content: Any) -> tuple[dict[tuple[str, str], StoredTensor], list[tuple[str, str]]]:
    """Lists the tensors, and the other entries of mappings, by (keys above, key)."""
    tensors: dict[tuple[str, str], StoredTensor] = {}
    others: list[tuple[str, str]] = []
    left = deque([("", content, 0)])
    while left:
        above, value, depth = left.popleft()
        for key, item in _items(value):
            if len(tensors) + len(others) + len(left) > _MAX_ENTRIES:
                raise ModelError(f"{name} has more than {_MAX_ENTRIES:,} entries: save the state_dict alone")
            if isinstance(item, StoredTensor):
                tensors[above, key] = item
            elif depth < _DEEPEST and any(True for _ in _items(item)):
                left.append((f"{above}{key}.", item, depth + 1))
            else:
                others.append((above, key))
    return tensors, others


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Placeholder):
        value = value.entries
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list | tuple) and len(value) <= _MAX_ITEMS:
        yield from ((str(number), item) for number, item in enumerate(value))


def _is_under(place: tuple[str, str], key: str) -> bool:
    full = "".join(place)
    return full.startswith(f"{key}.") if key else not place[0]


def _renames(required: Sequence[str]) -> list[tuple[Rename, Rename]]:
    """Lists how names are compared: as they are, without wrappers, without the module's own first part."""
    first = {each.partition(".")[0] + "." for each in required if "." in each}
    found: list[tuple[Rename, Rename]] = [(lambda each: each, lambda each: each), (_unwrapped, _unwrapped)]
    if len(first) == 1 and all("." in each for each in required):
        (outer,) = first
        found.append((lambda each: _unwrapped(each.removeprefix(outer)), _unwrapped))
    return found


def _unwrapped(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


def _places(
    tensors: Mapping[tuple[str, str], StoredTensor],
    wanted: Mapping[str, torch.Tensor],
    of_wanted: Rename,
    of_file: Rename,
) -> list[_Place]:
    names = {of_wanted(each): each for each in wanted}
    places: dict[str, _Place] = {}
    for (above, key), tensor in tensors.items():
        full = of_file(above + key)
        begin = 0
        for _ in range(_MAX_DOTS):
            own = names.get(full[begin:])
            if own is not None:
                place = places.setdefault(full[:begin], _Place(full[:begin]))
                fits = tensor.shape == tuple(wanted[own].shape) and not own.endswith(_COUNTERS)
                place.fitting += own not in place.matched and fits
                place.matched.setdefault(own, (above, key))
            begin = full.find(".", begin) + 1
            if begin == 0:
                break
    return list(places.values())


def _require_one(
    name: str, places: Sequence[_Place], tensors: Mapping[tuple[str, str], StoredTensor]
) -> None:
    first = places[0].matched
    for other in places[1:]:
        if any(
            not _equal(tensors[first[own]], tensors[at]) for own, at in other.matched.items() if own in first
        ):
            listed = _few([place.title for place in places])
            word = places[-1].prefix.rstrip(".")
            raise ModelError(
                f"{name} has different weights at several places: {listed}; choose one, such as "
                f"--weights-key {word} (weights_key={word!r})"
            )


def _equal(left: StoredTensor, right: StoredTensor) -> bool:
    same = left.storage is right.storage and left.offset == right.offset and left.stride == right.stride
    return same or torch.equal(left.read(), right.read())


def _largest(tensors: Mapping[tuple[str, str], StoredTensor]) -> _Place:
    counts: dict[str, int] = {}
    for above, _ in tensors:
        counts[above] = counts.get(above, 0) + 1
    above = max(counts, key=lambda each: counts[each])
    return _Place(above, {})


def _found(
    place: _Place, tensors: Mapping[tuple[str, str], StoredTensor], others: Sequence[tuple[str, str]]
) -> Found:
    """Takes the weights of a place, and all else that lies in the same mappings."""
    state = {own: tensors[at] for own, at in place.matched.items()}
    taken, mappings = (
        {*place.matched.values()},
        {above for above, _ in place.matched.values()} or {place.prefix},
    )
    for (above, key), tensor in tensors.items():
        if above in mappings and (above, key) not in taken:
            full = _unwrapped(above + key)
            state.setdefault(full.removeprefix(_unwrapped(place.prefix)) if full else key, tensor)
    return Found(state, [key for above, key in others if above in mappings])


def _tops(content: Any) -> list[str]:
    return [repr(key) for key, item in _items(content) if isinstance(item, StoredTensor) or any(_items(item))]


def _nothing(name: str, content: Any) -> ModelError:
    objects = [content, *(item for _, item in _items(content))]
    pickled = [each.path for each in objects if isinstance(each, Placeholder)]
    if pickled:
        return ModelError(
            f"{name} holds Python objects ({pickled[0]:.80}) and no tensors by name; nothing of it was run: "
            "save module.state_dict() with torch.save. If the file is your own and holds the module itself, "
            f"do that with torch.save(torch.load({name!r}, weights_only=False).state_dict(), 'weights.pt')"
        )
    return ModelError(f"{name} holds no state_dict: save module.state_dict() with torch.save")


def _few(items: Sequence[str]) -> str:
    more = f" and {len(items) - 3} more" if len(items) > 3 else ""
    return f"{', '.join(f'{item:.80}' for item in items[:3]) or 'none'}{more}"
