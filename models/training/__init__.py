"""Training: one loop for every recipe, its settings, and the folder that it writes.

The loop:
    trainer, epoch                       resumes and keeps the best epoch; one pass over the images
    batches, seeds                       images on the computing device; seeds that follow from one
    device_layout                        the module on the computing device
    workers                              processes that train one network together
    divergence                           detection of a training that diverges

Settings and files:
    settings, train_recipe               the numbers; a training from a recipe to its folder
    training_files, logs, epoch_time     checkpoints, and one line per epoch, with its time

Parts of the loss:
    distillation, map_matching           teaching by a full network, by its outputs and its maps
    penalties                            terms that settings add
    polynomial_training                  networks with polynomials
"""

from .settings import TrainingSettings, default_settings

__all__ = ["TrainingSettings", "default_settings"]
