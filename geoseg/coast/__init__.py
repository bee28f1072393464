"""Coastlines: traced, scored against references, and followed over time."""
