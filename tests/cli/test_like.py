"""`pi-bench latency --like RESULT` repeats every option of the command."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from pi_bench.cli.arguments import Parser, as_fields
from pi_bench.cli.fusion_option import with_objectives
from pi_bench.cli.like_option import expanded
from pi_bench.cli.parser import make_parser
from pi_bench.registry import loadable_protocols

STORED = Path(__file__).parent.parent / "vectors" / "screens" / "latency.json"

SAMPLES = {
    "mode": "exact",
    "weight_bits": "9",
    "activation_bits": "11",
    "headroom_bits": "1.5",
    "scales": "per-tensor",
    "fuse": "online:wan",
    "fidelity": "99.5%",
    "runs": "7",
    "warmup": "0",
    "precision": "5%",
    "max_time": "12.5",
    "link": "rtt=3ms,up=10Mbit,down=40Mbit",
    "batch": "2",
    "threads": "1",
    "weight_cache": "123",
    "ahead": "3",
    "timeout": "33",
    "explain": None,
    "no_limits": None,
    "seed": "4",
}
"""Another value than the default for every option that changes a measurement; None for a flag alone."""

PLANS = {"protocol_he_plan": "bytes", "protocol_ot": "ferret", "protocol_garbling": "three-halves"}
"""Values of the options of protocols that are no numbers."""

GIVEN_ANEW = {"input", "costs", "measure_costs", "expect_digest"} | {
    *("connect", "expect_logits", "logits_tolerance", "insecure_verify", "trace", "max_ahead"),
}
"""Options that name files or the server of the first measurement, or check it; docs/measuring.md says so."""

WITHOUT_EFFECT = {"help", "protocol", "like", "output", "json", "history", "no_history", "verbose"} | {
    "layers",
    "format",
    "columns",
}


def command_of(protocol: str) -> Parser:
    (commands,) = (
        action for action in make_parser()._actions if isinstance(action, argparse._SubParsersAction)
    )
    command = commands.choices["latency"]
    assert isinstance(command, Parser) and command.complete is not None
    command.complete(["--protocol", protocol])
    return command


@pytest.mark.parametrize("protocol", [info.name for info in loadable_protocols()])
def test_every_option_of_the_parser_is_repeated(protocol: str, tmp_path: Path) -> None:
    command = command_of(protocol)
    words = ["latency", "model.pt", "--protocol", protocol]
    walked = set()
    for action in command._actions:
        name = action.dest
        if not action.option_strings or name in GIVEN_ANEW | WITHOUT_EFFECT:
            continue
        walked.add(name)
        own = PLANS.get(name, "2") if name.startswith("protocol_") else SAMPLES.get(name, "")
        assert own != "", f"{action.option_strings[-1]} is new: add a value to SAMPLES that --like repeats"
        words += [action.option_strings[-1] if len(action.option_strings) == 1 else action.option_strings[0]]
        words += [] if own is None else [own]
    assert set(SAMPLES) <= walked
    first = make_parser().parse_args(with_objectives(words))
    changed = {name for name in walked if getattr(first, name) != command.get_default(name)}
    assert changed == walked, "every sample differs from the default"
    document = json.loads(STORED.read_text()) | {"arguments": as_fields(first), "protocol": protocol}
    result = tmp_path / "result.json"
    result.write_text(json.dumps(document))
    again = make_parser().parse_args(expanded(["latency", "model.pt", "--like", str(result)], make_parser))
    assert as_fields(again) == {**as_fields(first), "protocol": protocol}
    assert again.link == first.link
