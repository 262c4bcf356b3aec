"""Values as YAML of others' programs."""

from __future__ import annotations

from typing import Any

import yaml

from runner.schedule.emit.command import HEAD


class _Dumper(yaml.SafeDumper):
    """Keys in their order, scripts as blocks, no anchors."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - as it is called
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def written(*documents: dict[str, Any], told: str = "") -> str:
    """Write documents, below what is told of them (lines of a comment)."""
    head = "".join(f"# {line}\n" for line in (HEAD, *told.splitlines()))
    parts = (yaml.dump(d, Dumper=_Dumper, sort_keys=False, width=100) for d in documents)
    return head + "---\n".join(parts)
