"""The wire format as a golden file: a hash of all messages, a direction and a phase, under fixed seeds.

INSECURE by construction: randomness is replaced by a counter-mode generator per party, here and
nowhere else. A change of the wire format changes tests/vectors/transcript.json on purpose, together
with the frame or protocol version; set PI_BENCH_UPDATE_VECTORS=1 to rewrite it.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import threading

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from pi_bench.crypto import secret
from pi_bench.protocol import Party
from pi_bench.report.mode_text import mode_text

VECTORS = pathlib.Path(__file__).parents[1] / "vectors" / "transcript.json"
UPDATE = os.environ.get("PI_BENCH_UPDATE_VECTORS") == "1"


class _InsecureStreams:
    """A stream of its own for each thread name, so that the order of threads does not matter."""

    def __init__(self) -> None:
        self._streams: dict[str, object] = {}

    def take(self, byte_count: int) -> bytes:
        name = threading.current_thread().name
        if name not in self._streams:
            key = hashlib.sha256(f"insecure test stream {name}".encode()).digest()
            self._streams[name] = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
        return self._streams[name].update(bytes(byte_count))

    def fill(self, array: np.ndarray) -> None:
        array.reshape(-1).view(np.uint8)[:] = np.frombuffer(self.take(array.nbytes), np.uint8)


@pytest.fixture
def insecure_randomness(monkeypatch: pytest.MonkeyPatch) -> None:
    streams = _InsecureStreams()
    monkeypatch.setattr(os, "urandom", streams.take)
    monkeypatch.setattr(secret, "fill_random", streams.fill)


def _digests(transcript) -> dict[str, str]:
    hashes: dict[str, hashlib._Hash] = {}
    for message in transcript:
        key = f"{message.phase.split()[0]} {message.sender}"
        header = f"{message.op_id} {message.part} {len(message.payload)} ".encode()
        hashes.setdefault(key, hashlib.sha256()).update(header + message.payload)
    return {key: digest.hexdigest() for key, digest in sorted(hashes.items())}


@pytest.mark.usefixtures("insecure_randomness")
def test_the_transcript_is_the_golden_one(secure_protocol, options, small_network, run) -> None:
    program, weights, inputs = small_network
    (outcome,) = run(secure_protocol, program, weights, inputs[:1], options)
    assert {m.sender for m in outcome.transcript} == set(Party)
    digests = _digests(outcome.transcript)
    values = dict(options.values) | ({"ahead": options.ahead} if options.ahead > 1 else {})
    name = mode_text(options.mode, values).removeprefix("mode ")
    vectors = json.loads(VECTORS.read_text())
    golden = vectors["transcripts"].setdefault(secure_protocol.name, {})
    if UPDATE:
        golden[name] = digests
        VECTORS.write_text(json.dumps(vectors, indent=2) + "\n")
    assert digests == golden.get(name)
