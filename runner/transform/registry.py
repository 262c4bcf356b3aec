"""Every transform by its name. The schema describes each (``mapping.schema.json``, ``step``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.transform.finds import FINDS
from runner.transform.moments import MOMENTS
from runner.transform.numbers import NUMBERS
from runner.transform.standards import STANDARDS
from runner.transform.texts import TEXTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.transform.kind import Transform

TRANSFORMS: Mapping[str, Transform] = {**TEXTS, **NUMBERS, **MOMENTS, **STANDARDS, **FINDS}
