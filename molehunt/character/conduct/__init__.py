"""Conduct: what a model does with the principles of a constitution, in words, in deeds and under pressure."""
