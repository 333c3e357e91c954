"""Networks: Sequential, Model, and what opens, describes and checks them."""

from __future__ import annotations

from .checking import Problem, Report, check_model
from .cloning import clone_model
from .loading import from_keras, load_model, model_from_json
from .network import Model
from .sequential import Sequential
from .storage import save_model
from .tuning import autotune

__all__ = [
    "Model", "Problem", "Report", "Sequential", "autotune", "check_model", "clone_model", "from_keras",
    "load_model", "model_from_json", "save_model",
]  # fmt: skip
