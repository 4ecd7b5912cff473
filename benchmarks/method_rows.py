"""The networks of several searches: their accuracy, and their measured and predicted times on several links.

Each row is stored in the folder as soon as it is measured (`resumable`), and one for a network that a search
has added since is measured with the next command.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.fidelity_networks import pi_bench
from benchmarks.resumable import Row, resumed
from pi_bench.cli.evaluation_data import samples_of
from pi_bench.cli.parser import make_parser
from pi_bench.models.reduction.candidate import Candidate, caution_codes
from pi_bench.models.reduction.frontier import on_frontier
from pi_bench.models.reduction.pareto_table import TABLE_FILE, read_table
from pi_bench.network.files.model_file import load_model
from pi_bench.progress import silent

TIMES = ("online", "total")


def networks_of(searches: Sequence[Path]) -> dict[str, Candidate]:
    """Returns the trained networks of search folders by name: the folder's name and the step of the search.

    A network that several searches share, such as a baseline, is listed with the first one.

    Raises:
        ValueError: Two searches have folders of one name.
    """
    names = [search.resolve().name for search in searches]
    if len(set(names)) < len(names):
        raise ValueError("two searches have folders of one name; rename one of them")
    found: dict[Path, tuple[str, Candidate]] = {}
    for name, search in zip(names, searches, strict=True):
        for network in read_table(search / TABLE_FILE, Path()):
            if network.test_accuracy_pct is not None:
                own = f"{name}: {network.step or network.method}"
                found.setdefault(Path(network.folder).resolve(), (own, network))
    return dict(found.values())


def baseline_of(teacher: Path) -> dict[str, Candidate]:
    """Returns the network in the folder of a training, from which searches started."""
    result = json.loads((teacher / "result.json").read_text())
    recipe = result["recipe"]
    found = Candidate(
        recipe["name"],
        "baseline",
        "",
        recipe["relu_count"],
        test_accuracy_pct=result["test_accuracy_pct"],
        folder=str(teacher),
    )
    return {f"{teacher.resolve().name}: baseline": found}


def time_rows(
    networks: Mapping[str, Candidate], folder: Path, data: str, links: Sequence[str], protocol: str, runs: int
) -> list[Row]:
    """Returns one row per network and link, in seconds. `pi-bench latency` measures the missing ones.

    They answer a test image of `data`. Noise may leave the windows of a trained network.
    """
    wanted = (
        (
            _key(name, network) | {"protocol": protocol, "link": link},
            partial(_times, network, data, protocol, link, runs),
        )
        for name, network in networks.items()
        for link in links
    )
    return resumed(folder / "times.json", wanted, measuring=runs > 0)


def accuracy_rows(
    networks: Mapping[str, Candidate], folder: Path, data: str, protocol: str, limit: int, private: int
) -> list[Row]:
    """Returns one row per network: accuracy of the float, the integer and the private network, in percent.

    The integer network answers `limit` test images, and two parties answer `private` of them.
    """

    def wanted() -> Iterator[tuple[Row, Callable[[], Row]]]:
        asked = {"data": data, "protocol": protocol, "limit": limit, "private": private}
        for name, network in networks.items():
            key = _key(name, network) | asked
            yield key, partial(_accuracy, network, data, protocol, limit, private)

    return resumed(folder / "accuracy.json", wanted(), measuring=limit > 0)


def on_some_frontier(rows: Sequence[Row]) -> set[str]:
    """Returns the names of the networks on a frontier of accuracy: over ReLUs, or over a time on a link."""
    found: set[str] = set()
    for link in dict.fromkeys(row["link"] for row in rows):
        own = [row for row in rows if row["link"] == link]
        accuracies = [row["test_accuracy_pct"] for row in own]
        for cost in ("relu_count", *(f"{time}_s" for time in TIMES)):
            flags = on_frontier([row[cost] for row in own], accuracies)
            found.update(row["network"] for row, best in zip(own, flags, strict=True) if best)
    return found


def _key(name: str, network: Candidate) -> Row:
    return {
        "network": name,
        "method": network.method,
        "relu_count": network.relu_count,
        "test_accuracy_pct": network.test_accuracy_pct,
    }


def _times(network: Candidate, data: str, protocol: str, link: str, runs: int) -> Row:
    model = Path(network.folder, "model.pt")
    with tempfile.TemporaryDirectory() as name:
        result, image = Path(name, "latency.json"), Path(name, "image.npy")
        np.save(image, _test_image(model, data))
        link_options = () if link == "loopback" else ("--link", link)
        pi_bench(
            *("latency", model, "--protocol", protocol, *link_options, "--input", image),
            *("--runs", runs, "--no-history", "--json", result),
        )
        found = json.loads(result.read_text())
    online, offline, predicted = found["online"], found["offline"], found["prediction"]
    latency = online["latency_s"]
    measured = {"online_s": latency["median"], "offline_s": offline["time_s"]}
    return {
        **measured,
        "online_q1_s": latency["q1"],
        "online_q3_s": latency["q3"],
        "total_s": sum(measured.values()),
        "predicted_online_s": predicted["online"]["latency_s"],
        "predicted_total_s": predicted["online"]["latency_s"] + predicted["offline"]["time_s"],
        "online_bytes": sum(online["bytes"].values()),
        "offline_bytes": sum(offline["bytes"].values()),
        "runs": runs,
        "cautions": " ".join(caution_codes(found)),
        **{name: found["environment"][name] for name in ("time", "commit", "cpu_model")},
    }


def _test_image(model: Path, data: str) -> np.ndarray:
    """Returns the first image that `pi-bench accuracy` would answer, float of the input's shape."""
    parsed = make_parser().parse_args(["accuracy", str(model), "--data", data, "--limit", "1"])
    return samples_of(parsed, load_model(model), silent).inputs[0]


def _accuracy(network: Candidate, data: str, protocol: str, limit: int, private: int) -> Row:
    with tempfile.TemporaryDirectory() as name:
        result = Path(name, "accuracy.json")
        pi_bench(
            *("accuracy", Path(network.folder, "model.pt"), "--data", data, "--protocol", protocol),
            *("--limit", limit, "--private-sample", private, "--no-history", "--json", result),
        )
        found = json.loads(result.read_text())
    scores = {name: found[name] for name in ("float", "integer", "private") if found[name]}
    return {
        f"{name}_{field}": score[field]
        for name, score in scores.items()
        for field in ("image_count", "accuracy_pct", "same_class_as_float_pct")
        if field in score
    }
