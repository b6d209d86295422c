"""What a person has to look at, until it is closed."""
