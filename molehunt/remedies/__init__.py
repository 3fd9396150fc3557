"""Blue team: blind fixes of suspects, one a file in `fixes/`, in a room that cannot reach the truth."""
