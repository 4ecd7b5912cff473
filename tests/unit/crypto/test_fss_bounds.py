"""Sizes of FSS gadgets, and refusals of their steps."""

from dataclasses import fields, replace

import numpy as np
import pytest

from pi_bench.crypto import fss
from pi_bench.crypto.fss import FssCall, FssSpec
from pi_bench.crypto.gadget import GadgetSpec
from tests.fss_parties import LANES, FssRun, bundle_flights, ideal_material, prepare

RELU = FssSpec("relu", 12, 23, False, 4095, 1)
EXACT = FssSpec("relu", 12, 23, True, 2048)
TRUNCATE = FssSpec("truncate", 12, 31, True, 2048)


def per_element(spec: FssSpec) -> tuple[float, ...]:
    """Bytes: offline to the client and to the server, online there and back, stored at both."""
    bundles = sum(spec.bundle_group_bytes(level) for level in range(1, spec.bundle_count + 1))
    return (
        4 * spec.choice_ots + (spec.opening_group_bytes + bundles) / LANES,
        4 * spec.request_ots + (spec.correction_group_bytes + bundles) / LANES,
        4 + (spec.online_group_bytes + spec.answer_group_bytes) / LANES,
        spec.server_state_group_bytes / LANES,
        spec.client_state_group_bytes / LANES,
    )


@pytest.mark.parametrize(
    ("sign_bits", "levels", "to_client", "to_server", "online"),
    [
        (1, 0, 8, 15.5, 8.375),
        (8, 0, 36, 69.75, 9.25),
        (9, 1, 56, 89.625, 9.375),
        (11, 3, 96, 130.5, 9.625),
        (15, 7, 176, 264, 10.125),
        (16, 8, 212, 299.875, 10.25),
    ],
)
def test_sizes_of_a_window(sign_bits, levels, to_client, to_server, online) -> None:
    """Against the costs that the specification counts, for windows whose lowest bit the sign drops."""
    spec = FssSpec("relu", 8, 8 + sign_bits, False, 255, 1)
    assert spec.bundle_count == levels
    assert len(bundle_flights(spec)) == (levels + 1 if levels else 0)
    assert per_element(spec)[:3] == (to_client, to_server, online)


def test_sizes_of_the_usual_gadgets() -> None:
    assert per_element(RELU) == (96, 130.5, 9.625, 86.625, 85.375)
    assert per_element(EXACT) == (268, 355.5, 15.625, 243.5, 236.5)
    assert per_element(TRUNCATE) == (133.5, 174, 5.875, 109.875, 112.25)


def test_nodes_are_hashed_once_per_child_level_and_once_per_leaf() -> None:
    """A table of 15 bits: one bit decided by the first digit, and seven by each further digit."""
    spec = FssSpec("relu", 8, 24, False, 255, 1)
    per_node = (2, 1, 1, 1, 1, 1, 1, 1)  # level 1 ends the first digit, level 8 the second
    assert [spec.node_hashes(level) for level in range(1, 10)] == [
        *(count << level for level, count in enumerate(per_node, start=1)),
        0,
    ]
    assert spec.online_hashes == sum(per_node)


@pytest.mark.parametrize(
    ("numbers", "error"),
    [
        (("relu", 4, 20, False, 15, 1), None),
        (("relu", 4, 21, False, 15, 1), "garbled gadget"),
        (("relu", 4, 30, False, 15, 11), None),
        (("relu", 15, 29, True, 0), None),
        (("relu", 14, 29, True, 0), "garbled gadget"),
        (("relu", 16, 29, True, 0), "garbled gadget"),
        (("relu", 0, 15, True, 0), None),
        (("truncate", 15, 31, True, 0), None),
        (("truncate", 16, 31, True, 0), "garbled gadget"),
        (("truncate", 12, 31, False, 0), "garbled gadget"),
        (("truncate", 0, 31, True, 0), "garbled gadget"),
        (("relu", 4, 9, False, 0, 6), "no sign"),
        (("relu", 4, 9, True, 0, 1), "no sign"),
        (("relu", -1, 9, False, 0), "truncates"),
        (("relu", 4, 32, False, 0, 20), "truncates"),
        (("maxpool", 4, 9, False, 0), "kind"),
    ],
)
def test_what_a_table_can_hold(numbers, error) -> None:
    if error is None:
        assert FssSpec(*numbers).choice_ots > 0
    else:
        with pytest.raises(ValueError, match=error):
            FssSpec(*numbers)


def test_a_gadget_that_no_table_holds_stays_garbled() -> None:
    assert FssSpec.of_gadget(GadgetSpec("relu", 12, 23, False, 4095, 3, 1)) == RELU
    assert FssSpec.of_gadget(GadgetSpec("relu", 12, 29, True, 2048)) is None


