"""Fashion-MNIST and MNIST: 70,000 gray images of 28 x 28 pixels in ten classes, each in four IDX files.

Xiao, Rasul and Vollgraf, "Fashion-MNIST", 2017; LeCun, Cortes and Burges, "The MNIST database", 1998.
Networks for 32 x 32 pixels get the images with a black border of two pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .dataset import Dataset
from .idx_files import IdxFile, IdxFiles, obtain_files, read_split
from .source import DataSource

_SHAPES = ((1, 32, 32), (1, 28, 28))
_CROP_PADDING = 2  # the publishers' own borders are narrow, and a larger shift would cut objects off


def idx_source(files: IdxFiles, class_names: Sequence[str], *, flips: bool) -> DataSource:
    """Returns the record of a data set of four IDX files.

    Args:
        class_names: the name of each class.
        flips: whether a mirrored image still belongs to its class.

    >>> idx_source(MNIST_FILES, "0123456789", flips=False).shapes
    ((1, 32, 32), (1, 28, 28))
    """

    def read(folder: Path, shape: Sequence[int], progress: object) -> Dataset:
        train, test = (
            read_split(folder, part, shape[-1], len(class_names), _KNOWN)
            for part in (files.train, files.test)
        )
        return Dataset(files.name, tuple(class_names), train, test, crop_padding=_CROP_PADDING, flips=flips)

    return DataSource(
        name=files.name,
        read=read,
        shapes=_SHAPES,
        obtain=lambda data_dir, installed, download, progress: obtain_files(
            files, data_dir, installed=installed, download=download, progress=progress
        ),
        installed=files.installed,
        training={"epochs": 30, "schedule": "cosine"},
    )


def _files(part: str, images: tuple[int, str], labels: tuple[int, str]) -> tuple[IdxFile, IdxFile]:
    return IdxFile(f"{part}-images-idx3-ubyte", *images), IdxFile(f"{part}-labels-idx1-ubyte", *labels)


FASHION_MNIST_FILES = IdxFiles(
    name="fashion-mnist",
    url="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    train=_files(
        "train",
        (26_421_880, "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
        (29_515, "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
    ),
    test=_files(
        "t10k",
        (4_422_102, "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
        (5_148, "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
    ),
    package="dataset-fashion-mnist",
    installed=Path("/usr/share/datasets/fashion-mnist"),
)
MNIST_FILES = IdxFiles(
    name="mnist",
    url="https://ossci-datasets.s3.amazonaws.com/mnist",  # the publishers' own server no longer answers
    train=_files(
        "train",
        (9_912_422, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
        (28_881, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    ),
    test=_files(
        "t10k",
        (1_648_877, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        (4_542, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
    ),
)
_KNOWN = {
    file.sha256: files.name
    for files in (FASHION_MNIST_FILES, MNIST_FILES)
    for file in (*files.train, *files.test)
}

FASHION_MNIST = idx_source(
    FASHION_MNIST_FILES,
    (
        "T-shirt/top",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    ),
    flips=True,
)
MNIST = idx_source(MNIST_FILES, "0123456789", flips=False)  # a mirrored digit is another one or none
