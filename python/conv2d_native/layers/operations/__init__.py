"""The operations of `keras.ops`: what each computes (table.py), and how a model has them as nodes (operation.py).

The functions in this folder have Keras's argument words behind `f`, the interpreter: the graph builder or the eager
functions. A tensor is a value of `f`, and its first axis is the batch: what would mix or move the images of a batch is
a BatchAxisError, and computed in graphs of whole batches alone (batch_axis.py). Results are float32, positions too.
What `f` lacks is computed by NumPy as a host step; where a layer computes the same, it is asked.
"""

from .operation import Operation, from_tensorflow, is_operation
from .table import CLASS_NAMES, OPERATIONS, is_operand

__all__ = ["CLASS_NAMES", "OPERATIONS", "Operation", "from_tensorflow", "is_operand", "is_operation"]
