"""What was asked for, charged, earned and stopped, by day."""
