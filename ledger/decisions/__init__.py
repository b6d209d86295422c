"""Decisions: pure functions from history and request to new facts, or a refusal."""
