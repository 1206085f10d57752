"""Tables as data: accuracies, divergences from people, and what lies behind an accuracy."""
