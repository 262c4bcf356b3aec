"""Secrets planted everywhere a user can put one; none may come out anywhere."""
