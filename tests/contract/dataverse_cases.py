"""Dataverse under contract: every line of protocols E2, by bare HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.contract import (
    dataverse_batches,
    dataverse_filtering,
    dataverse_keyed,
    dataverse_protecting,
    dataverse_reading,
    dataverse_relating,
    dataverse_selling,
    dataverse_tokens,
    dataverse_tracking,
    dataverse_writing,
)

if TYPE_CHECKING:
    from tests.contract.server import Case

CASES: tuple[Case, ...] = (
    *dataverse_writing.CASES,
    *dataverse_reading.CASES,
    *dataverse_filtering.CASES,
    *dataverse_relating.CASES,
    *dataverse_selling.CASES,
    *dataverse_batches.CASES,
    *dataverse_tracking.CASES,
    *dataverse_tokens.CASES,
    *dataverse_keyed.CASES,
    *dataverse_protecting.CASES,
)
