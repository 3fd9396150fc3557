"""Questions, advice, secrets and cue phrasings written for this project, and their loaders."""
