"""What a run needs besides time: storage and memory. The networks and the protocols with their settings."""

from __future__ import annotations

from collections.abc import Sequence

from pi_bench.errors import PiBenchError
from pi_bench.page.parts import PageTable, Section
from pi_bench.page.run_groups import group_text
from pi_bench.page.runs import LabeledRun, label_parts
from pi_bench.registry import find_protocol
from pi_bench.report.bits import bits_text
from pi_bench.report.documents.latency import Result
from pi_bench.report.documents.security import SecurityStatement
from pi_bench.report.quantities import byte_count, seconds
from pi_bench.report.security import estimates_text, parameters_text

_TITLE = "Networks, protocols and memory"
_THREAT_MODEL = "`docs/threat-model.md` of pi-bench "
_SECURITY_WORDS = (
    "derives the security that the protocols state. The computational security is that of the weakest "
    "estimate."
)
_NO_SECURITY_WORDS = (
    "states the adversary, the level of security and the parameters of the encryption and of the garbling."
)


def section(runs: Sequence[LabeledRun]) -> Section:
    """Returns the tables of networks, of protocols and of what each run needs.

    >>> section([]).missing
    ('No run is given.',)
    """
    if not runs:
        return Section("resources", _TITLE, missing=("No run is given.",))
    securities = _securities(runs)
    return Section(
        "resources",
        _TITLE,
        words=(
            "Agreement is the part of some inputs on which the integer network, which the protocol computes, "
            "names the same class as the float network. The typical logit error is given in percent of the "
            "median distance from the smallest to the largest logit. Neither compares with the right "
            "classes.",
            "Storage is what a party keeps from the offline phase for one inference. Peak memory is the "
            "largest resident memory of a party in any phase.",
            _THREAT_MODEL + (_SECURITY_WORDS if securities else _NO_SECURITY_WORDS),
        ),
        tables=(_networks(runs), _protocols(runs), *securities, _needs(runs)),
    )


def _networks(runs: Sequence[LabeledRun]) -> PageTable:
    rows = dict.fromkeys(_network_texts(run) for run in runs)
    return PageTable(
        "Networks",
        (
            "network",
            "ReLUs",
            "truncations without ReLU",
            "multiply-accumulates",
            "weights",
            "fixed point",
            "agreement",
            "typical logit error",
        ),
        tuple(rows),
    )


def _network_texts(run: LabeledRun) -> tuple[str, ...]:
    result = run.result
    network, fidelity = result.network, result.fidelity
    same = None if fidelity is None else fidelity.same_class_pct
    error = None if fidelity is None else fidelity.logit_error_pct
    return (
        label_parts(run.label)[0],
        f"{network.relu_count:,}",
        f"{network.truncation_count:,}",
        f"{network.mac_count:,}",
        network.weights or "unknown",
        bits_text(result.bits) if result.bits is not None and result.bits.activations else "-",
        "-" if fidelity is None or same is None else f"{same:.0f} % of {fidelity.sample_count:,} inputs",
        "-" if error is None else f"{error:.2g} %",
    )


def _protocols(runs: Sequence[LabeledRun]) -> PageTable:
    rows = dict.fromkeys(_protocol_settings(run.result) for run in runs)
    abouts = {name: _about(name) for name in dict.fromkeys(row[0] for row in rows)}
    return PageTable(
        "Protocols",
        ("protocol", "mode", "secure", "options", "about it"),
        tuple((*row, abouts[row[0]]) for row in rows),
    )


def _protocol_settings(result: Result) -> tuple[str, ...]:
    options = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in sorted(result.options.items()))
    return (
        result.protocol,
        result.mode,
        "yes" if result.secure else "no, it protects nothing",
        options or "-",
    )


def _about(protocol: str) -> str:
    """Returns what a protocol says about itself; nothing for one that is not installed."""
    try:
        found = find_protocol(protocol)
    except PiBenchError:
        return "-"
    return " ".join(filter(None, (found.meaning, found.caveat))) or "-"


def _securities(runs: Sequence[LabeledRun]) -> tuple[PageTable, ...]:
    """Returns the table of what the protocols state; nothing where no run has a statement."""
    found: dict[tuple[str, ...], list[LabeledRun]] = {}
    for run in runs:
        if run.result.security is not None:
            texts = _security_texts(run.result.protocol, run.result.security)
            found.setdefault(texts, []).append(run)
    if not found:
        return ()
    return (
        PageTable(
            "Security and parameters",
            ("protocol", "runs", "adversary", "computational", "statistical", "estimates", "parameters"),
            tuple((texts[0], group_text(own, runs), *texts[1:]) for texts, own in found.items()),
        ),
    )


def _security_texts(protocol: str, security: SecurityStatement) -> tuple[str, ...]:
    return (
        protocol,
        security.adversary,
        f"{security.computational_bits:g} bits",
        f"{security.statistical_bits} bits",
        estimates_text(security),
        parameters_text(security),
    )


def _need_figures(result: Result) -> tuple[float, int, int, int, int]:
    stored, (client, server) = (
        result.storage_bytes,
        (
            max(party.set_up, party.offline, party.online)
            for party in (result.peak_memory_bytes.client, result.peak_memory_bytes.server)
        ),
    )
    return result.setup.time_s, stored.client, stored.server, client, server


def _needs(runs: Sequence[LabeledRun]) -> PageTable:
    figures = [_need_figures(run.result) for run in runs]
    return PageTable(
        "Set-up, storage and memory of each run",
        (
            "run",
            "set-up",
            "storage at the client",
            "storage at the server",
            "peak memory of the client",
            "peak memory of the server",
        ),
        tuple(
            (run.label, seconds(own[0]), *map(byte_count, own[1:]))
            for run, own in zip(runs, figures, strict=True)
        ),
        sort_values=tuple((None, *own) for own in figures),
        folded=True,
    )
