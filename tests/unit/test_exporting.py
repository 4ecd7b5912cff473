"""`pi_bench.export`: a user's module comes back from the file as the network that it was."""

import subprocess
import sys

import numpy as np
import pytest

import pi_bench
from pi_bench.errors import InputError, ModelError, UsageError
from pi_bench.network.compiler import compile_graph
from pi_bench.network.execution.reference import run_reference
from pi_bench.network.files.model_file import load_model
from pi_bench.network.graph.float_run import outputs
from pi_bench.network.program.codec import program_digest
from pi_bench.network.program.fixed_point import decode_output, encode_input

torch = pytest.importorskip("torch")
nn = torch.nn


class Branched(nn.Module):
    """A residual network of a user's own: odd sizes, two branches, overlapping pooling."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(2, 5, 3, padding=1)
        self.norm = nn.BatchNorm2d(5)
        self.side = nn.Conv2d(2, 5, 1)
        self.pool = nn.AvgPool2d(3, stride=2, padding=1)
        self.head = nn.Linear(5, 3)

    def forward(self, x):
        x = torch.relu(self.norm(self.first(x)) + self.side(x))
        x = self.pool(x)
        return self.head(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))


@pytest.fixture
def module():
    torch.manual_seed(0)
    module = Branched()
    module(torch.randn(16, 2, 9, 7))  # running statistics of its own
    return module.train()


@pytest.fixture
def inputs():
    return torch.randn(8, 2, 9, 7, generator=torch.Generator().manual_seed(1))


def test_the_file_holds_the_module(module, inputs, tmp_path):
    path = tmp_path / "model.pt"
    written = pi_bench.export(module, inputs[:1], path, calibration=inputs, labels=["a", "b", "c"])
    loaded = load_model(path)
    with torch.no_grad():
        expected = module.eval()(inputs).numpy()
    np.testing.assert_allclose(outputs(loaded, inputs.numpy()), expected, atol=1e-5)
    assert loaded.relu_count == 5 * 9 * 7
    assert loaded.labels == ("a", "b", "c")
    assert loaded.meta == written.meta
    assert loaded.meta["name"] == "Branched"
    assert loaded.meta["calibration"] == {"source": "given inputs", "sample_count": 8}
    assert min(loaded.meta["headroom_bits"].values()) >= 1
    assert loaded.ranges["input"] == pytest.approx(float(inputs.abs().max()))


def test_the_module_is_left_as_it_was(module, inputs, tmp_path):
    before = {key: value.clone() for key, value in module.state_dict().items()}
    pi_bench.export(module, inputs[:1], tmp_path / "model.pt", calibration=inputs)
    assert module.training and module.norm.training
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())


def test_numpy_and_double_inputs_and_modules_will_do(module, inputs, tmp_path):
    graph = pi_bench.export(
        module.double(), inputs[:1].double().numpy(), tmp_path / "m.pt", calibration=inputs.numpy()
    )
    assert graph.relu_count == 5 * 9 * 7


def test_the_example_alone_is_used_with_a_warning(module, inputs, tmp_path):
    with pytest.warns(UserWarning, match="example input alone"):
        graph = pi_bench.export(module, inputs[:1], tmp_path / "model.pt")
    assert graph.meta["calibration"] == {"source": "example input", "sample_count": 1}


def test_calibration_that_does_not_fit(module, inputs, tmp_path):
    for calibration, message in [
        (inputs[:, :1], r"shape \(8, 1, 9, 7\), \(samples, 2, 9, 7\) is needed"),
        (inputs[:0], "is needed"),
        (inputs * float("nan"), "NaN or infinity"),
        (inputs * 0, "all zero"),
        ("inputs.npy", "neither a float tensor nor a numpy array"),
    ]:
        with pytest.raises(InputError, match=message):
            pi_bench.export(module, inputs[:1], tmp_path / "model.pt", calibration=calibration)
    assert not (tmp_path / "model.pt").exists()


def test_a_percentile_leaves_out_the_most_extreme_samples(module, inputs, tmp_path):
    inputs[0] *= 40
    largest, most = (
        pi_bench.export(
            module, inputs[:1], tmp_path / "m.pt", calibration=inputs, calibration_percentile=percentile
        )
        for percentile in (100, 80)
    )
    assert most.ranges["input"] == largest.ranges["input"] == pytest.approx(float(inputs.abs().max()))
    ordinary = pi_bench.export(module, inputs[1:2], tmp_path / "m.pt", calibration=inputs[1:]).ranges
    assert largest.ranges["head"] > 10 * ordinary["head"] >= 10 * most.ranges["head"]
    assert most.meta["calibration"]["percentile"] == 80 and "percentile" not in largest.meta["calibration"]
    with pytest.raises(UsageError, match="calibration_percentile 101: 50 to 100"):
        pi_bench.export(module, inputs[:1], tmp_path / "m.pt", calibration=inputs, calibration_percentile=101)


def test_calibration_may_be_a_list(module, inputs, tmp_path):
    for calibration in (list(inputs), [inputs[:3], inputs[3:].numpy()]):
        graph = pi_bench.export(module, inputs[:1], tmp_path / "model.pt", calibration=calibration)
        assert graph.meta["calibration"]["sample_count"] == 8
    for calibration, message in [
        ([inputs[0], inputs[:, :1]], r"calibration\[1\] has shape \(8, 1, 9, 7\), \(2, 9, 7\) is needed"),
        ([], r"shape \(0, 2, 9, 7\)"),
        (["a.png"], r"calibration\[0\] is neither"),
    ]:
        with pytest.raises(InputError, match=message):
            pi_bench.export(module, inputs[:1], tmp_path / "model.pt", calibration=calibration)


def test_what_is_no_module_is_named(module, inputs, tmp_path):
    for wrong, message in [(module.state_dict(), "load_state_dict"), (Branched, "torch.nn.Module is needed")]:
        with pytest.raises(ModelError, match=message):
            pi_bench.export(wrong, inputs[:1], tmp_path / "model.pt", calibration=inputs)


def test_an_example_without_a_batch_axis_is_blamed_itself(module, inputs, tmp_path):
    with pytest.raises(
        InputError, match=r"\(8, 2, 9, 7\), \(samples, 9, 7\) is needed.*add the axis that is missing"
    ):
        pi_bench.export(module, inputs[0], tmp_path / "model.pt", calibration=inputs)


def test_an_error_of_the_users_forward_is_told_as_it_is(inputs, tmp_path, capfd):
    module = nn.Sequential(nn.Flatten(), nn.Linear(10, 3))
    with pytest.raises(
        ModelError, match=r"module itself fails .*\(1, 2, 9, 7\): mat1 and mat2 shapes"
    ) as error:
        pi_bench.export(module, inputs[:1], tmp_path / "model.pt", calibration=inputs)
    assert "branches" not in str(error.value)
    assert capfd.readouterr().err == ""


def test_control_flow_on_values_is_refused_with_advice(inputs, tmp_path, capfd):
    class Branching(nn.Module):
        def forward(self, x):
            return x.flatten(1) if x.sum() > 0 else -x.flatten(1)

    with pytest.raises(ModelError, match="branches on tensor values"):
        pi_bench.export(Branching(), inputs[:1], tmp_path / "model.pt", calibration=inputs)
    assert capfd.readouterr().err == ""  # torch writes its graph there


def test_a_graph_is_shown_in_one_line(module, inputs, tmp_path):
    graph = pi_bench.export(module, inputs[:1], tmp_path / "model.pt", calibration=inputs)
    assert repr(graph) == f"<Graph 'Branched': {len(graph.nodes)} nodes, 315 ReLUs>"


def test_labels_that_do_not_fit(module, inputs, tmp_path):
    with pytest.raises(InputError, match="2 labels for 3 outputs"):
        pi_bench.export(module, inputs[:1], tmp_path / "m.pt", calibration=inputs, labels=["a", "b"])


def test_a_forward_that_tracing_does_not_see_is_refused(inputs, tmp_path):
    class Counting(nn.Module):
        """Traced on its first call, another function from the second on."""

        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(126, 3)
            self.calls = 0

        def forward(self, x):
            if not torch.compiler.is_compiling():
                x = x * 2
            return self.fc(x.flatten(1))

    with pytest.raises(ModelError, match="differs from the module"):
        pi_bench.export(Counting(), inputs[:1], tmp_path / "model.pt", calibration=inputs)


def test_an_unsupported_operator_is_named(inputs, tmp_path):
    module = nn.Sequential(nn.Sigmoid(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(24, 3))
    with pytest.raises(ModelError, match="sigmoid"):
        pi_bench.export(module, inputs[:1], tmp_path / "model.pt", calibration=inputs)


def test_less_than_one_bit_of_headroom_is_refused(module, inputs, tmp_path, monkeypatch):
    monkeypatch.setattr("pi_bench.exporting.MIN_HEADROOM_BITS", 40.0)
    with pytest.raises(ModelError, match=r"layer '.*' has \d+\.\d\d bits of headroom, 40 is needed"):
        pi_bench.export(module, inputs[:1], tmp_path / "model.pt", calibration=inputs)
    assert not (tmp_path / "model.pt").exists()


def test_importing_the_package_imports_no_torch():
    code = "import sys, pi_bench; assert 'torch' not in sys.modules; assert not hasattr(pi_bench, 'nothing')"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


class MaskedReLU(nn.Module):
    """In the manner of selective network linearization: one mask value per pixel, a frozen parameter."""

    def __init__(self, shape, seed):
        super().__init__()
        mask = torch.rand((1, *shape), generator=torch.Generator().manual_seed(seed)) < 0.3
        self.alpha = nn.Parameter(mask.float(), requires_grad=False)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(x.clone()) * self.alpha + x * (1 - self.alpha)


class MaskedBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 3, padding=1)
        self.bn1, self.bn2 = nn.BatchNorm2d(2), nn.BatchNorm2d(2)
        self.alpha1, self.alpha2 = MaskedReLU((2, 9, 7), 1), MaskedReLU((2, 9, 7), 2)
        self.head = nn.Linear(126, 3)

    def features(self, x):
        out = self.alpha1(self.bn1(self.conv1(x)))
        return self.bn2(self.conv2(out)), x

    def forward(self, x):
        out, shortcut = self.features(x)
        out += shortcut
        return self.head(torch.flatten(self.alpha2(out), 1))


def test_masked_relus_cost_relus_where_the_mask_is_1_and_truncations_elsewhere(inputs, tmp_path):
    from pi_bench.network.compiler import compile_graph
    from pi_bench.network.program import ActivationKind

    module = MaskedBlock()
    pi_bench.export(module, inputs[:1], tmp_path / "model.pt", calibration=inputs)
    program, _ = compile_graph(load_model(tmp_path / "model.pt"))
    assert [op.name for op in program.activation_ops] == ["alpha1.masked_relu", "alpha2.masked_relu"]
    for op, masked in zip(program.activation_ops, [module.alpha1, module.alpha2], strict=True):
        counts = {group.kind: group.count for group in op.groups}
        kept = int(masked.alpha.sum())
        assert counts == {ActivationKind.RELU: kept, ActivationKind.TRUNCATE: 126 - kept}


def test_channels_and_features_of_unequal_range_are_equalized_the_same_way_each_time(tmp_path):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    sizes = torch.tensor([1e-1, 1.0, 1e2, 1e4])
    with torch.no_grad():
        module[0].weight /= sizes
        module[0].weight[3] *= 1000
        module[2].weight[:, 3] /= 1000
    inputs = torch.randn(32, 4) * sizes
    programs = []
    for path in (tmp_path / "a.pt", tmp_path / "b.pt"):
        pi_bench.export(module, inputs[:1], path, calibration=inputs, name="raw")
        programs.append(compile_graph(load_model(path)))
    (program, weights), (again, _) = programs
    assert program_digest(program) == program_digest(again)
    assert program.input.channel_bits.tolist()[3] == 0 < min(program.input.channel_bits.tolist()[:3])
    with torch.no_grad():
        expected = module(inputs).numpy()
    np.testing.assert_allclose(outputs(load_model(path), inputs.numpy()), expected, rtol=1e-4, atol=1e-5)
    for x, answer in zip(inputs.numpy()[:8], expected, strict=False):
        run = run_reference(program, weights, encode_input(program, x[None]))
        error = np.abs(decode_output(program, run.values[program.output.id]) - answer).max()
        assert error < 0.02 * np.abs(expected).max()


@pytest.mark.parametrize(
    ("given", "noted"), [({}, None), ({"own_weights": "given"}, False), ({"own_weights": "random"}, True)]
)
def test_the_origin_of_the_weights_is_noted(given, noted, module, inputs, tmp_path):
    path = tmp_path / "model.pt"
    pi_bench.export(module, inputs[:1], path, calibration=inputs, **given)
    assert load_model(path).meta.get("random_weights") == noted


def test_the_weights_of_a_file_are_given(module, inputs, tmp_path):
    program = tmp_path / "program.pt2"
    torch.export.save(torch.export.export(module.eval(), (inputs,)), program)
    written = pi_bench.export(program, None, tmp_path / "model.pt", calibration=inputs)
    assert written.meta["random_weights"] is False


def test_another_origin_of_the_weights_is_refused(module, inputs, tmp_path):
    with pytest.raises(UsageError, match="own_weights cannot be 'trained'; it can be 'given', 'random'"):
        pi_bench.export(module, inputs[:1], tmp_path / "model.pt", calibration=inputs, own_weights="trained")
    assert not (tmp_path / "model.pt").exists()
