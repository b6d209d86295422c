"""Every charge with the state it is in."""
