"""Ferret's instances of one inference, at both parties: one for the labels, one for the reverse OTs.

`pi_bench.hybrid.exchanges.seeds` shows the messages. Without Ferret there are none, and the OTs are those of
the instances of SoftSpoken.
"""

from __future__ import annotations

import contextlib

from pi_bench.crypto.closed_context import ClosedContext
from pi_bench.crypto.correlated_ot import Message, OtReceiver, OtSender
from pi_bench.crypto.ferret import FerretReceiver, FerretSender
from pi_bench.hybrid.ot_plan import OtPlan


class _Ots(ClosedContext):
    """Holds what both parties have: the plan, and the instances that end with the inference."""

    def __init__(self, plan: OtPlan, context: bytes, threads: int) -> None:
        self._on_exit = contextlib.ExitStack()
        self._threads = threads
        self._reverse_plan = plan.reverse.ferret(context, "reverse OTs", even=True)
        self._label_plan = plan.labels.ferret(context, "label OTs", even=False)

    def close(self) -> None:
        """Ends the instances of this inference, and wipes their secrets."""
        self._on_exit.close()


class ClientOts(_Ots):
    """Runs the client, who receives labels and sends reverse OTs. Ferret makes them once it has begun.

    `reverse` is the connection's instance of SoftSpoken. `context` names the protocol, the session and the
    inference. `ServerOts` runs the other party:

    >>> import numpy as np
    >>> from pi_bench.hybrid.parties.keys import client_set_up, server_set_up
    >>> from pi_bench.testing import run_sub_protocol
    >>> plan = OtPlan.silent_for(label_count=0, reverse_count=32)
    >>> def client(session):
    ...     keys = client_set_up(session, even=True)
    ...     with ClientOts(keys.reverse, plan, b"inference 7", threads=1) as ots:
    ...         session.send(ots.accept_reverse(session.receive(plan.reverse.set_up_bytes)))
    ...         zero_labels = np.empty((32, 16), np.uint8)
    ...         ots.reverse.extend(session.receive(4), 32, zero_labels)
    ...     return zero_labels
    >>> def server(session):
    ...     keys, active_labels = server_set_up(session), np.empty((32, 16), np.uint8)
    ...     with ServerOts(keys.reverse, plan, b"inference 7", threads=1) as ots:
    ...         session.send(ots.begin_reverse())
    ...         ots.accept_reverse(session.receive(plan.reverse.correction_bytes))
    ...         session.send(ots.reverse.extend(bytes(4), 32, active_labels))
    ...     return active_labels
    >>> np.array_equal(*run_sub_protocol(client, server))  # all choices are 0
    True
    """

    def __init__(self, reverse: OtSender, plan: OtPlan, context: bytes, threads: int) -> None:
        super().__init__(plan, context, threads)
        self.reverse = reverse
        self._labels: OtReceiver | None = None

    def accept_reverse(self, set_up: Message) -> bytearray:
        """Begins the reverse OTs of Ferret. Returns the corrections, which go to the server."""
        sender = self._on_exit.enter_context(FerretSender(self.reverse, self._reverse_plan))
        self.reverse = sender
        return sender.accept_set_up(set_up, threads=self._threads)

    def begin_labels(self, labels: OtReceiver) -> bytearray | None:
        """Takes the fresh instance of SoftSpoken. Returns Ferret's first message, if Ferret makes labels."""
        self._labels = self._on_exit.enter_context(contextlib.closing(labels))
        if not self._label_plan.batches:
            return None
        ferret = FerretReceiver(labels, self._label_plan, threads=self._threads)
        receiver = self._on_exit.enter_context(ferret)
        labels.close()  # it has served: Ferret extends it once
        self._labels = receiver
        return receiver.set_up_message

    def accept_labels(self, corrections: Message) -> None:
        """Takes the server's corrections, after which Ferret makes labels."""
        assert isinstance(self._labels, FerretReceiver)
        self._labels.accept(corrections, threads=self._threads)

    @property
    def labels(self) -> OtReceiver:
        """The label OTs, once they have begun."""
        assert self._labels is not None
        return self._labels


class ServerOts(_Ots):
    """Runs the server, who sends labels and receives reverse OTs. `ClientOts` shows both parties.

    ```python
    from pi_bench.hybrid.parties.keys import ServerKeys

    def begin(session, keys: ServerKeys, plan: OtPlan) -> OtReceiver:
        ots = ServerOts(keys.reverse, plan, b"inference 7", threads=1)
        session.send(ots.begin_reverse())
        ots.accept_reverse(session.receive(plan.reverse.correction_bytes))
        return ots.reverse
    ```
    """

    def __init__(self, reverse: OtReceiver, plan: OtPlan, context: bytes, threads: int) -> None:
        super().__init__(plan, context, threads)
        self.reverse = reverse
        self._labels: OtSender | None = None

    def begin_reverse(self) -> bytearray | None:
        """Returns Ferret's first message, if Ferret makes the reverse OTs."""
        if not self._reverse_plan.batches:
            return None
        ferret = FerretReceiver(self.reverse, self._reverse_plan, threads=self._threads)
        receiver = self._on_exit.enter_context(ferret)
        self.reverse = receiver
        return receiver.set_up_message

    def accept_reverse(self, corrections: Message) -> None:
        """Takes the client's corrections, after which Ferret makes the reverse OTs."""
        assert isinstance(self.reverse, FerretReceiver)
        self.reverse.accept(corrections, threads=self._threads)

    def begin_labels(self, labels: OtSender) -> None:
        """Takes the fresh instance of SoftSpoken, which makes the labels unless Ferret does."""
        self._labels = self._on_exit.enter_context(contextlib.closing(labels))

    def accept_labels(self, set_up: Message) -> bytearray:
        """Begins the label OTs of Ferret. Returns the corrections, which go to the client."""
        base = self.labels
        sender = self._on_exit.enter_context(FerretSender(base, self._label_plan))
        self._labels = sender
        corrections = sender.accept_set_up(set_up, threads=self._threads)
        base.close()  # it has served: Ferret extends it once
        return corrections

    @property
    def labels(self) -> OtSender:
        """The label OTs, once they have begun."""
        assert self._labels is not None
        return self._labels
