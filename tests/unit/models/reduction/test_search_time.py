"""The time of a search: the sum over all logs, and logs of earlier versions or that are damaged."""

import pytest

from pi_bench.errors import OutputError
from pi_bench.models.reduction.search_time import SearchTime, search_time
from pi_bench.models.training.logs import write_rows


def test_all_trainings_of_all_sittings_count(tmp_path):
    (tmp_path / "networks" / "60").mkdir(parents=True)
    write_rows(tmp_path / "log.csv", [{"epoch": 1, "seconds": 2.0, "cpu_seconds": 1.5}])
    write_rows(
        tmp_path / "networks" / "60" / "log.csv", [{"step": 1, "seconds": 3.0, "cpu_seconds": 5.5}] * 2
    )
    assert search_time(tmp_path) == SearchTime(3, 8.0, 12.5)


def test_an_epoch_without_cpu_time_leaves_it_out(tmp_path):
    """A training that an earlier version began has such lines, and the header has the key all the same."""
    old, new = {"epoch": 1, "seconds": 2.0}, {"epoch": 2, "seconds": 3.0, "cpu_seconds": 2.5}
    write_rows(tmp_path / "log.csv", [old, new])
    assert (tmp_path / "log.csv").read_text() == "epoch,seconds,cpu_seconds\n1,2.0,\n2,3.0,2.5\n"
    found = search_time(tmp_path)
    assert found == SearchTime(2, 5.0, None)
    assert str(found) == "2 epochs of all trainings: 0.1 minutes"


@pytest.mark.parametrize(
    "text", ["epoch\n1\n", "epoch,seconds\n1,soon\n", "seconds\n\0\n", "epoch,seconds\n1\n"]
)
def test_a_damaged_log_is_named(tmp_path, text):
    (tmp_path / "log.csv").write_text(text)
    with pytest.raises(OutputError, match=r"log\.csv is no log of a training: delete its folder"):
        search_time(tmp_path)
