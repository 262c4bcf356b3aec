"""What outlives a run: couplings, base, journal, runs. The only room that writes the state file."""

from runner.state.store import SETTINGS, Store, held, locked, readable

__all__ = ["SETTINGS", "Store", "held", "locked", "readable"]
