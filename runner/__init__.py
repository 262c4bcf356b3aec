"""sync-run keeps the records of two business systems the same.

The walk of the data, one way, no back and forth::

    YAML ── config ──► Project ── compile ──► CompiledMapping (SQL + wire queries, no I/O)
                                                  │
    systems ── connectors ── extract ─────────────┤  snapshots: canonical values in DuckDB
    couplings + base ── state ────────────────────┤
                                                  ▼
                              plan ── actions, a DuckDB table ──► views (text, JSON)
                                                  ▼
                              apply ── journal intent → write → journal outcome → coupling + base

A module imports only what stands to its left. ``run.py`` is the walk in code.
"""

__version__ = "0.1.0"
