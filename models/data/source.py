"""The record of a data set: where its images come from, and how networks are trained on them.

To add a data set, write a file with its reader and its record, and add the record to the line in `data_sets`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pi_bench.progress import Progress
from pi_bench.shape import Shape

from .archive import ArchiveSource
from .dataset import Dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSource:
    """A data set that pi-bench can read.

    Attributes:
        name: the name that the user gives, and that recipes have as `dataset`.
        read: reads the images, given the path of the archive, the wanted shape, and a listener. Without an
            archive the path is the data folder.
        shape: (channels, height, width) of the images; None if they come in the size that is asked for.
        archive: the official archive; None if the images need no file.
        training: training settings that differ from the defaults.
        linearization: settings of SNL's linearization that differ from the defaults.
        finetuning: settings of a finetuning that differ from the defaults.

    >>> from pi_bench.models.data.data_sets import SOURCES
    >>> SOURCES["cifar10"].shape, SOURCES["digits"].training["epochs"]
    ((3, 32, 32), 30)
    """

    name: str
    read: Callable[[Path, Shape, Progress], Dataset]
    shape: Shape | None = None
    archive: ArchiveSource | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    linearization: Mapping[str, Any] = field(default_factory=dict)
    finetuning: Mapping[str, Any] = field(default_factory=dict)
