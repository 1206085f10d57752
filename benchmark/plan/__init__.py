"""From a request to the jobs that answer it, and what they will cost."""
