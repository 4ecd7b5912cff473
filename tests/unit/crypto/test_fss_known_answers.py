"""Every byte of the FSS gadgets equals that of a slow model, which was written from the specification alone.

tests/vectors/fss.json names the model. Labels, deltas and shares come from SHAKE-128 streams that it names
too, so that the file holds choices and digests.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from pi_bench.crypto.fss import FssSpec
from tests.fss_parties import LANES, FssRun, Labels, Material, ideal_labels, prepare, run_online

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "fss.json").read_text())
CASES = {case["name"]: case for case in VECTORS["cases"]}
GROUPS = 2


def stream(case: dict, field: str, size: int) -> np.ndarray:
    name = f"pi-bench fss vector {case['name']} {field}"
    return np.frombuffer(hashlib.shake_128(name.encode()).digest(size), np.uint8)


def words(case: dict, field: str) -> np.ndarray:
    return stream(case, field, 4 * GROUPS * LANES).view(np.uint32)


def planes(texts: list[str]) -> np.ndarray:
    """Packed bits of each group, [group][position], from one text of all groups per position."""
    of_position = [np.frombuffer(bytes.fromhex(text), np.uint32) for text in texts]
    return np.array(of_position, np.uint32).reshape(-1, GROUPS).T.reshape(-1).copy()


def delta_of(case: dict, party: str) -> np.ndarray:
    delta = stream(case, f"{party} delta", 16).copy()
    delta[0] = delta[0] | 1 if party == "server" else delta[0] & 0xFE
    return delta


def positions(spec: FssSpec, case: dict) -> tuple[list[str], list[str]]:
    """Names of the OTs that the server and the client choose, in the order of the wire."""
    carry = spec.exact and spec.truncate_bits > 0
    low = [f"table 1 bit {bit}" for bit in range(spec.truncate_bits)] if carry else []
    path = [f"path 1 level {level + 1}" for level in range(max(0, len(low) - 7))]
    if spec.kind == "truncate":
        return ["carry product", *low], ["top bit", *path]
    bits = spec.window_bits - spec.truncate_bits - spec.sign_drop + int(carry)
    table = [f"table 0 bit {bit}" for bit in range(bits)]
    payloads = [f"payload {version}" for version in range(2 if carry else 1)]
    tree = [f"path 0 level {level + 1}" for level in range(max(0, bits - 7))]
    return [*table, "wrap", *payloads, *low], [*tree, *path, "choice"]


def material_of(spec: FssSpec, case: dict) -> Material:
    of_server, of_client = positions(spec, case)

    def cots(receiver: str, packed: np.ndarray, count: int) -> Labels:
        names = of_server if receiver == "server" else of_client
        assert count == len(names)
        labels = [stream(case, name, 16 * GROUPS * LANES).reshape(GROUPS, LANES, 16) for name in names]
        delta = delta_of(case, "client" if receiver == "server" else "server")
        return ideal_labels(np.stack(labels, axis=1), packed, delta)

    return Material(
        delta_of(case, "server"),
        delta_of(case, "client"),
        stream(case, "hash seed", 16).tobytes(),
        planes([case["choices"][name] for name in of_server]),
        planes(case["server_bits"]),
        planes(case["client_bits"]),
        cots,
    )


def digests(run: FssRun) -> dict[str, str]:
    values = {
        "corrections": run.corrections,
        "message": run.message,
        "z": run.z,
        "answer": run.answer,
        "share": run.share,
    }
    if run.spec.opening_group_bytes:
        values["opening"] = run.opening
    values |= {f"{party} bundle {level}": bundle for (party, level), bundle in run.bundles.items()}
    return {name: hashlib.sha256(value).hexdigest() for name, value in values.items() if value.size}


@pytest.mark.parametrize("name", CASES)
def test_every_message_and_the_result(isa: str, name: str) -> None:
    case = CASES[name]
    spec = FssSpec(**case["spec"])
    v = words(case, "v")
    u = np.frombuffer(bytes.fromhex(case["x"]), np.uint32) - v
    run = prepare(spec, v, material_of(spec, case), isa=isa)
    run_online(run, u, words(case, "next mask"), isa=isa)
    assert digests(run) == case["sha256"]
