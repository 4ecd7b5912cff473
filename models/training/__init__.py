"""Training: one loop for every recipe, its settings, and the folder that it writes."""

from .settings import TrainingSettings, default_settings

__all__ = ["TrainingSettings", "default_settings"]
