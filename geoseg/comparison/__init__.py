"""Settings compared fairly: the same split and budget, several seeds, one report."""
