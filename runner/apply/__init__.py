"""What the plan says, done: journal intent, write, journal outcome, coupling and base."""

from runner.apply import findings
from runner.apply.recover import recover
from runner.apply.write import Failure, Progress, carry_out

__all__ = ["Failure", "Progress", "carry_out", "findings", "recover"]
