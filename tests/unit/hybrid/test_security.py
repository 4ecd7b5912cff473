"""The statement about security follows the plan: its copies, its OTs, its labels and its tables."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pi_bench.crypto.ferret_plan import LARGE, SMALL
from pi_bench.crypto.he.parameters import BINOMIAL_BITS, COPY_PRIME, DEGREE, MODULUS
from pi_bench.hybrid.security import CIPHERTEXT_BLOCK, COPY_KEY_BLOCK, LPN_BITS, STATISTICAL_BITS
from pi_bench.network.compiler import compile_graph
from pi_bench.network.graph import Graph, InputNode, LinearNode, OutputNode, ReluNode
from pi_bench.network.graph.float_run import calibrate
from pi_bench.network.program import Program
from pi_bench.protocol import Security
from pi_bench.registry import find_protocol

THREAT_MODEL = (Path(__file__).parents[3] / "docs" / "threat-model.md").read_text()
TERNARY_SIGMA = math.sqrt(2 / 3)


def program_of(width: int) -> Program:
    """A network of two layers; with 100 outputs of the first one, its products copy their inputs."""
    nodes = (
        InputNode("input", (), (512,)),
        LinearNode("wide", ("input",), (width,), "wide", None),
        ReluNode("relu", ("wide",), (width,)),
        LinearNode("last", ("relu",), (1,), "last", None),
        OutputNode("output", ("last",), (1,)),
    )
    generator = np.random.default_rng(0)
    shapes = {"wide": (width, 512), "last": (1, width)}
    parameters = {name: generator.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    graph = Graph(nodes, parameters)
    samples = generator.normal(size=(4, 512)).astype(np.float32)
    return compile_graph(replace(graph, ranges=calibrate(graph, samples)))[0]


def security_of(protocol: str, width: int = 4, mode: str | None = None, **values: int | str) -> Security:
    info = find_protocol(protocol)
    assert info.security is not None
    return info.security(program_of(width), info.configure(mode, values))


def bits_by_word(security: Security) -> dict[str, float]:
    words = ("ciphertexts", "copy keys", "labels", "chunk keys", "edwards25519", "65,536", "278,528")
    return {
        word: each.bits for word in words for each in security.estimates if re.search(word, each.assumption)
    }


@pytest.mark.parametrize("protocol", ["delphi", "fss"])
def test_copy_keys_have_the_weakest_estimate_where_they_are_sent(protocol: str) -> None:
    without, copied = security_of(protocol), security_of(protocol, width=100)
    assert bits_by_word(without) == {"ciphertexts": 161.5, "labels": 121, "edwards25519": 125.8}
    assert bits_by_word(copied) == bits_by_word(without) | {"copy keys": 107.5}
    assert (without.computational_bits, copied.computational_bits) == (121, 107.5)
    assert "he_copy_key_modulus_bits" not in without.parameters
    assert copied.parameters["he_copy_key_modulus_bits"] == 200


def test_options_choose_the_estimates_and_the_parameters() -> None:
    chunks = security_of("delphi", label_chunk=3, garbling="three-halves")
    assert chunks.weakest.bits == bits_by_word(chunks)["chunk keys"] == 119
    assert chunks.parameters["garbling"] == "three-halves"
    silent = security_of("delphi", ot="ferret")
    assert bits_by_word(silent)["65,536"] == LPN_BITS[SMALL] and "278,528" not in bits_by_word(silent)
    assert silent.parameters["ot_noise"] == "65536 secrets, blocks of 512"
    assert silent.parameters["ot_extension"] == "ferret"


def test_a_protocol_with_tables_has_their_parameters() -> None:
    tables, garbled = security_of("fss"), security_of("delphi")
    assert tables.parameters["tree_node_bits"] == 128 and "tree_node_bits" not in garbled.parameters
    assert garbled.parameters["garbling"] == "half-gates" and "garbling" not in tables.parameters


def test_the_encryption_is_that_of_the_kernels() -> None:
    parameters = security_of("delphi").parameters
    assert {name: value for name, value in parameters.items() if name.startswith("he_")} == {
        "he_scheme": "BFV",
        "he_ring_degree": 8192,
        "he_modulus_bits": 150,
        "he_prime_count": 3,
        "he_plain_modulus_bits": 32,
        "he_response_modulus_bits": 50,
        "he_join_key_modulus_bits": 100,
        "he_secret": "ternary",
        "he_noise_sigma": 3.24,
        "he_flood_bits": 112,
    }
    assert parameters["label_bits"] == 128


def primal_block(modulus: int) -> int:
    """The least block size of the primal attack on a ternary secret of `DEGREE` coefficients.

    The target is found if its projection to the last block is shorter than the Gram-Schmidt vector there,
    under the geometric series assumption (Alkim, Ducas, Poppelmann and Schwabe, section 6.3). The secret is
    scaled to the size of the noise.
    """
    sigma = math.sqrt(BINOMIAL_BITS / 2)
    samples = np.arange(DEGREE // 2, 2 * DEGREE, 8)
    dimension = samples + DEGREE + 1
    volume = (samples * math.log(modulus) + DEGREE * math.log(sigma / TERNARY_SIGMA)) / dimension
    for block in range(300, 700):
        root = math.log((math.pi * block) ** (1 / block) * block / (2 * math.pi * math.e)) / (2 * (block - 1))
        projected = math.log(sigma * math.sqrt(block))
        if (projected <= (2 * block - dimension - 1) * root + volume).any():
            return block
    raise AssertionError("no block size breaks it")


def test_the_block_sizes_are_those_of_the_primal_attack_and_of_the_threat_model() -> None:
    assert (primal_block(MODULUS), primal_block(MODULUS * COPY_PRIME)) == (CIPHERTEXT_BLOCK, COPY_KEY_BLOCK)
    figures = re.findall(r"block size (\d+), ([\d.]+)(?: bits)? classical", THREAT_MODEL)
    assert figures == [(str(CIPHERTEXT_BLOCK), "161"), (str(COPY_KEY_BLOCK), "107.5")]


def test_the_other_figures_are_those_of_the_threat_model() -> None:
    text = " ".join(THREAT_MODEL.split())
    assert f"Statistical security is {STATISTICAL_BITS} bits." in text
    assert "certainty costs 2^126 / 32 = 2^121 AES calls" in text
    assert "certainty costs 2^128 / 512 = 2^119 cipher calls" in text
    required = re.search(r"A test requires (\d+) bits of all of them for the small set and (\d+)", text)
    assert required is not None
    assert required.groups() == (str(LPN_BITS[SMALL]), str(LPN_BITS[LARGE]))
