"""Business Central's API v2.0 (protocols C)."""
