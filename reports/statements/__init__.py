"""What records say in words: the claims of the paper and findings, with their intervals."""
