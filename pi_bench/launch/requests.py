"""Defines the launcher's requests to the two parties, which are messages of the control pipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from pi_bench.channel.link import Link
from pi_bench.launch.measurement_responder import MeasuringTerms
from pi_bench.protocol import ProtocolOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeRequest:
    """Asks the server to listen: the message ``serve``, with the program and the weights.

    Attributes:
        measuring: serves one client, and reports records and shares to the launcher.
        terms: what clients that measure on another machine get; None gives them nothing.

    >>> request = ServeRequest(
    ...     protocol="null", options=ProtocolOptions("exact"), host="127.0.0.1", port=0,
    ...     timeout_s=120.0, idle_timeout_s=300.0, poll_s=0.0, link=None, measuring=False,
    ... )
    >>> ServeRequest.from_fields(request.as_fields()) == request
    True
    """

    protocol: str
    options: ProtocolOptions
    host: str
    port: int
    timeout_s: float
    idle_timeout_s: float
    poll_s: float
    link: Link | None
    measuring: bool
    terms: MeasuringTerms | None = None

    def as_fields(self) -> dict[str, Any]:
        """Returns the fields of the message, as JSON values."""
        own = {name: getattr(self, name) for name in self.__dataclass_fields__}
        terms = None if self.terms is None else asdict(self.terms)
        return own | {
            "options": self.options.as_fields(),
            "link": _link_fields(self.link),
            "terms": terms,
        }

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Self:
        """Reads the fields of a message."""
        return cls(
            **{
                **fields,
                "options": ProtocolOptions(**fields["options"]),
                "link": _link_of(fields["link"]),
                "terms": None if fields["terms"] is None else MeasuringTerms(**fields["terms"]),
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectRequest:
    """Asks the client to connect: the message ``connect``, with the input.

    Attributes:
        other_machine: connects to a server that this launcher has not started.
        insecure_verify: asks that server for its shares.
        max_ahead: the most inferences per offline phase that the client accepts; None for any number.

    >>> request = ConnectRequest(
    ...     host="127.0.0.1", port=7000, expect_digest=None, threads=1, timeout_s=120.0, poll_s=0.0, link=None
    ... )
    >>> ConnectRequest.from_fields(request.as_fields()) == request
    True
    """

    host: str
    port: int
    expect_digest: str | None
    threads: int
    timeout_s: float
    poll_s: float
    link: Link | None
    expect_protocol: str | None = None
    expect_mode: str | None = None
    other_machine: bool = False
    insecure_verify: bool = False
    max_ahead: int | None = None

    def as_fields(self) -> dict[str, Any]:
        """Returns the fields of the message, as JSON values."""
        own = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return own | {"link": _link_fields(self.link)}

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Self:
        """Reads the fields of a message."""
        return cls(**{**fields, "link": _link_of(fields["link"])})


def _link_fields(link: Link | None) -> dict[str, Any] | None:
    return None if link is None else asdict(link)


def _link_of(fields: Mapping[str, Any] | None) -> Link | None:
    return None if fields is None else Link(**fields)
