"""How far coastlines are from lines or points known to be right."""
