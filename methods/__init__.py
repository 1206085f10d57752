"""The methods: a new file with one `Method` subclass is a new method, found by `benchmark.plugins`."""
