"""One job, from labels to record: one loop for every method."""
