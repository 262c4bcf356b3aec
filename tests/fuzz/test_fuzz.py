"""Seeds, found cases, and what becomes of them when they are spoilt: understood, or refused."""

from __future__ import annotations

import random  # noqa: TC003 - hypothesis reads the annotation
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.seeds import seeds
from tests.fuzz.spoiling import spoilt
from tests.fuzz.targets import TARGETS

LONGEST = 10.0
"""Seconds of computing for one input: none takes a tenth of it, and a hang takes all there are."""


def tried(name: str, data: bytes) -> None:
    begun = time.process_time()
    TARGETS[name](data)
    assert time.process_time() - begun < LONGEST, f"{name}: too slow for {data[:200]!r}"


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_and_found_cases(name: str) -> None:
    for data in seeds(name):
        tried(name, data)


@pytest.mark.parametrize("name", TARGETS)
@given(dice=st.randoms(use_true_random=False))
def test_spoilt(name: str, dice: random.Random) -> None:
    tried(name, spoilt(seeds(name), dice))
