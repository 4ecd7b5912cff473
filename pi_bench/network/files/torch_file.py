"""Reads torch files without running them, and tells for any other file what it is and what to do."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Mapping
from typing import Any, BinaryIO

from pi_bench.article import with_article
from pi_bench.errors import EnvironmentUnsupportedError, ModelError

_EXPORT = "export the network with pi_bench.export or `pi-bench export`"
_ZIP_MAGIC = b"PK\x03\x04"
_MAGICS = (
    (b"\x93NUMPY", f"is a numpy array, not a model: {_EXPORT}"),
    (b"\x89HDF", f"is an HDF5 file, not a model: load it in its framework, then {_EXPORT}"),
    (b"PIBC", f"is a pi-bench data file, not a model: {_EXPORT}"),
)
# An ONNX ModelProto begins with field 1, ir_version, a small number, then field 2, 7 or 8.
_ONNX = re.compile(rb"\x08[\x01-\x1f][\x12\x3a\x42]")
_PICKLE_PROTOCOLS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
STATE_KEYS = ("state_dict", "model_state_dict", "model", "net")
"""Keys under which training scripts store the state_dict in a checkpoint."""

_RECORD_LIMIT = 100_000


def load_plain(name: str, file: BinaryIO) -> Any:
    """Reads the tensors and plain values that ``torch.save`` wrote to `file`; nothing of the file runs.

    Raises:
        ModelError: it is another kind of file, damaged, or holds Python objects.
        EnvironmentUnsupportedError: torch is not installed, or it does not load.

    >>> import io, torch
    >>> file = io.BytesIO()
    >>> torch.save({"weight": torch.ones(2)}, file)
    >>> _ = file.seek(0)
    >>> load_plain("weights.pt", file)
    {'weight': tensor([1., 1.])}
    """
    check_archive(name, file)
    try:
        import torch
    except (ImportError, OSError) as error:
        raise EnvironmentUnsupportedError(
            f"{name} is not as `pi-bench export` writes a model, and torch, which reads others, does not "
            f'load: {error}; pip install "pi-bench[torch]"'
        ) from None
    file.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the error below is the one line that the user reads
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler raises whatever a hostile file makes its parts raise
        raise explain_load_failure(name, error) from None


def check_archive(name: str, file: BinaryIO) -> None:
    r"""Checks that `file` is a complete archive that only ``torch.save`` writes.

    Raises:
        ModelError: it is another kind of file, or truncated.

    >>> import io
    >>> check_archive("image.npy", io.BytesIO(b"\x93NUMPY"))
    Traceback (most recent call last):
    pi_bench.errors.ModelError: image.npy is a numpy array, not a model: export the network with ...
    """
    head = file.read(64)
    if not head:
        raise ModelError(f"{name} is empty: export the model again")
    if not head.startswith(_ZIP_MAGIC):
        raise ModelError(f"{name} {_foreign(name, head)}")
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive:
            records = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError):
        raise ModelError(f"{name} is truncated or damaged: copy it or export it again") from None
    names = [record.filename.partition("/")[2] for record in records]
    if "constants.pkl" in names or any(entry.startswith("code/") for entry in names):
        raise ModelError(
            f"{name} is a TorchScript file, which carries code: "
            "give its original torch module to pi_bench.export"
        )
    if "archive_format" in names:
        raise ModelError(
            f"{name} is a torch.export archive, no model yet: make one with `pi-bench export --pt2 FILE`"
        )
    if "data.pkl" not in names:
        raise ModelError(f"{name} is a zip archive but not of torch: {_EXPORT}")
    # torch.save never compresses; a compressed record could unpack to more memory than there is.
    if len(records) > _RECORD_LIMIT or any(record.compress_type != zipfile.ZIP_STORED for record in records):
        raise ModelError(f"{name} was not written by torch.save (compressed records): {_EXPORT}")


def explain_load_failure(name: str, error: Exception) -> ModelError:
    """Makes the error for a torch archive that ``torch.load(weights_only=True)`` refuses.

    >>> str(explain_load_failure("net.pt", RuntimeError("broken")))
    'net.pt is truncated or damaged: copy it or export it again'
    """
    found = re.search(r"GLOBAL ([\w.<>]+)", str(error))
    if found is None and "Unsupported" not in str(error):
        return ModelError(f"{name} is truncated or damaged: copy it or export it again")
    what = found.group(1)[:80] if found else "of a class that the file hides"
    if re.match(r"torch\.nn\.|__main__\.|torchvision\.|torch\.fx\.", what):
        return ModelError(
            f"{name} is a pickled torch module ({what}), which could run code; nothing of it was run: "
            "give the module itself to pi_bench.export"
        )
    return ModelError(
        f"{name} holds Python objects ({what}) that could run code; nothing of it was run: "
        "if it is a network of your own, give the module to pi_bench.export"
    )


def explain_content(name: str, content: Any) -> ModelError:
    """Makes the error for a harmless torch file that holds no model.

    >>> str(explain_content("list.pt", [1, 2]))
    'list.pt is a torch file that holds a list, not a pi-bench model: export the network with ...'
    """
    import torch

    if isinstance(content, Mapping) and content:
        values = list(content.values())
        tensors_alone = all(isinstance(value, torch.Tensor) for value in values)
        if tensors_alone or any(isinstance(content.get(key), Mapping) for key in STATE_KEYS):
            return ModelError(
                f"{name} is a state_dict: weights without their network; "
                "use `pi-bench export --recipe NAME --weights FILE`, or load it into its module and "
                "pi_bench.export that"
            )
    kind = type(content).__name__
    return ModelError(
        f"{name} is a torch file that holds {with_article(kind)}, not a pi-bench model: {_EXPORT}"
    )


def is_onnx(head: bytes) -> bool:
    r"""Tells from the first bytes of a file if it is an ONNX model, as most programs write it.

    >>> is_onnx(b"\x08\x08\x12\x07pytorch")
    True
    """
    return _ONNX.match(head) is not None


def _foreign(name: str, head: bytes) -> str:
    for magic, what in _MAGICS:
        if head.startswith(magic):
            return what
    if head[:2] in _PICKLE_PROTOCOLS:
        return (
            "is a Python pickle, which could run code; nothing of it was run: save weights with "
            f"torch.save(module.state_dict(), FILE), or {_EXPORT}"
        )
    if name.lower().endswith(".onnx") or is_onnx(head):
        return "is an ONNX file, no model yet: make one with `pi-bench export --onnx FILE`"
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 27:
        return (
            "is a safetensors file: weights without their network; load it into its module and "
            "pi_bench.export that"
        )
    return f"is not a model file (no torch archive): {_EXPORT}"
