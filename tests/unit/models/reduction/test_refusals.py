"""A search that cannot reach its end is refused before its first training."""

import dataclasses
import json

import pytest

from tests.installed import skip_without

torch = pytest.importorskip("torch")
skip_without("sklearn")

from pi_bench.errors import ModelError
from pi_bench.models import load_recipe, parse_recipe
from pi_bench.models.autorep.settings import ReplacementSettings
from pi_bench.models.building import build
from pi_bench.models.linearization.descent_settings import DescentSettings
from pi_bench.models.linearization.settings import LinearizationSettings
from pi_bench.models.recipe_writing import format_recipe
from pi_bench.models.reduction.autorep import AutorepSettings, autorep
from pi_bench.models.reduction.bcd import BcdSettings, bcd
from pi_bench.models.reduction.chosen_plan import PlanSettings
from pi_bench.models.reduction.plan import plan
from pi_bench.models.reduction.safenet import SafenetSettings, safenet
from pi_bench.models.reduction.senet import SenetSettings, senet
from pi_bench.models.reduction.snl import SnlSettings, snl
from pi_bench.models.safenet.settings import RelaxationSettings
from pi_bench.models.senet.settings import SelectionSettings
from pi_bench.models.training import TrainingSettings

from .conftest import RECIPE, InlineEngine

METHODS = {
    snl: (SnlSettings, {"linearization": LinearizationSettings(), "linearization_threads": 1}),
    bcd: (
        BcdSettings,
        {
            "linearization": LinearizationSettings(),
            "linearization_threads": 1,
            "descent": DescentSettings(),
        },
    ),
    senet: (SenetSettings, {"selection": SelectionSettings()}),
    autorep: (AutorepSettings, {"replacement": ReplacementSettings()}),
    plan: (PlanSettings, {"sensitivity": TrainingSettings()}),
    safenet: (SafenetSettings, {"relaxation": RelaxationSettings()}),
}


def refusal(method, base, settings, folder):
    """Holds the message of a refusal, which came before any job and before the folder was made."""
    engine = InlineEngine()
    quiet = {"progress": lambda *_: None, "announce": lambda *_: None, "say": lambda words: None}
    with pytest.raises(ModelError) as refused:
        method(base, settings, folder / "search", engine, **quiet)
    assert engine.names == [] and not (folder / "search").exists()
    assert "\n" not in str(refused.value)
    return str(refused.value)


def refusal_by_budget(method, base, settings, folder, teacher=None):
    kind, own = METHODS[method]
    own = own | {"teacher": teacher}
    fixed = {name: getattr(settings, name) for name in ("training", "data_dir", "device", "threads")}
    return refusal(method, base, kind(budgets=(100,), finetuning=settings.training, **fixed, **own), folder)


@pytest.mark.parametrize("order", [None, (3, 4, 1, 2)])
def test_deepreduce_of_a_network_that_is_too_small_for_rho(settings, tmp_path, order):
    from pi_bench.models.reduction.deepreduce import deepreduce

    deep = RECIPE.replace("[1, 1]\n", "[1, 1, 1, 1]\n").replace("[2, 4]", "[2, 4, 4, 4]")
    given = dataclasses.replace(settings, order=order)
    assert refusal(deepreduce, parse_recipe(deep, "deep.toml"), given, tmp_path) == (
        "DeepReDuce cannot start from small-digits: step rho of iteration 1 makes a network whose "
        "'input_shape' is smaller than 16 x 16, the stride of the whole network"
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "mobilenetv2-cifar10-1502208",
            "step thin of iteration 1 makes a network whose 'thinned_stages' must be",
        ),
        (
            "resnet50-imagenet-9608704",
            "step thin of iteration 1 makes a network whose 'thinned_stages' must be",
        ),
        (
            "resnet32-cifar100-quadratic-122880",
            "step cull of iteration 1 makes a network whose 'polynomials'",
        ),
    ],
)
def test_deepreduce_of_a_network_without_a_plan(settings, tmp_path, name, words):
    from pi_bench.models.reduction.deepreduce import deepreduce

    assert words in refusal(deepreduce, load_recipe(name), settings, tmp_path)


def test_deepreduce_of_a_network_of_which_culling_leaves_no_polynomial(base, settings, tmp_path):
    """Any order but one ends without the stage, so the order that trainings find does not matter."""
    from pi_bench.models.reduction.deepreduce import deepreduce

    with_some = dataclasses.replace(base, polynomials=("stages.0.*",))
    words = refusal(deepreduce, with_some, settings, tmp_path)
    assert "step cull of iteration 1 makes a network whose 'polynomials' names 'stages.0.*'" in words


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)
def test_a_method_that_cannot_replace_relu6(method, settings, tmp_path):
    base = load_recipe("mobilenetv2-cifar10-1502208")
    assert base.activation == "relu6"
    assert "ReLU6" in refusal_by_budget(method, base, settings, tmp_path)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)
def test_a_method_that_needs_relus_or_polynomials_in_every_layer(method, base, settings, tmp_path):
    mixed = dataclasses.replace(base, polynomials=("stages.0.*",))
    assert "polynomials" in refusal_by_budget(method, mixed, settings, tmp_path)


@pytest.fixture
def teacher(base, tmp_path):
    """A folder like that of a training, with random weights."""
    folder = tmp_path / "teacher"
    folder.mkdir()
    (folder / "recipe.toml").write_text(format_recipe(base))
    torch.save(build(base).state_dict(), folder / "state.pt")
    return folder


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)
def test_a_teacher_whose_weights_are_no_numbers(method, number, base, settings, teacher, tmp_path):
    weights = torch.load(teacher / "state.pt", weights_only=True)
    next(iter(weights.values())).view(-1)[0] = number
    torch.save(weights, teacher / "state.pt")
    words = refusal_by_budget(method, base, settings, tmp_path, teacher)
    assert "state.pt cannot be used: " in words and "holds NaN or infinity" in words


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)
def test_a_teacher_whose_file_is_cut(method, base, settings, teacher, tmp_path):
    content = (teacher / "state.pt").read_bytes()
    (teacher / "state.pt").write_bytes(content[: len(content) // 2])
    assert "state.pt" in refusal_by_budget(method, base, settings, tmp_path, teacher)


def test_a_merging_of_weights_that_are_no_numbers(base, settings, teacher, tmp_path):
    from pi_bench.models.reduction.merge import MergingSettings, merge_networks

    culled = dataclasses.replace(base, culled_stages=(1,))
    (teacher / "recipe.toml").write_text(format_recipe(culled))
    (teacher / "result.json").write_text(json.dumps({"settings": settings.training.as_dict()}))
    (teacher / "model.pt").touch()
    weights = {name: value * float("nan") for name, value in build(culled).state_dict().items()}
    torch.save(weights, teacher / "state.pt")

    def merge(base, settings, *rest, **said):
        return merge_networks(settings, *rest, **said)

    given = MergingSettings(
        folders=(teacher,),
        extent="full",
        finetuning=settings.training,
        data_dir=settings.data_dir,
        device="cpu",
        threads=1,
    )
    assert "holds NaN or infinity" in refusal(merge, culled, given, tmp_path)
