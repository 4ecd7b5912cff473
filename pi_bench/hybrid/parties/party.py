"""The two parties, which run the sub-protocols in their order. Protocols derive their parties from them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
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
from pi_bench.protocol import (
    Party,
    PartyProtocol,
    Preprocessing,
    ProtocolOptions,
    SessionLike,
    ShareTrace,
)


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
        """Prepares one inference, where an offline phase is for one."""
        (material,) = self.preprocess_ahead(inference_id)
        return material

    def preprocess_ahead(self, first_id: int) -> list[Preprocessing]:
        """Draws the masks of each inference, and gathers labels and tables for it."""
        assert self._keys is not None
        masks = [draw_masks(self.program) for _ in range(self._plan.ahead)]
        with contextlib.ExitStack() as on_error:
            leases = [on_error.enter_context(self._pool.take()) for _ in masks]
            found = ClientOffline(
                self.session,
                self._plan,
                self._turns,
                self._keys,
                leases,
                masks,
                first_id,
                self.options.threads,
            ).run()
        materials = []
        for number, (lease, own, (arrays, values)) in enumerate(zip(leases, masks, found, strict=True)):
            arrays |= {f"mask:{op_id}": mask for op_id, mask in own.items()}
            arrays |= {f"mask:{op.left}": values[op.left] for op in self.program.multiply_ops}
            arrays["output_share"] = values[self.program.output.source]
            material = Preprocessing(self.name, first_id + number, arrays, [lease])
            if self.session.trace is not None:
                material.trace = self._traced(ShareTrace() if number else self.session.trace, values, own)
            materials.append(material)
        return materials

    def _traced(
        self, trace: ShareTrace, values: Mapping[int, np.ndarray], masks: Mapping[int, np.ndarray]
    ) -> ShareTrace:
        """Keeps the shares of one inference."""
        for op in self.program.linear_ops:
            trace.keep_linear(op.id, values[op.id])
        for op_id, mask in masks.items():
            trace.keep_activation(op_id, mask)
        return trace

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
        """Prepares one inference, where an offline phase is for one."""
        (material,) = self.preprocess_ahead(inference_id)
        return material

    def preprocess_ahead(self, first_id: int) -> list[Preprocessing]:
        """Answers the exchanges of a phase, and keeps the states of each inference's garbled circuits."""
        assert self._keys is not None and self.weights is not None
        plan, threads = self._prepared.plan, self.options.threads
        ids = range(first_id, first_id + plan.ahead)
        with contextlib.ExitStack() as on_exit:
            leases = [on_exit.enter_context(self._pool.take()) for _ in ids]
            garblers = [
                on_exit.enter_context(
                    Garbler(self.session, self._keys, lease.arena, inference_id, threads, plan.ots)
                )
                for lease, inference_id in zip(leases, ids, strict=True)
            ]
            found = server_offline(
                self.session,
                plan,
                self._prepared.exchanges,
                self._keys,
                self._prepared.products,
                self.weights,
                garblers,
                leases,
                threads,
            )
            return [
                Preprocessing(self.name, inference_id, arrays, [*garbler.keep(), lease])
                for inference_id, arrays, garbler, lease in zip(ids, found, garblers, leases, strict=True)
            ]

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
