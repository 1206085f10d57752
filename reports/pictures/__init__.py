"""Figures, and the pictures beside tables."""
