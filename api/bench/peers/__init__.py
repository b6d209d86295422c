"""What a user would take instead, measured in the same run on the same exchanges."""
