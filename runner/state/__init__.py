"""What outlives a run: couplings, base, journal, runs. The only room that writes the state file."""

from runner.state.store import Store, held, locked, readable

__all__ = ["Store", "held", "locked", "readable"]
