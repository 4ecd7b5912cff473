"""Images to train on: digits out of the box, CIFAR and TinyImageNet from their official archives.

Importing this imports neither torch nor a data set's library. Nothing here unpickles anything.
"""

from .catalogue import DATA_NAMES, image_shape, load_data
from .dataset import Dataset, Split, hold_out

__all__ = ["DATA_NAMES", "Dataset", "Split", "hold_out", "image_shape", "load_data"]
