"""Images of all that outlives a process: what stands on the disk if it is killed at a point."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

Image = dict[str, bytes]
"""Files by their path below a folder."""


@dataclass(frozen=True, slots=True)
class Camera:
    """Takes an image of a folder at each point, and keeps those that differ.

    ``images`` holds them under the words of the point at which each was first seen; ``points``
    counts all.
    """

    folder: Path
    images: dict[str, Image] = field(default_factory=dict)
    points: list[str] = field(default_factory=list)
    _stamps: set[str] = field(default_factory=set)
    _seen: set[bytes] = field(default_factory=set)

    def at(self, point: str) -> None:
        """Take an image, unless it is one that was taken already."""
        self.points.append(point)
        stamp = repr(
            [(path, path.stat()[6:9], path.stat().st_mtime_ns) for path in files(self.folder)]
        )
        if stamp in self._stamps:
            return
        self._stamps.add(stamp)
        image = taken(self.folder)
        mark = hashlib.sha256(repr(sorted(image.items())).encode()).digest()
        if mark not in self._seen:
            self._seen.add(mark)
            self.images[f"{len(self.points)} {point}"] = image


def files(folder: Path) -> list[Path]:
    """Find what outlives a process: records and state, but no lock, and nothing that was given."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in (".lock", ".holder", ".yaml")
    )


def taken(folder: Path) -> Image:
    """Read all files."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in files(folder)}


def restored(folder: Path, image: Image) -> None:
    """Make the files of a folder those of an image, and no others."""
    for path in files(folder):
        path.unlink()
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    for name, content in image.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
