"""The whole tool against servers that misbehave over a real line."""
