"""Systems as snapshots: pages from the wire become tables of canonical values."""

from runner.extract.canonical import canonical
from runner.extract.pages import batch
from runner.extract.snapshots import by_keys, take
from runner.extract.there import there

__all__ = ["batch", "by_keys", "canonical", "take", "there"]
