"""Decoded data sets on disk: looked up, built once, described, shared read-only by every job."""
