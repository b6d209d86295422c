"""The event log: one dense, commit-ordered sequence of facts for each book."""
