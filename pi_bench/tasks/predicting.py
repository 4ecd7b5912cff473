"""Predicts the time and bytes of a network, and explains them."""

from __future__ import annotations

from pi_bench.launch.alternatives import alternatives
from pi_bench.launch.model import LoadedModel
from pi_bench.network.compiler import CompileOptions
from pi_bench.prediction.causes import RunCosts
from pi_bench.prediction.simulated_run import Setting, predict_run
from pi_bench.protocol import ProtocolInfo, ProtocolOptions
from pi_bench.report.documents.predicted import Explanation, Prediction
from pi_bench.report.explanation import explain as explain_run
from pi_bench.report.prediction import prediction_part


def predict(
    model: LoadedModel,
    compiling: CompileOptions,
    info: ProtocolInfo,
    options: ProtocolOptions,
    setting: Setting,
    *,
    explain: bool,
) -> tuple[Prediction, Explanation | None]:
    """Predicts the network's cost and, with `explain`, explains it.

    ```python
    from pi_bench.registry import default_protocol

    def predicted(model: LoadedModel, compiling: CompileOptions, setting: Setting) -> object:
        info = default_protocol()
        return predict(model, compiling, info, info.configure(), setting, explain=False)[0]
    ```
    """
    assert info.script is not None
    script = info.script(model.program, options)
    run = predict_run(script, setting)
    predicted = prediction_part(model.program, run, setting)
    if not explain:
        return predicted, None
    others = alternatives(model, compiling, info, options, setting)
    return predicted, explain_run(model.program, script, run, RunCosts.of(script, setting), others)
