"""Kinds of label noise: a new file with one `Noise` subclass is a new kind, found by `benchmark.plugins`."""
