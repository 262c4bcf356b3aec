"""How requests travel: who we are, how long we wait, how many at a time."""
