"""Training: one loop for every recipe, its settings, and the folder that a run leaves behind."""

from .settings import TrainingSettings, default_settings

__all__ = ["TrainingSettings", "default_settings"]
