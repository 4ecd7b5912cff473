"""Labels runs, so that a reader can tell them apart in a plot."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import msgspec

from pi_bench.page.doubts import is_unsteady
from pi_bench.page.inputs import NamedResult, printable
from pi_bench.report.cautions import LINK_CODES, link_cautions
from pi_bench.report.documents.latency import Result
from pi_bench.report.quantities import counted

CAUTION_MARK = "\N{WARNING SIGN}"
"""The part of a label that tells that the result has a caution."""
DOUBT_MARK = "\N{DAGGER}"
"""The part of a label that tells that the online latency is uncertain (`pi_bench.page.doubts`)."""
_MARKS = (CAUTION_MARK, DOUBT_MARK)
_SEPARATOR = " · "
_DIGEST_CHARACTERS = 8
_NETWORK_KEYS = 3  # the name, the inputs and the ReLUs
_Key = tuple[str | int, ...]


@dataclass(frozen=True)
class LabeledRun:
    """Holds a run under the label that plots and tables have for it.

    Attributes:
        number: its place on the page, from 1.
        label: a text that no other run of the page has.
        network: the name of its network, which networks with other ReLUs or programs do not have.
        settings: names and values of all settings in which the runs of the page differ, the network among
            them; empty if these do not tell every run from the others.

    ```python
    def print_labels(runs: list[LabeledRun]) -> None:
        print(*(run.label for run in runs))
    ```
    """

    number: int
    label: str
    network: str
    result: Result
    settings: tuple[tuple[str, str], ...] = ()


def labeled_runs(results: Sequence[NamedResult]) -> list[LabeledRun]:
    """Labels every run with its network and with each setting in which the runs differ.

    A beginning that the names of all networks share, up to a hyphen, becomes an ellipsis. Runs that have
    everything in common get the parts in which the names of their files differ, or numbers. A result with a
    caution is marked at the end of its label, and so is another one whose latency is uncertain. Cautions
    about a link are worded again from its probe, because results of older versions do not have all of them.

    >>> labeled_runs([])
    []
    """
    found = [_with_link_cautions(each.result) for each in results]
    networks = network_names(found)
    shared = shared_beginning([each.network.name for each in found])
    short = [_shortened(network, shared) for network in networks]
    written = [[_written(name, read(each)) for each in found] for name, read in _FIELDS.items()]
    fields = [*(values for values in written if len(set(values)) > 1), _options(found)]
    labels = [
        _SEPARATOR.join([network, *(values[number] for values in fields if values[number])])
        for number, network in enumerate(short)
    ]
    labels = _told_apart(labels, lambda alike: _differences([printable(results[at].name) for at in alike]))
    labels = _told_apart(labels, lambda alike: [f"#{at + 1}" for at in alike])
    labels = [_marked(label, result) for label, result in zip(labels, found, strict=True)]
    labels = _told_apart(labels, lambda alike: [f"#{at + 1}" for at in alike])
    parts = zip(labels, networks, found, _differing_settings(found, short), strict=True)
    return [LabeledRun(number, *each) for number, each in enumerate(parts, start=1)]


def _with_link_cautions(result: Result) -> Result:
    others = [caution for caution in result.cautions if caution.code not in LINK_CODES]
    return msgspec.structs.replace(result, cautions=(*others, *link_cautions(result)))


def network_names(results: Sequence[Result]) -> list[str]:
    """Names the network of each run, with its ReLUs or its digest where several networks have the name.

    ```python
    def network_count(results: list[Result]) -> int:
        return len(set(network_names(results)))
    ```
    """
    relu_counts: dict[_Key, set[int]] = defaultdict(set)
    digests: dict[_Key, set[str]] = defaultdict(set)
    for each in results:
        relu_counts[_batch(each)].add(each.network.relu_count)
        digests[_settings(each)].add(each.network.digest)
    alike = {key[:_NETWORK_KEYS] for key, found in digests.items() if len(found) > 1}
    return [
        each.network.name
        + (f" ({each.network.relu_count:,} ReLUs)" if len(relu_counts[_batch(each)]) > 1 else "")
        + (f" {each.network.digest[:_DIGEST_CHARACTERS]}" if _settings(each)[:_NETWORK_KEYS] in alike else "")
        for each in results
    ]


def _batch(result: Result) -> _Key:
    return result.network.name, result.network.input_count


def _settings(result: Result) -> _Key:
    """Returns what the runs of one digest share: the network, and what decides how layers are fused."""
    network = result.network
    if network.fusion is None:
        return (*_batch(result), network.relu_count)
    return (*_batch(result), network.relu_count, result.protocol, result.mode, result.link.name)


def _told_apart(labels: Sequence[str], suffixes_of: Callable[[Sequence[int]], Sequence[str]]) -> list[str]:
    """Adds suffixes to the labels that several runs have.

    Args:
        suffixes_of: returns the suffixes of runs with one label; empty for none.
    """
    places: dict[str, list[int]] = defaultdict(list)
    for at, label in enumerate(labels):
        places[label].append(at)
    found = list(labels)
    for label, alike in places.items():
        if len(alike) > 1:
            for at, suffix in zip(alike, suffixes_of(alike), strict=True):
                found[at] = f"{label}{_SEPARATOR}{suffix}" if suffix else label
    return found


def _differences(names: Sequence[str]) -> list[str]:
    """Cuts off what the names share at both ends, up to hyphens. Settings of a sweep stand there."""
    if len(set(names)) == 1:
        return [""] * len(names)
    begin = len(shared_beginning(names))
    rest = [name[begin:] for name in names]
    end = len(shared_beginning([name[::-1] for name in rest]))
    return [name[: len(name) - end] for name in rest]


def mark_of(result: Result, phase: str = "") -> str:
    """Returns the mark of a result: that of a caution, that of an uncertain online latency, or "".

    Args:
        phase: the phase whose figure is marked; "" for the result as a whole.

    ```python
    def without_a_mark(runs: list[LabeledRun]) -> list[LabeledRun]:
        return [run for run in runs if not mark_of(run.result)]
    ```
    """
    if any(not phase or not each.phases or phase in each.phases for each in result.cautions):
        return CAUTION_MARK
    return DOUBT_MARK if phase != "offline" and is_unsteady(result) else ""


def with_mark(text: str, phase: str, *results: Result) -> str:
    """Adds to the text of a figure the gravest mark of the results from which it follows, if one has a mark.

    >>> with_mark("5.42 ms", "online")
    '5.42 ms'
    """
    found = {mark_of(result, phase) for result in results}
    return next((f"{text} {mark}" for mark in _MARKS if mark in found), text)


def _marked(label: str, result: Result) -> str:
    mark = mark_of(result)
    return f"{label}{_SEPARATOR}{mark}" if mark else label


def label_parts(label: str) -> list[str]:
    """Divides a label into the network and the settings that it names, without a mark.

    >>> label_parts("resnet18 · fss · lan · \N{WARNING SIGN}")
    ['resnet18', 'fss', 'lan']
    """
    return [part for part in label.split(_SEPARATOR) if part not in _MARKS]


def shared_beginning(names: Sequence[str]) -> str:
    """Returns the beginning up to a hyphen that all names share; "" if there is one name alone.

    >>> shared_beginning(["resnet18-cifar100-12288", "resnet18-cifar100-57344"])
    'resnet18-cifar100-'
    """
    if len(set(names)) < 2:
        return ""
    lowest, highest = min(names), max(names)  # what they share, all names between them share
    shared = "".join(
        letter
        for letter, _ in itertools.takewhile(
            lambda pair: pair[0] == pair[1], zip(lowest, highest, strict=False)
        )
    )
    return shared[: shared.rfind("-") + 1]


def ellipsis_text(results: Sequence[Result]) -> str:
    """Says which beginning the ellipsis in labels stands for; "" if the labels have none.

    >>> ellipsis_text([])
    ''
    """
    shared = shared_beginning([each.network.name for each in results])
    return f"The names of all networks begin with {shared}, and … stands for it." if shared else ""


def _shortened(name: str, shared: str) -> str:
    return f"…{name[len(shared) :]}" if shared else name


def by_link(runs: Sequence[LabeledRun]) -> dict[str, list[LabeledRun]]:
    """Groups runs by the names of their links. Times on several links differ too much for one axis.

    >>> by_link([])
    {}
    """
    found: dict[str, list[LabeledRun]] = defaultdict(list)
    for run in runs:
        found[link_name(run.result)].append(run)
    return dict(found)


def on_one_link(run: LabeledRun) -> LabeledRun:
    """Leaves the link out of the label of a run, for a plot or a table of one link.

    ```python
    def shorter_labels(runs: list[LabeledRun]) -> list[str]:
        return [on_one_link(run).label for run in runs]
    ```
    """
    return replace(run, label=_marked(without_link(run), run.result))


def without_link(run: LabeledRun) -> str:
    """Returns the label of a run without the name of its link and without a mark.

    ```python
    def settings_beside_the_link(runs: list[LabeledRun]) -> set[str]:
        return {without_link(run) for run in runs}
    ```
    """
    network, *settings = label_parts(run.label)
    link = link_name(run.result)
    if link in settings:
        settings.remove(link)
    return _SEPARATOR.join([network, *settings])


def link_name(result: Result) -> str:
    """Names the link of a run.

    ```python
    def on_loopback(result: Result) -> bool:
        return link_name(result) == "loopback"
    ```
    """
    return result.link.name


def _written(name: str, value: str) -> str:
    """Writes a setting in a label, where its name is left out unless the value needs it."""
    return f"mode {value}" if name == "mode" else value


def _options(results: Sequence[Result]) -> list[str]:
    """Writes the options of each run that differ between runs of its protocol.

    Protocols have different options, which tell nothing that the names of the protocols do not tell.
    """
    differing = _differing_options(results)
    return [
        ", ".join(
            f"{name.replace('_', ' ')} {value}"
            for name, value in sorted(each.options.items())
            if (each.protocol, name) in differing
        )
        for each in results
    ]


def _differing_options(results: Sequence[Result]) -> set[tuple[str, str]]:
    """Returns protocol and name of each option that differs between runs of this protocol."""
    known: dict[tuple[str, str], set[str]] = defaultdict(set)
    for each in results:
        for name, value in each.options.items():
            known[each.protocol, name].add(str(value))
    return {key for key, values in known.items() if len(values) > 1}


def _differing_settings(
    results: Sequence[Result], networks: Sequence[str]
) -> list[tuple[tuple[str, str], ...]]:
    """Returns the names and values of each run for all settings in which the runs differ.

    It returns nothing for each run if two runs have the same values. A run whose protocol does not have an
    option has "-" for it.
    """
    options = sorted({name for _, name in _differing_options(results)})
    columns = [
        ("network", list(networks)),
        *((name, [read(each) for each in results]) for name, read in _FIELDS.items()),
        *(
            (name.replace("_", " "), [str(each.options.get(name, "-")) for each in results])
            for name in options
        ),
    ]
    columns = [(name, values) for name, values in columns if len(set(values)) > 1]
    rows = [tuple((name, values[at]) for name, values in columns) for at in range(len(results))]
    return rows if len(set(rows)) == len(rows) else [()] * len(rows)


_FIELDS: dict[str, Callable[[Result], str]] = {
    "protocol": lambda result: result.protocol,
    "link": link_name,
    "mode": lambda result: result.mode,
    "threads": lambda result: counted(result.environment.threads, "thread"),
    "inputs": lambda result: counted(result.network.input_count, "input"),
    "fusion": lambda result: "fused" if result.network.fusion is not None else "not fused",
    "processor": lambda result: result.environment.cpu_model,
}
"""The settings that may tell runs apart, beside the network and the options of its protocol."""
