"""Checkpoints with all that training scripts keep with the weights, at any place, in both formats."""

from __future__ import annotations

import argparse
import collections
import datetime
import enum
import pathlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pi_bench.cli.parser import make_parser
from pi_bench.errors import ModelError, UsageError

torch = pytest.importorskip("torch")
from torch import nn

import pi_bench
from pi_bench.cli import export_module


class Stage(enum.Enum):
    FINETUNED = 2


class Settings:
    def __init__(self) -> None:
        self.rate = 0.1


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Sequential(nn.Linear(2, 3)))


class Wrapped(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.model = network(9)


STATE = network().state_dict()
OTHER = network(1).state_dict()


def named(prefix: str, state: dict[str, Any]) -> dict[str, Any]:
    return {prefix + name: value for name, value in state.items()}


def trained() -> dict[str, Any]:
    optimizer = torch.optim.SGD(network().parameters(), lr=0.1, momentum=0.9)
    return {
        "best_acc": np.float64(91.2),
        "history": np.arange(5.0),
        "args": argparse.Namespace(lr=0.1),
        "settings": Settings(),
        "stage": Stage.FINETUNED,
        "when": datetime.datetime(2020, 1, 1),
        "where": pathlib.Path("runs"),
        "counts": collections.Counter("abc"),
        "classes": {1, 2},
        "device": torch.device("cpu"),
        "dtype": torch.float16,
        "optimizer": optimizer.state_dict(),
        "epoch": 160,
    }


FORMS: dict[str, Any] = {
    "beside_everything": {"state_dict": STATE},
    "model": {"model": named("module.", STATE)},
    "snet": {"snet": named("module._orig_mod.", STATE)},
    "any_key": {"checkpoint": {"the network": collections.OrderedDict(STATE)}},
    "lightning": {"state_dict": named("net.", STATE), "hyper_parameters": {"lr": 0.1}},
    "averaged": {"n_averaged": torch.tensor(3), **named("module.", STATE)},
    "exponential": named("ema.module.", STATE),
    "wrapped_inside": {
        name.replace("2.0", "2.module.0") if name[0] == "2" else name: value for name, value in STATE.items()
    },
    "operations": {**STATE, "total_ops": torch.zeros(1), "0.total_params": torch.zeros(1)},
    "flat_with_numbers": {**STATE, "epoch": 3, "args": argparse.Namespace()},
    "parameters": {name: nn.Parameter(value, requires_grad=False) for name, value in STATE.items()},
    "same_twice": {"state_dict": STATE, "best_state": {name: value.clone() for name, value in STATE.items()}},
    "views": {"net": {name: torch.stack([value, value])[1] for name, value in STATE.items()}},
    "in_a_list": [3, STATE],
    "other_shapes_too": {"teacher": named("module.", {"0.weight": torch.ones(5)}), "net": STATE},
}

OF_TRAININGS = ("beside_everything", "snet")
"""The forms that have more of a training; a test adds it, because an optimizer imports torch's compiler."""


def same(module: nn.Module, state: dict[str, Any]) -> bool:
    return all(torch.equal(value, state[name]) for name, value in module.state_dict().items())


@pytest.mark.parametrize("is_archive", [True, False], ids=["archive", "before_1_6"])
@pytest.mark.parametrize("form", FORMS)
def test_the_weights_are_found(form: str, is_archive: bool, tmp_path: Path) -> None:
    path = tmp_path / "c.pth.tar"
    content = {**trained(), **FORMS[form]} if form in OF_TRAININGS else FORMS[form]
    torch.save(content, path, _use_new_zipfile_serialization=is_archive)
    module = network(7)
    pi_bench.load_weights(module, path)
    assert same(module, STATE)


def test_a_wrapper_takes_the_weights_of_its_network(tmp_path: Path) -> None:
    torch.save({"state_dict": STATE}, tmp_path / "c.pt")
    module = Wrapped()
    pi_bench.load_weights(module, tmp_path / "c.pt")
    assert same(module.model, STATE)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_protocol_of_pickle(protocol: int, tmp_path: Path) -> None:
    for is_archive in (True, False):
        path = tmp_path / f"{is_archive}.pt"
        content = {**trained(), "net": STATE}
        torch.save(content, path, pickle_protocol=protocol, _use_new_zipfile_serialization=is_archive)
        module = network(7)
        pi_bench.load_weights(module, path)
        assert same(module, STATE)


def test_several_places_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    torch.save({"state_dict": STATE, "ema": named("module.", OTHER)}, path)
    with pytest.raises(
        ModelError, match=r"different weights .*: 'state_dict', 'ema.module'; .*--weights-key "
    ) as caught:
        pi_bench.load_weights(network(7), path)
    assert "\n" not in str(caught.value)
    for key, state in [("state_dict", STATE), ("ema", OTHER)]:
        module = network(7)
        pi_bench.load_weights(module, path, weights_key=key)
        assert same(module, state)
    with pytest.raises(ModelError, match="no weights under 'teacher'; it has 'state_dict', 'ema'"):
        pi_bench.load_weights(network(7), path, weights_key="teacher")
    torch.save({**named("student.", STATE), **named("teacher.", OTHER)}, path)
    module = network(7)
    assert pi_bench.load_weights(module, path, weights_key="teacher") == () and same(module, OTHER)


def test_extra_tensors_are_named_and_left_out_on_request(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    torch.save({"net": {**STATE, "criterion.weight": torch.ones(2), "epoch": 4}}, path)
    with pytest.raises(
        ModelError, match=r"unexpected: criterion\.weight; .*leave them out with --ignore-extra"
    ):
        pi_bench.load_weights(network(7), path)
    module = network(7)
    ignored = pi_bench.load_weights(module, path, ignore_extra=True)
    assert same(module, STATE) and sorted(ignored) == ["criterion.weight", "epoch"]
    torch.save({"net": {**OTHER, "0.total_ops": torch.ones(1)}}, path)
    assert pi_bench.load_weights(module, path) == ("0.total_ops",) and same(module, OTHER)


def test_weights_of_half_precision_and_expanded_ones(tmp_path: Path) -> None:
    state = {name: value.half() if value.is_floating_point() else value for name, value in STATE.items()}
    state["1.weight"] = torch.ones(1).half().expand(2)
    torch.save(state, tmp_path / "c.pt")
    module = network(7)
    pi_bench.load_weights(module, tmp_path / "c.pt")
    assert same(module, {name: value.float() for name, value in state.items()})


def test_the_options_go_with_a_checkpoint() -> None:
    for words in ("--weights-key ema", "--ignore-extra"):
        parsed = make_parser().parse_args(["export", "--module", "a:b", "-o", "m.pt", *words.split()])
        with pytest.raises(UsageError, match=f"{words.split()[0]} goes with --weights"):
            export_module.require_fitting(parsed)
