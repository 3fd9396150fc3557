"""What is left of a quirk after a fix: measured with the truth, against a control that never had it."""
