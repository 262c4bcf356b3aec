"""YAML to a ``Project``: read with places, checked by schema, bound by meaning."""

from runner.config.load import digest, load

__all__ = ["digest", "load"]
