"""Declares the classes by which a protocol describes itself and runs: one object per party and session.

The harness calls `set_up` once per connection on both parties, and then `preprocess_ahead` and `infer` any
number of times. Either phase may send any number of messages in either direction. No state outlives the
object, and nothing is kept at module level.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pi_bench.arithmetic.activation_law import ActivationLaw
from pi_bench.channel.link import Link
from pi_bench.defaults import MAX_AHEAD
from pi_bench.errors import UsageError
from pi_bench.network.program import Program, Weights
from pi_bench.primitives import Primitive
from pi_bench.protocol.options import Mode, Option, OptionValue, ProtocolOptions
from pi_bench.protocol.prediction import PredictedBytes
from pi_bench.protocol.preprocessing import Preprocessing
from pi_bench.protocol.script import Purpose, RunScript
from pi_bench.protocol.security import Security
from pi_bench.protocol.session import SessionLike, ShareTrace
from pi_bench.unknown_name import unknown_name


@dataclass(frozen=True, slots=True)
class OtherSettings:
    """Holds settings that a prediction may recommend in place of those of a run.

    Attributes:
        change: the flag that a user would give.
        helps: lists the purposes whose cost it may reduce, so that an explanation names it there.
        experimental: whether results with these settings carry a caveat, which an explanation then says.

    >>> OtherSettings("--mode windowed", ProtocolOptions("windowed"), (Purpose.RELU,)).change
    '--mode windowed'
    """

    change: str
    options: ProtocolOptions
    helps: tuple[Purpose, ...]
    experimental: bool = False


def no_alternatives(program: Program, options: ProtocolOptions) -> Iterable[OtherSettings]:
    """Offers no other settings, for a protocol whose options trade no cost for another.

    >>> from pi_bench.testing import small_network
    >>> program, _ = small_network()
    >>> no_alternatives(program, ProtocolOptions("exact"))
    ()
    """
    del program, options
    return ()


def no_notes(program: Program, options: ProtocolOptions) -> Iterable[str]:
    """Says nothing about a program, for a protocol that treats all activations alike.

    >>> from pi_bench.testing import small_network
    >>> program, _ = small_network()
    >>> no_notes(program, ProtocolOptions("exact"))
    ()
    """
    del program, options
    return ()


def keep_options(program: Program, options: ProtocolOptions, link: Link | None) -> ProtocolOptions:
    """Returns the options as they are, for a protocol that leaves no choice to the link.

    >>> from pi_bench.testing import small_network
    >>> keep_options(small_network()[0], ProtocolOptions("exact"), None).mode
    'exact'
    """
    del program, link
    return options


@dataclass(frozen=True, slots=True)
class ProtocolInfo:
    """Describes a protocol. `pi_bench.registry` finds it as ``PROTOCOL`` in the package of the protocol.

    >>> from pi_bench.registry import find_protocol
    >>> ideal = find_protocol("ideal")
    >>> ideal.mode_names, ideal.secure
    (('windowed', 'exact', 'truncated-sign'), False)
    >>> dict(ideal.configure("truncated-sign", {"sign_drop": 4}).values)
    {'sign_drop': 4}
    """

    name: str
    title: str  # says "insecure" if the protocol is insecure
    modes: tuple[Mode, ...]  # the default first
    secure: bool
    client: type[PartyProtocol]
    server: type[PartyProtocol]
    predict: Callable[[Program, ProtocolOptions], PredictedBytes]
    """Counts the payload bytes of one inference of a program under the options."""
    script: Callable[[Program, ProtocolOptions], RunScript] | None = None
    """Lists the computations and messages of both parties. With None, no times can be predicted."""
    security: Callable[[Program, ProtocolOptions], Security] | None = None
    """States the adversary, the estimates and the parameters of a run, from public data alone. None for a
    protocol that protects nothing."""
    alternatives: Callable[[Program, ProtocolOptions], Iterable[OtherSettings]] = no_alternatives
    """Yields the other settings that are worth predicting, one change at a time."""
    meaning: str = ""
    """A sentence for glossaries that says how the protocol computes, or nothing."""
    parts: Mapping[str, str] = field(default_factory=dict)
    """The names of the parts by which spans and messages are reported, each with a sentence about it."""
    caveat: str = ""
    """A sentence that every command prints, such as that nobody has reviewed the protocol, or nothing."""
    notes: Callable[[Program, ProtocolOptions], Iterable[str]] = no_notes
    """Yields sentences about a program that results and inspections print, such as how many of its
    activations the protocol computes in another way."""
    settle: Callable[[Program, ProtocolOptions, Link | None], ProtocolOptions] = keep_options
    """Replaces values such as ``auto`` by those for an emulated link, from public data alone. Commands call
    it before the handshake, so that results name the values of the run."""
    primitives: tuple[Primitive, ...] = ()
    """The protocol's own primitives. Its script may use their units besides those of
    `pi_bench.primitives.built_in`."""
    options: tuple[Option[Any], ...] = ()
    """The protocol's own options. They become flags, and keys of the handshake and of results."""
    constants: tuple[tuple[str, str], ...] = ()
    """Names and hashes of constants from which both parties derive the sizes of messages. The server offers
    them in the handshake, and a client with other ones refuses by name."""
    default: bool = False
    """Whether commands run this protocol if the user names none. One protocol of this package says so."""

    def __post_init__(self) -> None:
        names = [option.name for option in self.options]
        unknown = {mode for option in self.options for mode in option.modes} - set(self.mode_names)
        if not self.modes or len(set(self.mode_names)) < len(self.modes) or len(set(names)) < len(names):
            raise ValueError(
                f"protocol {self.name!r} needs a mode, and a name of its own for each mode and option"
            )
        if unknown:
            raise ValueError(f"protocol {self.name!r} has an option of the undeclared mode {min(unknown)!r}")

    def notes_of(self, program: Program, options: ProtocolOptions) -> tuple[str, ...]:
        """Returns the caveat, if there is one, the notes, and the number of inferences per offline phase.

        One inference per phase needs no words.

        >>> from pi_bench.registry import default_protocol
        >>> from pi_bench.testing import small_network
        >>> default_protocol().notes_of(small_network()[0], ProtocolOptions("exact"))
        ()
        """
        ahead = [f"each offline phase prepares {options.ahead} inferences"] if options.ahead > 1 else []
        return (*([self.caveat] if self.caveat else []), *self.notes(program, options), *ahead)

    @property
    def mode_names(self) -> tuple[str, ...]:
        """The names of the modes. The first mode is the default one."""
        return tuple(mode.name for mode in self.modes)

    def configure(
        self,
        mode: str | None = None,
        given: Mapping[str, Any] | None = None,
        *,
        threads: int = 1,
        weight_cache_bytes: int = 0,
        ahead: int = 1,
    ) -> ProtocolOptions:
        """Returns checked options, with the default of each option that is not given.

        `mode` is None for the first mode. `given` has values of options by name, which may come from the
        other party.

        Raises:
            UsageError: the protocol has no such mode, option or value, or an option is missing, or `ahead` is
            out of its range.
        """
        if not 1 <= ahead <= MAX_AHEAD:
            raise UsageError(f"--ahead {ahead}: give 1 to {MAX_AHEAD}")
        chosen = self.mode(self.mode_names[0] if mode is None else mode).name
        given = {} if given is None else given
        unknown = [name for name in given if name not in {option.name for option in self.options}]
        if unknown:
            raise UsageError(f"protocol {self.name} has no option {str(unknown[0])[:40]!r}")
        values: dict[str, OptionValue] = {}
        for option in self.options:
            value = given.get(option.name, option.default if option.applies(chosen) else None)
            if value is None and option.applies(chosen):
                raise UsageError(f"--mode {chosen} needs {option.flag} {option.metavar}: {option.choices}")
            if value is None:
                continue
            if not option.applies(chosen):
                raise UsageError(f"{option.flag} needs --mode {' or '.join(option.modes)}, not {chosen}")
            if not option.accepts(value):
                raise UsageError(f"{option.flag} {str(value)[:40]}: give {option.choices}")
            values[option.name] = value
        return ProtocolOptions(chosen, threads, values, weight_cache_bytes, ahead)

    def law(self, options: ProtocolOptions) -> ActivationLaw:
        """Returns the law that activations follow in a run with these options."""
        return self.mode(options.mode).law(options)

    def require(self, program: Program, options: ProtocolOptions) -> None:
        """Refuses options whose law cannot hold for a window of the program.

        Raises:
            UsageError: the law refuses the window of a layer, which the message names.
        """
        law = self.law(options)
        for op in program.activation_ops:
            reason = law.refusal(op.truncate_bits, op.window_bits) if op.relu_count else None
            if reason is not None:
                raise UsageError(f"layer {op.name!r}: {reason}")

    def mode(self, name: str) -> Mode:
        """Returns the mode of that name.

        Raises:
            UsageError: the protocol has no such mode.
        """
        for mode in self.modes:
            if mode.name == name:
                return mode
        raise UsageError(unknown_name("mode", name, self.mode_names, owner=f"protocol {self.name}"))


