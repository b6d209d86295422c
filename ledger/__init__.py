"""The write side: words, facts, decisions, and the log that keeps them."""
