"""One network as a user would measure it: `pi-bench export`, `pi-bench latency`, each a command."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.proof.networks import Network

WARMUP = 1
TRAINED, DRAWN = "trained", "drawn at random"


class FailedRow(Exception):
    """A command that ended with an error; its last line."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A network's recipe, its model file, and where its masks come from."""

    network: Network
    recipe: Any
    model: Path
    masks: str | None


def measure(exported: Exported, protocol: str) -> dict[str, Any]:
    """Returns the record of a network under a protocol (`record`).

    Raises:
        FailedRow: naming the command and its message.
    """
    network, model = exported.network, exported.model
    result = model.with_name(f"{network.name}.{protocol}.result.json")
    options = ("--protocol", protocol, "--runs", network.runs, "--warmup", WARMUP, "--no-history")
    _pi_bench("latency", model, *options, "--json", result)
    return record(exported, json.loads(result.read_text()))


def export(network: Network, folder: Path, searched: Path) -> Exported:
    """Writes the model file of a network into a folder.

    Args:
        network: the network of the row.
        folder: the folder for the model file. It is created if it is missing.
        searched: the folder of a `pi-bench reduce snl`, whose networks have trained masks. Where it lacks a
            network, the masks are drawn.

    Raises:
        FailedRow: naming the command and its message.
    """
    folder.mkdir(parents=True, exist_ok=True)
    models = importlib.import_module("pi_bench.models")
    recipe, model = models.load_recipe(network.recipe), folder / f"{network.name}.pt"
    if network.masks is None:
        _pi_bench("export", "--recipe", network.recipe, "--output", model)
        return Exported(network, recipe, model, None)
    trained = searched / "networks" / str(network.masks)
    if (trained / "state.pt").exists():
        path = trained / "recipe.toml"
        _pi_bench("export", "--recipe", path, "--weights", trained / "state.pt", "--output", model)
        return Exported(network, models.parse_recipe(path.read_text(), str(path)), model, TRAINED)
    recipe = dataclasses.replace(recipe, name=network.name, kept_relus=network.masks, published=None)
    path = folder / f"{network.name}.toml"
    writing = importlib.import_module("pi_bench.models.recipe_writing")
    path.write_text(writing.format_recipe(recipe))
    _pi_bench("export", "--recipe", path, "--output", model)
    return Exported(network, recipe, model, DRAWN)


def record(exported: Exported, result: dict[str, Any]) -> dict[str, Any]:
    """Returns the table's figures of a result (`pi-bench schema result`), as JSON values in SI units."""
    network, recipe = exported.network, exported.recipe
    online, verification = result["online"], result["verification"]
    environment = result["environment"]
    return {
        "name": network.name,
        "title": network.title,
        "protocol": result["protocol"],
        "masks": exported.masks,
        "parameter_count": recipe.parameter_count,
        "relu_count": recipe.relu_count,
        "paper_relu_count": network.paper,
        "source": network.source,
        "garbled_relu_count": result["network"]["relu_count"],
        "truncation_count": result["network"]["truncation_count"],
        "multiplication_count": result["network"]["square_count"] + result["network"]["product_count"],
        "mac_count": result["network"]["mac_count"],
        "mode": result["mode"],
        "runs": result["runs"],
        "online_s": {name: online["latency_s"][name] for name in ("median", "q1", "q3", "min", "max")},
        "offline_s": result["offline"]["time_s"],
        "comm_round_count": online["comm_round_count"],
        "online_bytes": online["wire_bytes"],
        "offline_bytes": result["offline"]["wire_bytes"],
        "storage_bytes": result["storage_bytes"],
        "peak_memory_bytes": {
            party: max(phases.values()) for party, phases in result["peak_memory_bytes"].items()
        },
        "verified": verification["passed"],
        "max_ulp_error": verification["max_ulp_error"],
        "mismatch_count": verification["mismatch_count"],
        "out_of_range_count": verification["out_of_range_count"],
        "compared_count": verification["compared_count"],
        "argmax_agrees_with_float": verification["argmax_agrees_with_float"],
        "machine": {
            name: environment[name] for name in ("cpu_model", "usable_core_count", "instruction_set")
        },
        "cautions": " ".join(caution["code"] for caution in result["cautions"]),
        "commit": environment["commit"],
        "time": environment["time"],
    }


def _pi_bench(*arguments: object) -> None:
    words = [str(argument) for argument in arguments]
    # Each party's threads are the command's own choice, not this process's.
    variables = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pi_bench", *words], capture_output=True, text=True, env=variables
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise FailedRow(f"pi-bench {words[0]}: {said[0]}")
