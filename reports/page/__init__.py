"""report.html: one file that is opened offline; Python computes every number, a small script shows the chosen ones."""
