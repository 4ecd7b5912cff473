"""A full disk and a kill in the middle leave the old file whole, whatever writes it."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pi_bench.atomic_file import whole_file
from pi_bench.cli.output import write_array, write_json
from pi_bench.costs import Costs
from pi_bench.errors import PiBenchError
from pi_bench.network.files.model_file import save_model
from pi_bench.network.graph import Graph
from pi_bench.prediction.costs_file import write_costs
from pi_bench.progress import silent

LIMIT_BYTES = 1000


def plainly(path: Path, graph: Graph) -> None:
    with whole_file(path) as file:
        file.write(b"new" * LIMIT_BYTES)


def costs(path: Path, graph: Graph) -> None:
    write_costs(Costs({"word": 1 / 3}, 1, {"cpu_model": "x" * LIMIT_BYTES}), path)


def training(path: Path, graph: Graph) -> None:
    files = pytest.importorskip("pi_bench.models.training.training_files")
    files.write_whole(path, b"new" * LIMIT_BYTES)


def archive(path: Path, graph: Graph) -> None:
    from pi_bench.models.data import archive

    origin = path.parent.with_name("origin")
    origin.write_bytes(b"new" * LIMIT_BYTES)
    archive.fetch(origin.as_uri(), path, 3 * LIMIT_BYTES, silent)


@pytest.mark.parametrize(
    "write",
    [
        plainly,
        lambda path, graph: write_json(path, {"text": "x" * LIMIT_BYTES}),
        lambda path, graph: write_array(path, np.zeros(LIMIT_BYTES)),
        lambda path, graph: save_model(graph, path),
        costs,
        training,
        archive,
    ],
    ids=["plainly", "json", "array", "model", "costs", "training", "archive"],
)
def test_a_full_disk_leaves_the_old_file(
    write: Callable[[Path, Graph], None], tiny_graph: Graph, tmp_path: Path
) -> None:
    path = tmp_path / "folder" / "file"
    path.parent.mkdir()
    path.write_text("old")
    write(path.with_name("other"), tiny_graph)  # imports and caches are ready before the disk is full
    path.with_name("other").unlink()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT_BYTES, hard))
    try:
        with pytest.raises((OSError, PiBenchError), match="File too large"):
            write(path, tiny_graph)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_a_kill_in_the_middle_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    code = (
        "import pathlib, sys, time\n"
        "from pi_bench.atomic_file import whole_file\n"
        "with whole_file(pathlib.Path(sys.argv[1])) as file:\n"
        "    file.write(b'new'); file.flush(); print('half', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"half\n"
        process.send_signal(signal.SIGKILL)
    assert path.read_text() == "old"
