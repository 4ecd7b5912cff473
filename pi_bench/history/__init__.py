"""Keeps the results of measurements in an embedded database, so that they can be found and compared later.

`History` is the database, `facts_of` reads the columns of a result, `Query` selects runs by them.
"""

from pi_bench.history.database import History, StoredRun
from pi_bench.history.facts import RunFacts, facts_of
from pi_bench.history.location import default_path
from pi_bench.history.query import Query

__all__ = ["History", "Query", "RunFacts", "StoredRun", "default_path", "facts_of"]
