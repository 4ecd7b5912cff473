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
        read: reads the images, given a path, the wanted shape, and a listener. The path is that of the
            archive, the folder that `obtain` returns, or the data folder.
        shapes: every (channels, height, width) in which the images come, the usual one first; empty if they
            come in the size that is asked for.
        archive: the official archive, if the images are in one.
        obtain: finds or downloads the official files if they are in no archive. It gets the data folder,
            whether the operating system's package counts too, whether to download missing files, and a
            listener, and returns the folder of the files.
        installed: the folder that a package of the operating system fills; None if there is none.
        training: training settings that differ from the defaults.
        linearization: settings of SNL's linearization that differ from the defaults.
        finetuning: settings of a finetuning that differ from the defaults.
        replacement: settings of AutoReP's replacement of ReLUs that differ from the defaults.
        cells: settings of DARTS' training of relaxed cells that differ from the defaults.

    >>> from pi_bench.models.data.data_sets import SOURCES
    >>> SOURCES["cifar10"].shapes, SOURCES["digits"].training["epochs"]
    (((3, 32, 32),), 30)
    """

    name: str
    read: Callable[[Path, Shape, Progress], Dataset]
    shapes: tuple[Shape, ...] = ()
    archive: ArchiveSource | None = None
    obtain: Callable[[Path, bool, bool, Progress], Path] | None = None
    installed: Path | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    linearization: Mapping[str, Any] = field(default_factory=dict)
    finetuning: Mapping[str, Any] = field(default_factory=dict)
    replacement: Mapping[str, Any] = field(default_factory=dict)
    cells: Mapping[str, Any] = field(default_factory=dict)
