"""Moral measures: what a model chooses in dilemmas, how sure it is, and what moves it."""
