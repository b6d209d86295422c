"""What consumers have stopped, and what they opened again by writing to us."""
