"""How many examples a property takes whose every example is the history of a whole book."""

from hypothesis import settings

WHOLE_HISTORIES = settings(max_examples=max(50, settings().max_examples // 3))
"""As many as others on a developer's machine, and a third of them elsewhere: each one is slow."""
