"""A market that never was, whose every consequence is known beforehand: `obole simulate`."""
