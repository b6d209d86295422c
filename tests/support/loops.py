"""Asynchronous stories in tests."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps


def in_a_loop(story: Callable[..., Coroutine[object, object, None]]) -> Callable[..., None]:
    """Run an asynchronous story to its end, in a loop of its own."""

    @wraps(story)
    def told(*args: object, **fixtures: object) -> None:
        asyncio.run(story(*args, **fixtures))

    return told
