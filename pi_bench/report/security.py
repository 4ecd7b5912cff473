"""The statement of a protocol about its security, as a part of documents and in a few words."""

from __future__ import annotations

from pi_bench.network.program import Program
from pi_bench.protocol import ProtocolInfo, ProtocolOptions
from pi_bench.report.documents.security import SecurityEstimate, SecurityStatement


def security_part(info: ProtocolInfo, program: Program, options: ProtocolOptions) -> SecurityStatement | None:
    """Returns what the protocol states about a run; None for one that states nothing.

    >>> from pi_bench.registry import default_protocol, find_protocol
    >>> from pi_bench.testing import small_network
    >>> program, _ = small_network()
    >>> delphi, ideal = default_protocol(), find_protocol("ideal")
    >>> security_part(delphi, program, delphi.configure()).statistical_bits
    40
    >>> security_part(ideal, program, ideal.configure()) is None
    True
    """
    if info.security is None:
        return None
    stated = info.security(program, options)
    return SecurityStatement(
        adversary=stated.adversary,
        computational_bits=stated.computational_bits,
        statistical_bits=stated.statistical_bits,
        estimates=[
            SecurityEstimate(assumption=each.assumption, bits=each.bits, basis=each.basis)
            for each in stated.estimates
        ],
        parameters=dict(stated.parameters),
    )


def estimates_text(security: SecurityStatement) -> str:
    """Lists the estimates, the weakest first, each with its bits and its basis.

    >>> estimates_text(SecurityStatement(
    ...     adversary="static semi-honest", computational_bits=121, statistical_bits=40, parameters={},
    ...     estimates=[SecurityEstimate(assumption="hash", bits=121.0, basis="32 candidates per call")]))
    '121 bits: hash (32 candidates per call)'
    """
    ordered = sorted(security.estimates, key=lambda each: each.bits)
    return "; ".join(f"{each.bits:g} bits: {each.assumption} ({each.basis})" for each in ordered)


def parameters_text(security: SecurityStatement) -> str:
    """Lists the parameters by their names, with spaces in place of underscores.

    >>> parameters_text(SecurityStatement(
    ...     adversary="", computational_bits=0, statistical_bits=0, estimates=[],
    ...     parameters={"he_scheme": "BFV", "he_ring_degree": 8192}))
    'he scheme BFV, he ring degree 8192'
    """
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in security.parameters.items())
