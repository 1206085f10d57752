"""Which job runs where: preflight, dispatch, supervision, child processes, locks, a cluster."""
