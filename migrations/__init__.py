"""The schema: numbered SQL, forward only, and the runner that applies it."""
