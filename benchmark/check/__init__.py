"""What an author's own method, noise or data set is asked."""
