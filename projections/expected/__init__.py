"""What each operator is expected to declare for a month."""
