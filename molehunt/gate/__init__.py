"""What stands between two versions of a model: what both are asked, bounds set before, the decision."""