class PartyProtocol(ABC):
    """Runs one party of one protocol on one session. `weights` is None at the client.

    At a server, `prepared` is the result of `prepare` for the same program, options and weights, or None.

    This client sends its input in the clear, so it is INSECURE:

    ```python
    class InsecureClient(PartyProtocol):
        def preprocess(self, inference_id):
            return Preprocessing("clear", inference_id, {})

        def infer(self, material, encoded_input):
            material.claim("clear")
            output = np.empty(self.program.output.shape, np.uint32)
            with self.session.step(self.program.input.id):
                self.session.send(encoded_input)
            with self.session.step(self.program.output.id):
                self.session.receive_into(output)
            return output
    ```
    """

    def __init__(
        self,
        session: SessionLike,
        program: Program,
        options: ProtocolOptions,
        weights: Weights | None,
        prepared: object = None,
    ) -> None:
        del prepared
        self.session = session
        self.program = program
        self.options = options
        self.weights = weights

    @classmethod
    def prepare(cls, program: Program, options: ProtocolOptions, weights: Weights) -> object:
        """Computes whatever a server needs once for all its sessions. Nothing may change it later."""
        del program, options, weights
        return None

    def set_up(self) -> None:  # noqa: B027 - optional
        """Exchanges keys and base OTs, once per connection."""

    @abstractmethod
    def preprocess(self, inference_id: int) -> Preprocessing:
        """Runs the offline phase of one inference. `inference_id` never repeats in a session."""

    def preprocess_ahead(self, first_id: int) -> list[Preprocessing]:
        """Runs one offline phase for the `options.ahead` inferences from `first_id` on.

        Returns the material of each, in the order of their ids. A protocol whose inferences share messages of
        the offline phase overrides this. The others run `preprocess` once for each.
        """
        trace = self.session.trace
        materials: list[Preprocessing] = []
        try:
            for inference_id in range(first_id, first_id + self.options.ahead):
                if inference_id != first_id and trace is not None:
                    self.session.trace = ShareTrace()
                material = self.preprocess(inference_id)
                material.trace = self.session.trace
                materials.append(material)
        except BaseException:
            for material in materials:
                material.burn()
            raise
        finally:
            self.session.trace = trace
        return materials

    @abstractmethod
    def infer(self, material: Preprocessing, encoded_input: np.ndarray | None) -> np.ndarray | None:
        """Runs the online phase. It claims `material` before it sends any byte.

        `encoded_input` is uint32 of the input's shape at the client, and None at the server. Returns the
        revealed output, uint32 of the output's shape, at the client, and None at the server.
        """

    def close(self) -> None:  # noqa: B027 - optional
        """Wipes secrets."""
