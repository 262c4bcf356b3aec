"""What comes from outside may be anything: in bounded time, it is understood or refused in words."""