def steps(spec: FssSpec) -> dict[str, object]:
    """A record of arguments of each step, for one group."""
    run: FssRun = prepare(spec, np.zeros(LANES, np.uint32), ideal_material(spec, 1))
    material, words = run.material, np.zeros(LANES, np.uint32)
    zero_choices, active_choices = material.cots("server", material.choices, spec.choice_ots)
    packed = fss.request_choices(spec, words, material.client_bits)
    zero_request, active_request = material.cots("client", packed, spec.request_ots)
    scratch = np.zeros(spec.scratch_group_bytes, np.uint8)
    bundle = np.zeros(spec.bundle_group_bytes(1), np.uint8)
    message = np.zeros(spec.online_group_bytes, np.uint8)
    kept = np.zeros(spec.kept_group_bytes, np.uint8)
    answer = np.zeros(spec.answer_group_bytes // 4, np.uint32)
    growing = run.client_state.copy()
    growing[-4] = spec.bundle_count - 1  # the bundles that the state counts, so that the last can be taken
    seed = np.frombuffer(material.hash_seed, np.uint8)
    return {
        "request": fss.RequestArguments(
            material.client_delta,
            seed,
            words,
            material.client_bits,
            zero_choices,
            active_request,
            run.corrections,
            run.client_state,
            scratch,
            bundle,
        ),
        "answer": fss.AnswerArguments(
            material.server_delta,
            seed,
            material.choices,
            material.server_bits,
            active_choices,
            zero_request,
            run.corrections,
            run.opening,
            run.server_state,
            scratch,
            bundle,
        ),
        "grow": fss.GrowArguments(
            "client",
            material.client_delta,
            seed,
            spec.bundle_count,
            run.bundles["server", spec.bundle_count],
            growing,
            scratch,
            np.zeros(0, np.uint8),
        ),
        "encode": fss.FssEncodeArguments(material.server_delta, seed, run.server_state, words, message, kept),
        "evaluate": fss.FssEvaluateArguments(
            material.client_delta, seed, run.client_state, message, words, words.copy(), answer
        ),
        "finish": fss.FinishArguments(kept, words, answer, words.copy()),
    }


@pytest.mark.parametrize("step", ["request", "answer", "grow", "encode", "evaluate", "finish"])
@pytest.mark.parametrize("spec", [RELU, EXACT, TRUNCATE], ids=["relu", "exact", "truncate"])
def test_every_buffer_has_its_size(spec, step) -> None:
    arguments, function = steps(spec)[step], getattr(fss, step)
    call = spec if step == "finish" else FssCall(spec, 9, 0)
    for field in fields(arguments):
        argument = getattr(arguments, field.name)
        if isinstance(argument, np.ndarray) and argument.size > 0:
            with pytest.raises(ValueError, match=": need "):
                function(call, replace(arguments, **{field.name: argument[:-1].copy()}))
    function(call, arguments)


@pytest.mark.parametrize("step", ["request", "answer", "grow", "encode", "evaluate"])
def test_a_delta_of_the_wrong_parity_is_refused(step) -> None:
    """Equal lowest bits would make the control bits agree on the path: wrong signs, and no error."""
    arguments = steps(RELU)[step]
    wrong = arguments.delta.copy()
    wrong[0] ^= 1
    with pytest.raises(ValueError, match="lowest bit must be"):
        getattr(fss, step)(FssCall(RELU, 9, 0), replace(arguments, delta=wrong))


@pytest.mark.parametrize(
    ("change", "error"),
    [({"level": 0}, "level"), ({"level": 4}, "level"), ({"party": "both"}, "party")],
)
def test_grow_refuses(change, error) -> None:
    with pytest.raises(ValueError, match=error):
        fss.grow(FssCall(RELU, 9, 0), replace(steps(RELU)["grow"], **change))


@pytest.mark.parametrize("call", [FssCall(RELU, 1 << 24, 0), FssCall(RELU, 0, 2**32 - 1)])
def test_numbers_fit_their_fields(call) -> None:
    v = np.zeros(2 * LANES, np.uint32)
    with pytest.raises(ValueError, match="24 bits"):
        prepare(RELU, v, ideal_material(RELU, 2), call=call)


def test_errors_show_no_secret() -> None:
    secret = b"\x02" + b"SECRET-DELTA-15"
    arguments = replace(steps(RELU)["request"], delta=secret)
    assert "SECRET" not in repr(arguments)
    for change in ({"v": 7}, {"bits": None}, {"out_state": bytes(3)}, {"v": np.zeros(3)}):
        with pytest.raises((TypeError, ValueError, BufferError)) as caught:
            fss.request(FssCall(RELU, 9, 0), replace(arguments, **change))
        assert "SECRET" not in str(caught.value)


def test_no_elements() -> None:
    empty = np.zeros(0, np.uint32)
    for spec in (RELU, EXACT, TRUNCATE):
        assert fss.request_choices(spec, empty, empty).size == 0
        fss.finish(spec, fss.FinishArguments(b"", empty, empty, empty.copy()))
