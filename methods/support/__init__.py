"""What methods are made of: ranges of settings that a search tries."""
