"""Inputs by chance: a seed with pieces taken out, doubled, made up, or put in from another."""

from __future__ import annotations

# Tokens are a table.
# ruff: noqa: E501
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

TOKENS = (
    b"null", b"-1", b"1e400", b"9" * 30, b"\xff\xfe", b"\x00", b"{}", b"[]", b'""', b"'", b"`", b"&",
    b"*", b"<", b"]]>", b"\r\n\r\n", b": ", b"- ", b"\t", b"\xf0\x9f\x98\x80", b"${X}", b"!!python/name:x",
    b"true", b"NaN", b".inf", b"0001-01-01", b"(" * 60, b"!" * 60, b"\xc2\x80", b"1_0", b"0x1f", b"-0", b".5",
)  # fmt: skip
_LONGEST = 64 << 10


def spoilt(known: Sequence[bytes], dice: random.Random) -> bytes:
    """Spoil one of the inputs that are known, in up to six places."""
    data = dice.choice(known)
    for _ in range(dice.randint(1, 6)):
        start = dice.randint(0, len(data))
        end = min(len(data), start + dice.choice((0, 1, 4, 12, 40)))
        data = data[:start] + _piece(known, data[start:end], dice) + data[end:]
    return data[:_LONGEST]


def _piece(known: Sequence[bytes], old: bytes, dice: random.Random) -> bytes:
    match dice.randrange(6):
        case 0:
            return b""
        case 1:
            return dice.randbytes(dice.randint(1, 4))
        case 2:
            return dice.choice(TOKENS)
        case 3:
            other = dice.choice(known)
            at = dice.randint(0, len(other))
            return other[at : at + dice.choice((3, 30, 200))]
        case 4:
            return old * dice.choice((2, 40, 400))
        case _:
            return bytes(reversed(old))
