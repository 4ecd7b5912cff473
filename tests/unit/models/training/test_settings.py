"""Schedules of the papers, and a named error for impossible values."""

import math

import pytest

from pi_bench.errors import UsageError
from pi_bench.models.training import TrainingSettings, default_settings


def test_defaults_are_deepreduces():
    settings = TrainingSettings(**default_settings("cifar100"))
    assert (settings.epochs, settings.batch_size) == (120, 128)
    assert (settings.learning_rate, settings.momentum, settings.weight_decay) == (0.1, 0.9, 4e-4)
    assert (settings.temperature, settings.hard_weight, settings.soft_weight) == (4, 0.9, 0.1)
    rates = [settings.learning_rate_at(epoch) for epoch in (0, 29, 30, 59, 60, 90, 119)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 1e-4, 1e-4])


def test_cifar10_has_a_cosine():
    settings = TrainingSettings(**default_settings("cifar10"))
    assert (settings.epochs, settings.schedule) == (150, "cosine")
    assert settings.learning_rate_at(0) == 0.1
    assert settings.learning_rate_at(75) == pytest.approx(0.05)
    assert 0 < settings.learning_rate_at(149) < 1e-4


def test_a_short_run_has_all_steps():
    settings = TrainingSettings(epochs=8)
    rates = [settings.learning_rate_at(epoch) for epoch in range(8)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 1e-3, 1e-3, 1e-4, 1e-4])
    assert TrainingSettings(epochs=1).learning_rate_at(0) == 0.1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("epochs", 0),
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("learning_rate", math.nan),
        ("momentum", 1.5),
        ("weight_decay", -1.0),
        ("temperature", 0.0),
        ("hard_weight", 1.1),
        ("validation_fraction", 1.0),
        ("seed", -1),
        ("schedule", "linear"),
        ("optimizer", "lion"),
        ("precision", "float16"),
        ("soft_weight", -0.1),
    ],
)
def test_impossible_values_are_named(key, value):
    with pytest.raises(UsageError, match=f"{key} is .*, allowed: "):
        TrainingSettings(**{key: value})
