"""The two parties, which run the sub-protocols in their order. Protocols derive their parties from them."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from pi_bench.hybrid.offline_schedule import client_turns, offline_schedule
from pi_bench.hybrid.parties import keys, online
from pi_bench.hybrid.parties.garbling import Garbler
from pi_bench.hybrid.parties.material import ArenaPool
from pi_bench.hybrid.parties.offline import ClientOffline, server_offline
from pi_bench.hybrid.parties.prepared import PreparedServer
from pi_bench.hybrid.parties.products import draw_masks
from pi_bench.hybrid.parties.scratch import ClientScratch, ServerScratch
from pi_bench.hybrid.work_plan import WorkPlan
from pi_bench.network.program import Program, Weights
from pi_bench.protocol import Party, PartyProtocol, Preprocessing, ProtocolOptions, SessionLike


class HybridClient(PartyProtocol):
    """Runs the client, who holds the input, evaluates the circuits and learns the logits.

    `name` is the name of the protocol. `uses_tables` is that of `WorkPlan`. A protocol derives a class:

    >>> class AnyClient(HybridClient):
    ...     name = "any"
    >>> from pi_bench.testing import memory_sessions, small_network
    >>> program, _ = small_network()
    >>> client = AnyClient(memory_sessions()[Party.CLIENT], program, ProtocolOptions("exact"), None)
    >>> client.close()
    """

    name: ClassVar[str]
    uses_tables: ClassVar[bool] = False

    def __init__(
        self, session: SessionLike, program: Program, options: ProtocolOptions, weights: Weights | None
    ) -> None:
        super().__init__(session, program, options, weights)
        self._plan = WorkPlan(program, options, uses_tables=self.uses_tables)
        self._turns = list(client_turns(offline_schedule(self._plan)))  # of every inference
        self._keys: keys.ClientKeys | None = None
        self._scratch = ClientScratch(self._plan)
        self._pool = ArenaPool(self._plan, Party.CLIENT)

    def set_up(self) -> None:
        """Sends the HE public key and receives the base OTs."""
        self._keys = keys.client_set_up(
            self.session,
            self.name,
            even=self.uses_tables or self._plan.construction.begins_with_set_up,
            copy_keys=self._plan.needs_copy_keys,
        )

    def preprocess(self, inference_id: int) -> Preprocessing:
        """Draws the masks of one inference, and gathers labels and tables for it."""
        assert self._keys is not None
        masks = draw_masks(self.program)
        with self._pool.take() as lease:
            arrays, values = ClientOffline(
                self.session,
                self._plan,
                self._turns,
                self._keys,
                lease,
                masks,
                inference_id,
                self.options.threads,
            ).run()
        arrays |= {f"mask:{op_id}": mask for op_id, mask in masks.items()}
        arrays |= {f"mask:{op.left}": values[op.left] for op in self.program.multiply_ops}
        arrays["output_share"] = values[self.program.output.source]
        if self.session.trace is not None:
            for op in self.program.linear_ops:
                self.session.trace.keep_linear(op.id, values[op.id])
            for op_id, mask in masks.items():
                self.session.trace.keep_activation(op_id, mask)
        return Preprocessing(self.name, inference_id, arrays, [lease])

    def infer(self, material: Preprocessing, encoded_input: np.ndarray | None) -> np.ndarray | None:
        """Sends the masked input, evaluates every activation and returns the logits."""
        assert encoded_input is not None
        arrays = material.claim(self.name)
        try:
            return online.client_online(
                self.session, self._plan, arrays, self._scratch, encoded_input, self.options.threads
            )
        finally:
            material.burn()

    def close(self) -> None:
        """Wipes the keys."""
        if self._keys is not None:
            self._keys.close()


class HybridServer(PartyProtocol):
    """Runs the server, who holds the weights, garbles the circuits and learns nothing.

    `name` is the name of the protocol. `uses_tables` is that of `WorkPlan`. A protocol derives a class:

    >>> class AnyServer(HybridServer):
    ...     name = "any"
    >>> from pi_bench.testing import memory_sessions, small_network
    >>> program, weights = small_network()
    >>> server = AnyServer(memory_sessions()[Party.SERVER], program, ProtocolOptions("exact"), weights)
    >>> server.close()
    """

    name: ClassVar[str]
    uses_tables: ClassVar[bool] = False

    def __init__(
        self,
        session: SessionLike,
        program: Program,
        options: ProtocolOptions,
        weights: Weights | None,
        prepared: object = None,
    ) -> None:
        super().__init__(session, program, options, weights)
        assert weights is not None
        if prepared is None:
            prepared = self.prepare(program, options, weights)
        assert isinstance(prepared, PreparedServer)
        self._prepared = prepared
        self._keys: keys.ServerKeys | None = None
        self._scratch = ServerScratch(prepared.plan, prepared.linear)
        self._pool = ArenaPool(prepared.plan, Party.SERVER)

    @classmethod
    def prepare(cls, program: Program, options: ProtocolOptions, weights: Weights) -> PreparedServer:
        """Prepares the plan and the weights, once for all clients."""
        return PreparedServer.of(program, options, weights, uses_tables=cls.uses_tables)

    def set_up(self) -> None:
        """Receives the HE public key and sends the base OTs."""
        self._keys = keys.server_set_up(
            self.session, self.name, copy_keys=self._prepared.plan.needs_copy_keys
        )

    def preprocess(self, inference_id: int) -> Preprocessing:
        """Answers the exchanges of one inference, and keeps the states of its garbled circuits."""
        assert self._keys is not None and self.weights is not None
        plan, threads = self._prepared.plan, self.options.threads
        with (
            self._pool.take() as lease,
            Garbler(self.session, self._keys, lease.arena, inference_id, threads, plan.ots) as garbler,
        ):
            arrays = server_offline(
                self.session,
                plan,
                self._prepared.exchanges,
                self._keys,
                self._prepared.products,
                self.weights,
                garbler,
                lease,
                threads,
            )
            return Preprocessing(self.name, inference_id, arrays, [*garbler.keep(), lease])

    def infer(self, material: Preprocessing, encoded_input: np.ndarray | None) -> np.ndarray | None:
        """Computes the linear layers and encodes every activation. Returns None."""
        arrays = material.claim(self.name)
        try:
            online.server_online(
                self.session,
                self._prepared.plan,
                arrays,
                self._prepared.linear,
                self._scratch,
                self.options.threads,
            )
        finally:
            material.burn()
        return None

    def close(self) -> None:
        """Wipes the keys."""
        if self._keys is not None:
            self._keys.close()
