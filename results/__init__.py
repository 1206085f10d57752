"""What was measured: the identity of a job, the form of its record, one reader, one validator, the store.

from results import load_predictions, load_runs
"""

from results.frame import load_predictions, load_runs

__all__ = ["load_predictions", "load_runs"]
