"""What outlives a run: couplings, base, journal, runs. The only room that writes the state file."""

from runner.state.store import SETTINGS, Store, held, locked

__all__ = ["SETTINGS", "Store", "held", "locked"]
