"""The facts: immutable events in the past tense, their stored names, tags and encoding."""
