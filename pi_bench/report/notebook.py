"""Results for notebooks: frames of pandas, and text as HTML."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

from pi_bench.errors import EnvironmentUnsupportedError
from pi_bench.report.documents.comparison import Side
from pi_bench.report.documents.latency import MeasuredLayer

_WIDTH = 120


def layer_frame(layers: Iterable[MeasuredLayer]) -> Any:
    """Returns a frame with one row per layer.

    Raises:
        EnvironmentUnsupportedError: pandas is not installed.

    ```python
    from pi_bench.report.documents.latency import Result

    def slowest(result: Result) -> str:
        frame = layer_frame(result.online.layers)
        return str(frame.sort_values("client_compute_s").iloc[-1]["name"])
    ```
    """
    return _pandas().DataFrame(
        [
            {
                "name": layer.name,
                "operator": layer.operator,
                "relu_count": layer.relu_count,
                "mac_count": layer.mac_count,
                **{
                    f"{party}_{kind}": getattr(getattr(layer, party), kind)
                    for party in ("client", "server")
                    for kind in ("compute_s", "send_s", "wait_s")
                },
                "hidden_s": layer.hidden_s,
                "bytes_to_server": layer.bytes.client_to_server,
                "bytes_to_client": layer.bytes.server_to_client,
                "rounds": layer.comm_round_count,
            }
            for layer in layers
        ]
    )


def run_frame(sides: Iterable[Side]) -> Any:
    """Returns a frame with one row per timed run of a comparison.

    Raises:
        EnvironmentUnsupportedError: pandas is not installed.

    ```python
    from pi_bench.report.documents.comparison import ComparisonResult

    def medians(result: ComparisonResult) -> object:
        return run_frame(result.sides).groupby("side")["online_s"].median()
    ```
    """
    return _pandas().DataFrame(
        [
            {"side": side.name, "session": number, "online_s": online_s, "offline_s": offline_s}
            for side in sides
            for number, session in enumerate(side.sessions)
            for online_s, offline_s in zip(session.online_s, session.offline_s, strict=True)
        ]
    )


def text_as_html(text: str) -> str:
    """Returns text as an HTML fragment of fixed width, with everything in it escaped.

    >>> "&lt;b&gt;" in text_as_html("<b>")
    True
    """
    from rich.console import Console
    from rich.text import Text

    console = Console(record=True, width=_WIDTH, file=io.StringIO(), color_system=None)
    console.print(Text(text))
    return console.export_html(inline_styles=True, code_format="<pre>{code}</pre>")


def _pandas() -> Any:
    try:
        import pandas  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError:
        raise EnvironmentUnsupportedError(
            "frames need pandas, which is not installed: pip install pandas"
        ) from None
    return pandas
