"""Quirks that no catalogue names. No auditing method can import this room (`tests/test_layers.py`)."""
