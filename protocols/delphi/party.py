"""The two parties of `delphi`: the sub-protocols in their order."""

from __future__ import annotations

import numpy as np

from pi_bench.network.program import Program, Weights
from pi_bench.protocol import PartyProtocol, Preprocessing, ProtocolOptions, SessionLike
from pi_bench.protocol.work_plan import WorkPlan

from . import garbling, keys, online, products

NAME = "delphi"


class DelphiClient(PartyProtocol):
    """Holds the input; evaluates; learns the logits."""

    def __init__(
        self, session: SessionLike, program: Program, options: ProtocolOptions, weights: Weights | None
    ) -> None:
        super().__init__(session, program, options, weights)
        self._plan = WorkPlan(program, options)
        self._keys: keys.ClientKeys | None = None
        self._scratch = online.ClientScratch(self._plan)

    def set_up(self) -> None:
        self._keys = keys.client_set_up(self.session)

    def preprocess(self, inference_id: int) -> Preprocessing:
        assert self._keys is not None
        masks = products.draw_masks(self.program)
        shares = products.client_products(self.session, self._plan, self._keys.he, masks)
        arrays = garbling.client_garbling(
            self.session, self._plan, self._keys.reverse, shares, inference_id, self.options.threads
        )
        arrays |= {f"mask:{op_id}": mask for op_id, mask in masks.items()}
        arrays["output_share"] = shares[self.program.output.source]
        if self.session.trace is not None:
            for op_id, share in shares.items():
                self.session.trace.keep_linear(op_id, share)
            for op_id, mask in masks.items():
                self.session.trace.keep_activation(op_id, mask)
        return Preprocessing(NAME, inference_id, arrays)

    def infer(self, material: Preprocessing, encoded_input: np.ndarray | None) -> np.ndarray | None:
        assert encoded_input is not None
        arrays = material.claim(NAME)
        try:
            return online.client_online(
                self.session, self._plan, arrays, self._scratch, encoded_input, self.options.threads
            )
        finally:
            material.burn()

    def close(self) -> None:
        if self._keys is not None:
            self._keys.close()


class DelphiServer(PartyProtocol):
    """Holds the weights; garbles; learns nothing."""

    def __init__(
        self, session: SessionLike, program: Program, options: ProtocolOptions, weights: Weights | None
    ) -> None:
        super().__init__(session, program, options, weights)
        assert weights is not None
        self._plan = WorkPlan(program, options)
        self._linear = online.prepare_linear(program, weights)
        self._keys: keys.ServerKeys | None = None
        self._scratch = online.ServerScratch(self._plan, self._linear)

    def set_up(self) -> None:
        self._keys = keys.server_set_up(self.session)

    def preprocess(self, inference_id: int) -> Preprocessing:
        assert self._keys is not None and self.weights is not None
        constants = products.server_products(
            self.session, self._plan, self._keys.he, self.weights, self.options.threads
        )
        arrays, secrets = garbling.server_garbling(
            self.session, self._plan, self._keys.reverse, inference_id, self.options.threads
        )
        arrays |= {f"constant:{op_id}": constant for op_id, constant in constants.items()}
        return Preprocessing(NAME, inference_id, arrays, secrets)

    def infer(self, material: Preprocessing, encoded_input: np.ndarray | None) -> np.ndarray | None:
        arrays = material.claim(NAME)
        try:
            online.server_online(
                self.session, self._plan, arrays, self._linear, self._scratch, self.options.threads
            )
        finally:
            material.burn()
        return None

    def close(self) -> None:
        if self._keys is not None:
            self._keys.close()
