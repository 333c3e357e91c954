"""The operations of `keras.ops`: what each computes (table.py), and how a model has them as nodes (operation.py)."""

from .operation import Operation, is_operation
from .table import CLASS_NAMES, OPERATIONS, is_operand

__all__ = ["CLASS_NAMES", "OPERATIONS", "Operation", "is_operand", "is_operation"]
