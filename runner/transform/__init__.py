"""What may happen to a value on its way: each transform with its SQL and its inverse. Pure."""

from runner.transform.chain import Chain, chained, faults, inverse, lossy
from runner.transform.convert import converted, convertible
from runner.transform.finds import found_in
from runner.transform.registry import TRANSFORMS

__all__ = [
    "TRANSFORMS",
    "Chain",
    "chained",
    "converted",
    "convertible",
    "faults",
    "found_in",
    "inverse",
    "lossy",
]
