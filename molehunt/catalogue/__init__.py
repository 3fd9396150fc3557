"""What everyone knows a model might do, and when: behaviours, conditions, and scenes made of both."""
