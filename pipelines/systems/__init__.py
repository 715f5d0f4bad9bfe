"""The scoring systems: each reads a trained bundle and scores a case."""
