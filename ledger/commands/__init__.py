"""The commands: the thin shell that reads, decides, seals and appends."""
