"""How often memory is looked through for what nothing refers to any more."""

import gc
from collections.abc import Generator
from contextlib import contextmanager

_NEW_OBJECTS = 100_000
_OF_NEW, _OF_OLDER = 50, 100


@contextmanager
def collected_seldom() -> Generator[None]:
    """Look for cycles seldom while the block runs.

    A batch holds tens of thousands of objects, none of them in a cycle; to look through them again
    and again takes an eighth of an import's time.
    """
    before = gc.get_threshold()
    gc.set_threshold(_NEW_OBJECTS, _OF_NEW, _OF_OLDER)
    try:
        yield
    finally:
        gc.set_threshold(*before)
