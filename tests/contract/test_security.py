"""A secure protocol states its security under every set of options, and an insecure one states none."""

from __future__ import annotations

import re

import pytest

from pi_bench.protocol import Security


def test_a_secure_protocol_states_its_security_and_an_insecure_one_none(protocol, options, network) -> None:
    if not protocol.secure:
        assert protocol.security is None
        return
    stated = protocol.security(network[0], options)
    assert stated.adversary and stated.statistical_bits >= 40
    assert stated.computational_bits == min(each.bits for each in stated.estimates) >= 100
    assert len({each.assumption for each in stated.estimates}) == len(stated.estimates)
    assert all(each.assumption and each.basis for each in stated.estimates)
    assert stated.parameters and all(re.fullmatch("[a-z][a-z0-9_]*", name) for name in stated.parameters)


def test_a_statement_needs_an_estimate() -> None:
    with pytest.raises(ValueError, match="needs an estimate"):
        Security("static semi-honest", 40, ())
