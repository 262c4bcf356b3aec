"""The lock file fits the project: nothing missing, nothing left over, nothing from elsewhere."""

from __future__ import annotations

import re
import tomllib
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

REPOSITORY = Path(__file__).parents[1]
LOCK = (REPOSITORY / "requirements.lock").read_text(encoding="utf-8")
_PIN = re.compile(
    r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==(\S+?)(?: ;.*?)? \\\n((?:    --hash=.*\n)+)", re.MULTILINE
)
PINS = {canonicalize_name(name): Version(version) for name, version, _ in _PIN.findall(LOCK)}
ALLOWED = re.compile(
    r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL-2\.0|Mozilla Public License 2\.0|LGPL"
    r"|Lesser General Public|Unlicense|0BSD|Zlib"
)
"""Licences under which a program under the MIT licence may be given away beside their libraries."""


def wanted() -> list[Requirement]:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    texts = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    return [Requirement(text) for text in texts]


def needed(roots: list[Requirement]) -> dict[NormalizedName, list[Requirement]]:
    """Follow what each package says that it needs, as far as it is meant for this machine."""
    found: dict[NormalizedName, list[Requirement]] = {}
    waiting = list(roots)
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        known = found.setdefault(name, [])
        if any(str(requirement) == str(other) for other in known):
            continue
        known.append(requirement)
        extras = ["", *sorted(requirement.extras)]
        for text in _told(requirement.name):
            further = Requirement(text)
            marker = further.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(further)
    return found


def _told(name: str) -> list[str]:
    """Return what a package needs; of one that is not installed another test tells."""
    with suppress(metadata.PackageNotFoundError):
        return metadata.requires(name) or []
    return []


def test_every_requirement_is_pinned_to_what_fits_it() -> None:
    for name, requirements in needed(wanted()).items():
        assert name in PINS, f"{name} is needed, and not in requirements.lock"
        for requirement in requirements:
            fits = requirement.specifier.contains(PINS[name], prereleases=True)
            assert fits, f"{name} is pinned to {PINS[name]}, but {requirement} is needed"


def test_nothing_is_pinned_that_nobody_needs() -> None:
    assert set(PINS) == set(needed(wanted()))


def test_what_is_installed_is_what_is_pinned() -> None:
    assert {name: Version(metadata.version(name)) for name in PINS} == PINS


def test_every_line_of_the_lock_is_a_pin_with_hashes_and_names_no_place() -> None:
    lines = [line for line in LOCK.splitlines() if line and not line.lstrip().startswith("#")]
    pinned = [line for line in lines if not line.startswith("    --hash=sha256:")]
    assert len(pinned) == len(PINS)
    assert "://" not in LOCK
    assert "--index" not in LOCK.replace("--no-emit-index-url", "")


@pytest.mark.parametrize("name", sorted(needed([*map(Requirement, sorted(PINS))])))
def test_its_licence_lets_us(name: str) -> None:
    told = metadata.metadata(name)
    fields = ("License-Expression", "License", "Classifier")
    said = [text for field in fields for text in told.get_all(field) or ()]
    said = [text[:200] for text in said if not text.startswith(("Topic ::", "Programming"))]
    assert any(ALLOWED.search(text) for text in said), f"{name}: {said}"
