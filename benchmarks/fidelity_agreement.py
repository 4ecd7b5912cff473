"""Agreement and predicted online time of the fidelity table's networks: no quiet machine is needed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.fidelity_networks import FidelityNetwork, pi_bench
from benchmarks.resumable import Row, resumed
from pi_bench.network.compiler import CompileOptions

_DEFAULT = CompileOptions()
SETTINGS: dict[str, tuple[str, ...]] = {
    "before": (
        *("--activation-bits", str(_DEFAULT.activation_bits)),
        *("--weight-bits", str(_DEFAULT.weight_bits)),
    ),
    "after": (),
}


def made(network: FidelityNetwork, folder: Path) -> str:
    """Makes the network's model.pt in its folder, unless that is done, and returns its ``--data``."""
    note = folder / "data.txt"  # written last: it says that the model file is whole
    if not note.exists():
        folder.mkdir(parents=True, exist_ok=True)
        data = network.make(folder)
        note.write_text(data)
    return note.read_text()


def measure_agreement(network: FidelityNetwork, setting: str, folder: Path, limit: int) -> Row:
    """Compares the integer network with the float one on `limit` images, and predicts its online time."""
    data, model, flags = made(network, folder), folder / "model.pt", SETTINGS[setting]
    answers, cost = folder / f"{setting}-accuracy.json", folder / f"{setting}-cost.json"
    pi_bench(
        *("accuracy", model, "--data", data, "--limit", limit, "--private-sample", 0, "--no-remedies"),
        *(*flags, "--no-history", "--json", answers),
    )
    pi_bench("inspect", model, *flags, "--json", cost)
    found = json.loads(answers.read_text())
    integer = found["integer"]
    return {
        "bits": found["bits"],
        "image_count": integer["image_count"],
        "same_class_pct": integer["same_class_as_float_pct"],
        "same_class_interval_pct": integer["same_class_interval_pct"],
        "typical_logit_error_pct": integer["typical_logit_error_pct"],
        "predicted_online_s": json.loads(cost.read_text())["prediction"]["online"]["latency_s"],
    }


def agreement_rows(networks: Sequence[FidelityNetwork], folder: Path, limit: int) -> list[Row]:
    """Returns two rows per network, from FOLDER/agreement.json or measured now."""
    wanted = [
        (
            {"network": network.name, "setting": setting, "limit": limit},
            partial(measure_agreement, network, setting, folder / network.folder, limit),
        )
        for network in networks
        for setting in SETTINGS
    ]
    return resumed(folder / "agreement.json", wanted)
