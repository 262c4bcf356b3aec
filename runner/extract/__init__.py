"""Systems as snapshots: pages from the wire become tables of canonical values."""

from runner.extract.canonical import canonical
from runner.extract.mirror import accounted
from runner.extract.mirror import attached as mirrored
from runner.extract.pages import batch
from runner.extract.refresh import Manner, Taken
from runner.extract.snapshots import Takings, by_keys, take
from runner.extract.there import spelled, there

__all__ = [
    "Manner",
    "Taken",
    "Takings",
    "accounted",
    "batch",
    "by_keys",
    "canonical",
    "mirrored",
    "spelled",
    "take",
    "there",
]
