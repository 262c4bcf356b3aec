"""What the plan says, done: journal intent, write, journal outcome, coupling and base."""

from runner.apply import findings
from runner.apply.recover import recover
from runner.apply.waves import carry_out
from runner.apply.write import Failure, Progress

__all__ = ["Failure", "Progress", "carry_out", "findings", "recover"]
