"""The tables of settings of jobs: refusals, JSON, and the options of the command line that they declare."""

import argparse
import json
import re

import pytest

from pi_bench.cli.reduce import job_options
from pi_bench.errors import UsageError
from pi_bench.models.training import TrainingSettings

CLASSES = (
    "linearization.settings.LinearizationSettings",
    "linearization.descent_settings.DescentSettings",
    "senet.settings.SelectionSettings",
    "lfpc.settings.CriteriaSettings",
    "safenet.settings.RelaxationSettings",
    "darts.settings.DartsSettings",
    "population.settings.PopulationSettings",
    "architectures.settings.NasSettings",
)


@pytest.mark.parametrize("name", CLASSES)
def test_every_number_has_a_range_and_both_ends_are_allowed(name):
    kind = job_options.settings_class(name)
    for setting, entry in kind.entries().items():
        if entry.allowed:
            with pytest.raises(UsageError, match=rf"{kind.job}: {setting} is 'other', allowed: "):
                kind(**{setting: "other"})
            continue
        assert entry.low < entry.high < float("inf"), setting
        for end in (entry.low, entry.high):
            value = (end, end) if isinstance(entry.default, tuple) else type(entry.default)(end)
            assert getattr(kind(**{setting: value}), setting) == value
        for beyond in (entry.low - 1, 2 * entry.high + 1, float("nan")):
            value = (1.0, beyond) if isinstance(entry.default, tuple) else beyond
            with pytest.raises(UsageError, match=rf"{kind.job}: {setting} is .*, allowed: "):
                kind(**{setting: value})


TRAINED = (
    "autorep.settings.ReplacementSettings",
    "darts.settings.DartsSettings",
    "linearization.settings.LinearizationSettings",
    "linearization.descent_settings.DescentSettings",
    "safenet.settings.RelaxationSettings",
    "senet.settings.SelectionSettings",
)


@pytest.mark.parametrize("name", TRAINED)
def test_the_advice_after_a_divergence_names_an_option_of_the_job(name):
    settings, parser = job_options.settings_class(name)(learning_rate=0.25), argparse.ArgumentParser()
    job_options.add_options(parser, name)
    flag, rate = re.fullmatch(
        r"use a lower (--\S+) than (\S+)", settings.advice_to_lower("learning_rate")
    ).groups()
    assert rate == "0.25"
    assert list(job_options.given(name, parser.parse_args([flag, "0.1"]))) == ["learning_rate"]


@pytest.mark.parametrize("name", CLASSES)
def test_settings_come_back_from_json(name):
    settings = job_options.settings_class(name)(seed=7)
    assert type(settings).from_dict(json.loads(json.dumps(settings.as_dict()))) == settings


@pytest.mark.parametrize("name", CLASSES)
def test_each_flag_sets_its_setting_and_is_left_out_without_it(name):
    kind, trained = job_options.settings_class(name), TrainingSettings(seed=7, batch_size=64)
    parser = argparse.ArgumentParser()
    job_options.add_options(parser, name)
    entries = {setting: entry for setting, entry in kind.entries().items() if entry.flag}
    assert entries
    found = job_options.settings_of(name, parser.parse_args([]), trained)
    assert found == kind(seed=7, batch_size=64)
    for setting, entry in entries.items():
        text = str(entry.high)
        assert text != str(entry.default)
        given = job_options.settings_of(name, parser.parse_args([entry.flag, text]), trained)
        assert getattr(given, setting) == entry.high
        chosen = job_options.settings_of(name, parser.parse_args([]), trained, **{setting: entry.high})
        assert getattr(chosen, setting) == entry.high
