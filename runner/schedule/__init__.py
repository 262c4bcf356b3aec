"""What runs by itself: which job is due when, decided purely; and the loop that runs it."""
