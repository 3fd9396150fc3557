"""Character: constitutions that people write, and what a model's choices say of its values."""
