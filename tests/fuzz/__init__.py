"""What comes from outside may be anything: in time, it is understood or refused in words."""
