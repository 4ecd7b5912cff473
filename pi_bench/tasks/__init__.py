"""Measures networks, from a user's options to the document of the result.

A `Task` says everything about one measurement. `prepared` loads and checks it, and a `PreparedTask` measures
it. The commands and the functions of `pi_bench` are thin around them.
"""

from pi_bench.tasks.task import PreparedTask, Task, prepared

__all__ = ["PreparedTask", "Task", "prepared"]
