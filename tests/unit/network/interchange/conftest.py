"""Archives of torch.export, altered as a stranger could alter them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

Records = dict[str, bytes]


@pytest.fixture
def rewritten() -> Callable[..., bytes]:
    """(archive, change of its records, change of its graph) → another archive."""

    def rewrite(
        content: bytes,
        change: Callable[[Records], None] = lambda records: None,
        graph: Callable[[dict[str, Any]], None] | None = None,
        compression: int = zipfile.ZIP_STORED,
    ) -> bytes:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            records = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
        if graph is not None:
            program = json.loads(records["models/model.json"])
            graph(program)
            records["models/model.json"] = json.dumps(program).encode()
        change(records)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", compression) as archive:
            for name, data in records.items():
                archive.writestr(f"network/{name}", data)
        return buffer.getvalue()

    return rewrite
