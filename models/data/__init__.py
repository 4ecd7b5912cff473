"""Images to train on: digits from scikit-learn, and (Fashion-)MNIST, CIFAR and TinyImageNet as published.

Importing this package imports neither torch nor a data set's library. No archive is unpickled.
"""

from .data_sets import DATA_NAMES, image_shape, load_data
from .dataset import Dataset, Split, hold_out

__all__ = ["DATA_NAMES", "Dataset", "Split", "hold_out", "image_shape", "load_data"]
