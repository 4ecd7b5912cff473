"""Engines: a killed training goes on from its checkpoint, and every engine gives the same networks."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from pi_bench.errors import EnvironmentUnsupportedError, TrainingError
from pi_bench.models.deepreduce_plan import search_plan
from pi_bench.models.reduction import engine_local
from pi_bench.models.reduction.engine import run_jobs
from pi_bench.models.reduction.engine_local import LocalEngine
from pi_bench.models.reduction.engine_ray import RayEngine
from pi_bench.models.reduction.job import FAILURE_FILE, Job
from pi_bench.models.reduction.training_job import training_job
from tests.waiting import eventually

from .conftest import RECIPE, InlineEngine, weights_of

EPOCHS = 3


@pytest.fixture(scope="module", autouse=True)
def few_digits():
    """Leaves all digits, which the processes of engines load."""


@pytest.fixture(scope="module")
def longer(settings):
    return dataclasses.replace(settings.training, epochs=EPOCHS, batch_size=128)


@pytest.fixture(scope="module")
def rounds(base, longer):
    """The jobs in a folder that run at once, one round after the other: a teacher, and two students."""

    def jobs(folder):
        common = {"data_dir": Path("nowhere"), "device": "cpu", "threads": 1}
        teacher = training_job("teacher", base, longer, folder / "teacher", **common)
        students = [
            training_job(
                f"1-{one.step}",
                one.recipe,
                longer,
                folder / "networks" / f"1-{one.step}",
                teacher=folder / "teacher",
                **common,
            )
            for one in search_plan(base, (1, 2))[:2]
        ]
        return [teacher], students

    return jobs


def run_all(engine, rounds):
    for jobs in rounds:
        outcomes = run_jobs(engine, jobs, lambda *_: None, lambda outcome, fresh: None)
        assert all(outcome.result is not None for outcome in outcomes.values())


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, rounds):
    """The same jobs in one process that nobody kills."""
    folder = tmp_path_factory.mktemp("undisturbed")
    run_all(InlineEngine(), rounds(folder))
    return weights_of(folder), folder


class Killer(threading.Thread):
    """Kills the process that trains in each of `folders`, once, when it has a checkpoint."""

    def __init__(self, *folders):
        super().__init__(daemon=True)
        self.waiting, self.killed, self.ended = list(folders), [], threading.Event()

    def run(self):
        while self.waiting and not self.ended.wait(0.002):
            for folder in list(self.waiting):
                if (folder / "log.csv").exists():
                    self.waiting.remove(folder)
                    if not (folder / "result.json").exists():
                        os.kill(int((folder / ".lock").read_text()), signal.SIGKILL)
                        self.killed.append(folder.name)

    def __exit__(self, *_):
        self.ended.set()
        self.join()

    def __enter__(self):
        self.start()
        return self


def test_killed_processes_change_nothing(tmp_path, rounds, undisturbed):
    victims = [tmp_path / name for name in ("teacher", "networks/1-cull")]
    with LocalEngine(2, threads=1) as engine, Killer(*victims) as killer:
        run_all(engine, rounds(tmp_path))
    assert sorted(killer.killed) == ["1-cull", "teacher"]
    assert weights_of(tmp_path) == undisturbed[0]


def test_outcomes_have_the_order_of_the_jobs(tmp_path):
    """The one that an earlier run stored is not the first, and neither is the one that ends first."""
    jobs = [Job("train", name, str(tmp_path / name), {}) for name in ("a", "b", "c")]
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / FAILURE_FILE).write_text('{"failure": "diverged"}')

    class Backwards:
        def run(self, jobs, progress):
            return ((job, '{"result": {}}') for job in reversed(jobs))

    heard = []
    found = run_jobs(Backwards(), jobs, print, lambda outcome, fresh: heard.append(outcome.job.name))
    assert heard == ["b", "c", "a"] and list(found) == ["a", "b", "c"]


@pytest.fixture
def job(tmp_path, base, longer):
    arguments = {"data_dir": Path("nowhere"), "device": "cpu", "threads": 1}
    return training_job("lonely", base, longer, tmp_path / "lonely", **arguments)


def test_a_process_that_dies_again_and_again(job, monkeypatch):
    def start_and_kill(command, **options):
        process = subprocess.Popen(command, **options)
        process.kill()
        return process

    monkeypatch.setattr(engine_local, "_start", start_and_kill)
    with (
        LocalEngine(1, threads=1) as engine,
        pytest.raises(TrainingError, match=r"lonely: its process died 4 times \(exit status -9\)"),
    ):
        list(engine.run([job], lambda *_: None))


def test_leaving_ends_the_processes(job):
    begun = threading.Event()
    engine = LocalEngine(1, threads=1)
    ends = []

    def run():
        try:
            list(engine.run([job], lambda *_: begun.set()))
        except TrainingError as error:
            ends.append(str(error))

    thread = threading.Thread(target=run)
    with engine:
        thread.start()
        assert begun.wait(60)
        process = engine._workers[0]._process
        assert process.poll() is None
    assert process.poll() == -signal.SIGKILL
    thread.join()
    assert ends == ["the search was ended"]


def test_no_process_outlives_a_killed_search(tmp_path):
    (tmp_path / "small.toml").write_text(RECIPE)
    words = ("--network", tmp_path / "small.toml", "-o", tmp_path / "out", "--data", "digits", "--jobs", 1)
    endless = ("--epochs", 100_000, "--device", "cpu", "--threads", 1, "--no-latency")
    command = [sys.executable, "-m", "pi_bench", "reduce", "deepreduce", *map(str, (*words, *endless))]
    teacher = tmp_path / "out" / "teacher"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as search:
        try:
            assert eventually((teacher / "log.csv").exists)
            worker = int((teacher / ".lock").read_text())
            assert alive(worker) and worker != search.pid
        finally:
            search.kill()
    assert eventually(lambda: not alive(worker))


def alive(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_ray_is_asked_for_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(EnvironmentUnsupportedError, match=r'pip install "pi-bench\[ray\]"'):
        RayEngine(None, None, threads=1, gpu=False)


RAY = 'Ray is not installed (it has no wheel for every machine): pip install "pi-bench[ray]"'


@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_a_ray_cluster_whose_workers_are_killed(tmp_path, rounds, undisturbed, monkeypatch):
    """Each job is a process of its own there, which takes seconds to start: the teacher's job has ended, and
    one of its students, which is killed, stands for all jobs of the search."""
    pytest.importorskip("ray.exceptions", reason=RAY)  # a folder named ray would do for "ray"
    monkeypatch.setenv("RAY_worker_niceness", "0")  # at Ray's own 15, other tests would keep it waiting
    weights, ended = undisturbed
    shutil.copytree(ended / "teacher", tmp_path / "teacher")
    teacher, (student, _) = rounds(tmp_path)
    with (
        RayEngine(None, 2, threads=1, gpu=False) as engine,
        Killer(tmp_path / "networks" / "1-cull") as killer,
    ):
        run_all(engine, (teacher, [student]))
    assert killer.killed == ["1-cull"]
    assert weights_of(tmp_path) == {name: weights[name] for name in ("teacher", "networks/1-cull")}
