"""What was measured: the identity of a job, the form of its record, one reader, one validator, the store."""
