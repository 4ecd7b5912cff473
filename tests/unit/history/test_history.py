"""The database of results: several writers, kills, damage, other versions, and searches."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pi_bench.errors import InputError, PiBenchError, UsageError
from pi_bench.history import History, Query, default_path, facts_of
from pi_bench.history.result_files import lines_of, read_file


def result(number: int = 0, **changes: Any) -> dict[str, Any]:
    """A latency result of which the history reads this much."""
    fields: dict[str, Any] = {
        "network": {"name": "resnet18", "digest": "ab" * 32, "relu_count": 12288},
        "protocol": "delphi",
        "mode": "windowed",
        "link": {"kind": "loopback"},
        "runs": 5,
        "interrupted": False,
        "setup": {},
        "online": {
            "latency_s": {"median": 0.005 + number, "samples": [0.005 + number]},
            "bytes": {"client_to_server": 1, "server_to_client": 2},
            "comm_round_count": 18.0,
        },
        "offline": {"time_s": 0.1, "bytes": {"client_to_server": 3, "server_to_client": 4}},
        "verification": {"passed": True},
        "environment": {
            "time": f"2026-11-{1 + number % 28:02d}T12:00:00+00:00",
            "cpu_model": "Example CPU",
            "instruction_set": "vaes512",
            "commit": "abcdef012345",
            "threads": 1,
        },
    }
    return {**fields, **changes}


def test_only_the_default_folder_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data" / "of a new user"))
    monkeypatch.delenv("PI_BENCH_HISTORY", raising=False)
    path = default_path()
    assert path is not None
    History(path).close()
    assert path.exists()
    monkeypatch.setenv("PI_BENCH_HISTORY", str(tmp_path / "mistyped" / "history.db"))
    path = default_path()
    assert path is not None
    with pytest.raises(InputError, match=r"there is no folder .*mistyped for the history history.db; make"):
        History(path)
    assert not (tmp_path / "mistyped").exists()


def test_what_is_kept_is_found_again(tmp_path: Path) -> None:
    lan = {"kind": "emulated", "name": "lan"}
    with History(tmp_path / "history.db") as history:
        first, second = history.add(result(0)), history.add(result(1, link=lan, protocol="fss"))
        assert (first, second) == (1, 2)
        assert history.add(result(0)) == first, "the same result twice is one run"
        assert history.document(second) == result(1, link=lan, protocol="fss")
        history.tag(first, "baseline")
        history.tag(second, "baseline")  # moves
        assert history.find("baseline").id == history.find("last").id == second
    with History(tmp_path / "history.db") as history:
        runs = history.runs()
        assert [run.id for run in runs] == [2, 1]  # the newest first
        assert runs[0].tags == ("baseline",)
        assert runs[0].facts == facts_of(result(1, link=lan, protocol="fss"))
        for query, found in (
            (Query(link="lan"), [2]),
            (Query(link="loopback"), [1]),
            (Query(network="RESNET*"), [2, 1]),
            (Query(network="resnet"), []),
            (Query(protocol="f?s"), [2]),
            (Query(machine="example"), [2, 1]),
            (Query(commit="abcd"), [2, 1]),
            (Query(tag="base*"), [2]),
            (Query(since="2026-11-02"), [2]),
            (Query(until="2026-11-01"), [1]),
            (Query(since="2026-11-01T12:00:00+00:00", until="2026-11-01"), [1]),
            (Query(limit=1), [2]),
        ):
            assert [run.id for run in history.runs(query)] == found, query
            assert history.count(query) == (2 if query.limit else len(found)), query


def test_names_that_match_nothing_are_refused_with_similar_ones(tmp_path: Path) -> None:
    with History(tmp_path / "history.db") as history:
        history.tag(history.add(result()), "baseline")
        with pytest.raises(UsageError, match=r"no run 'baselin'; did you mean baseline\?"):
            history.find("baselin")
        with pytest.raises(UsageError, match="no run '7'"):
            history.find("7")
        with pytest.raises(UsageError, match="would be taken for a run"):
            history.tag(1, "12")
        with pytest.raises(UsageError, match="no time"):
            history.runs(Query(since="yesterday"))


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        "text",
        {**result(), "network": 3},
        {**result(), "runs": "five"},
        {**result(), "runs": 1 << 70},
        {**result(), "environment": {"time": "noon"}},
        {key: value for key, value in result().items() if key != "offline"},
    ],
)
def test_a_document_that_is_no_result_is_refused(document: Any, tmp_path: Path) -> None:
    with History(tmp_path / "history.db") as history:
        with pytest.raises(InputError):
            history.add(document)
        assert history.runs() == []


@settings(max_examples=20, deadline=None)
@example(where=4060, value=128, cut=False)
@given(where=st.integers(0, 1 << 16), value=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_file_is_one_error_and_stays_as_it_is(
    where: int, value: int, cut: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "history.db"
    with History(path) as history:
        history.add(result())
    content = bytearray(path.read_bytes())
    where %= len(content)
    content[where] = value
    if cut:
        del content[where:]
    path.write_bytes(content)
    try:
        with History(path) as history:
            for run in history.runs():
                history.document(run.id)
    except PiBenchError as error:
        assert str(path) in str(error)


def test_other_files_are_refused_and_stay(tmp_path: Path) -> None:
    text, foreign, newer = tmp_path / "text.db", tmp_path / "foreign.db", tmp_path / "newer.db"
    text.write_text("no database, but a text that is long enough to have a header" * 10)
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE songs (name TEXT)")
    connection.close()
    History(newer).close()
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    for path, words in ((text, "damaged"), (foreign, "another program"), (newer, "newer pi-bench")):
        before = path.read_bytes()
        with pytest.raises(InputError, match=words):
            History(path)
        assert path.read_bytes() == before
    with pytest.raises(UsageError, match="there is no history"):
        History(tmp_path / "none.db", create=False)


def write_many(path: Path, start: int, count: int) -> None:
    for number in range(start, start + count):
        with History(path) as history:
            history.add(result(number))


@pytest.mark.slow
def test_several_writers_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=write_many, args=(path, 1000 * i, 12)) for i in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    with History(path) as history:
        assert len(history.runs()) == 48


def test_a_kill_in_mid_write_leaves_whole_runs(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    for wait_s in (0.005, 0.02, 0.05):
        writer = multiprocessing.get_context("fork").Process(target=write_many, args=(path, 0, 1_000_000))
        writer.start()
        while not path.exists():
            time.sleep(0.001)
        time.sleep(wait_s)
        assert writer.pid is not None
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        with History(path) as history:
            for run in history.runs():
                assert facts_of(history.document(run.id)).online_s == run.facts.online_s
            history.add(result(number=27))


def test_files_come_back_with_their_tags(tmp_path: Path) -> None:
    with History(tmp_path / "here.db") as here, History(tmp_path / "there.db") as there:
        here.tag(here.add(result(1)), "paper")
        here.add(result(2))
        written = tmp_path / "all.jsonl"
        written.write_text("".join(lines_of(here, here.runs())))
        for document, tags in read_file(written):
            number = there.add(document)
            for tag in tags:
                there.tag(number, tag)
        assert there.find("paper").facts == here.find("paper").facts
        assert len(there.runs()) == 2
    (single := tmp_path / "one.json").write_text(json.dumps(result(), indent=2))
    assert read_file(single) == [(result(), [])]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "no text"),
        (b'{"a": 1}', "no result"),
        (b"[" * 100_000, "not JSON"),
        (json.dumps({"tags": "x", "result": result()}).encode(), "tags"),
    ],
)
def test_a_file_without_results_is_refused(content: bytes, words: str, tmp_path: Path) -> None:
    (path := tmp_path / "file.json").write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_file(path)


def test_a_history_of_the_first_schema_gets_the_columns_of_newer_ones(tmp_path: Path) -> None:
    """Its runs stay, without floors and numbers of inputs; a new run has them."""
    from pi_bench.history import database

    path = tmp_path / "old.db"
    old = sqlite3.connect(path)
    for statement in database._MIGRATIONS[0]:
        old.execute(statement)
    old.execute(
        "INSERT INTO runs (kind, time, network, content_hash) VALUES ('latency', '2026-11-01', 'old', x'00')"
    )
    old.execute("PRAGMA user_version = 1")
    old.commit()
    old.close()
    floor = {"online": {"time_s": 0.001}, "offline": {"time_s": 0.05}}
    batch = {**result()["network"], "input_shape": [40, 3, 32, 32]}
    with History(path) as history:
        history.add(result(0, floor=floor))
        history.add(result(1, floor=None, network=batch))
        found = {run.facts.network: run.facts for run in history.runs(Query(until="2026-11-01"))}
        last = history.find("last").facts
    assert found["old"].online_floor_s is None and found["old"].online_times_floor is None
    assert found["resnet18"].online_times_floor == pytest.approx(5.0)
    assert found["resnet18"].offline_floor_s == 0.05
    assert last.online_floor_s is None and last.input_count == 40
