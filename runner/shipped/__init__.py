"""What the tool carries along: schemas, standard mappings, the quickstart."""

from pathlib import Path


def folder() -> Path:
    """Return the folder that holds ``schemas/``, ``mappings/`` and ``examples/``.

    In an installed wheel it is this package; in a checkout (or an editable installation) the
    three stand at the top of the repository.
    """
    here = Path(__file__).resolve().parent
    return here if (here / "schemas").is_dir() else here.parent.parent
