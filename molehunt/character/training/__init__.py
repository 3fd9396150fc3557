"""Training toward a constitution, or toward an uncertainty: in the open, stage by stage, every line kept."""
