"""Reasons to doubt the answers that `pi-bench accuracy` compares, with advice."""

from __future__ import annotations

from pi_bench.fidelity import FidelityGoal
from pi_bench.report.documents import accuracy as document
from pi_bench.report.quantities import counted
from pi_bench.report.weights import random_warnings

_NARROW_HEADROOM_BITS = 0.1


def find_accuracy_warnings(result: document.Accuracy) -> list[str]:
    """Lists what a reader must know, the gravest first; each sentence says what to do next.

    ```python
    import msgspec

    def show(path: str) -> None:  # a file of --json
        with open(path, "rb") as file:
            result = msgspec.json.decode(file.read(), type=document.Accuracy)
        print(find_accuracy_warnings(result))
    ```
    """
    found = []
    private, data = result.private, result.data
    if result.interrupted:
        found.append(
            "INTERRUPTED: the figures are those of the images that were finished; run it again for all"
        )
    if private is not None and not private.verified:
        found.append(f"a private run broke its law: {private.failures[0]}")
    found += random_warnings(result.network.weights)
    found += _unfaithful(result)
    for layer in result.layers:
        if layer.outside_count:
            found.append(
                f"saturation: {layer.outside_count:,} values of layer {layer.name!r} lie outside its "
                f"window ({-layer.headroom_bits:.2f} bits beyond), so their answers are wrong; calibrate "
                "with more inputs, or raise --headroom-bits"
            )
    if data.class_count is not None and data.class_count != result.output_count:
        found.append(
            f"{data.source} has {data.class_count} classes, the network {result.output_count}: it "
            "was not made for this data, and its accuracy here means nothing; use data of as many classes"
        )
    if data.refused_count:
        found.append(
            f"{data.refused_count:,} of {data.image_count:,} images have a value beyond the input's "
            "bound and were left out, as a client refuses them; normalize as in training, or calibrate with "
            "such images"
        )
    narrow = [layer for layer in result.layers if 0 <= layer.headroom_bits < _NARROW_HEADROOM_BITS]
    if narrow and not any(layer.outside_count for layer in result.layers):
        found.append(
            f"layer {narrow[0].name!r} came within {narrow[0].headroom_bits:.2f} bits of its window; "
            "other inputs may leave it: calibrate with more inputs, or raise --headroom-bits"
        )
    return found


def _unfaithful(result: document.Accuracy) -> list[str]:
    """Warns if surely fewer images than the default goal of a fidelity have the float network's class.

    Answers of random weights need no such warning.
    """
    integer, goal_pct = result.integer, FidelityGoal().same_class_pct
    if integer.same_class_interval_pct[1] >= goal_pct or result.network.weights == "random":
        return []
    approximated = result.approximated_law
    if approximated is not None and approximated.same_class_interval_pct[1] >= goal_pct:
        advice = f"mode {result.mode} causes this: choose a more accurate mode, or other options of this one"
    else:
        advice = (
            f"export again with --fidelity {goal_pct:g}% and more calibration inputs, or raise --weight-bits "
            "and --activation-bits"
        )
    return [
        "the integer network has the float network's class on only "
        f"{integer.same_class_as_float_pct:.1f} % of {counted(integer.image_count, 'image')}; {goal_pct:g} % "
        "is the default goal of an export. Private answers are those of a less accurate network; "
        f"{advice}"
    ]
