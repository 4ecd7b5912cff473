"""Inspects a network before it runs: counts, bits, fidelity, and where costs are known a prediction."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from pi_bench.launch.model import LoadedModel
from pi_bench.network.clamps import upper_relu_count
from pi_bench.prediction.simulated_run import Setting
from pi_bench.protocol import ProtocolInfo, ProtocolOptions
from pi_bench.report.bits import bits_part, quantization_part
from pi_bench.report.documents.inspection import Inspection
from pi_bench.report.inspection import inspect_program
from pi_bench.report.known_fidelity import known_fidelity
from pi_bench.report.weights import weights_of
from pi_bench.tasks.predicting import predict


def inspect_model(
    model: LoadedModel,
    info: ProtocolInfo,
    options: ProtocolOptions,
    setting: Setting | None,
    arguments: dict[str, Any],
    *,
    explain: bool = False,
) -> Inspection:
    """Inspects a network under a protocol, and predicts its costs in `setting`, unless that is None.

    Raises:
        PiBenchError: the protocol cannot run this network with these options.

    ```python
    from pi_bench.registry import default_protocol

    def relu_count(model: LoadedModel) -> int:
        info = default_protocol()
        return inspect_model(model, info, info.configure(), None, {}).relu_count
    ```
    """
    info.require(model.program, options)
    inspection = inspect_program(
        model.program, model.digest, info, options, model.fusion, weights_of(model.graph.meta), arguments
    )
    inspection = replace(
        inspection,
        bits=bits_part(model.program, model.compiling),
        quantization=quantization_part(model.graph, model.compiling),
        fidelity=known_fidelity(model, info.law(options)),
        upper_relu_count=upper_relu_count(model.graph, model.program),
    )
    if setting is None:
        return inspection
    predicted, explanation = predict(model, model.compiling, info, options, setting, explain=explain)
    return replace(inspection, prediction=predicted, explanation=explanation)
