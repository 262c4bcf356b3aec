"""A key in a command that people are told to paste is one word of it, whatever the key holds."""

from __future__ import annotations

import shlex
import subprocess

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner import dialect
from runner.errors import shell_word

HARD = "No='O''Brien & \"Søn\"',Type='$(id) `id` \\ !'"
KEYS = st.text(st.sampled_from("aZ09_-=',;\"$`\\! \n*ø東") | st.characters(exclude_characters="\0"))


@given(key=KEYS)
@example(key="")
@example(key="No='10',Type='All Customers'")
@example(key=HARD)
def test_it_is_one_word_and_sql_writes_the_same(key: str) -> None:
    word = shell_word(key)
    assert shlex.split(word) == [key]
    with duckdb.connect() as connection:
        sql = dialect.shell_word("k")
        [(told,)] = connection.execute(f"SELECT {sql} FROM (SELECT ? AS k)", [key]).fetchall()
    assert told == word


@pytest.mark.parametrize("key", ["10000", "No='10',Type='All Customers'", HARD])
def test_a_shell_reads_the_key(key: str) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f"printf %s {shell_word(key)}"], capture_output=True, check=True
    )
    assert done.stdout.decode() == key
