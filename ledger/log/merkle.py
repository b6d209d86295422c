"""The Merkle tree hash of entries, taken in one after another.

Source: RFC 6962, section 2.1.
"""

from collections.abc import Iterable
from hashlib import sha256


class Tree:
    """A tree that grows leaf by leaf and keeps no more than the roots of its whole subtrees."""

    def __init__(self, entries: Iterable[bytes] = ()) -> None:
        self.size = 0
        self._roots: list[bytes] = []
        for entry in entries:
            self.add(entry)

    def add(self, entry: bytes) -> None:
        """Take an entry in as the next leaf."""
        root = sha256(b"\0" + entry).digest()
        size = self.size
        while size & 1:
            root = _node(self._roots.pop(), root)
            size >>= 1
        self._roots.append(root)
        self.size += 1

    def root(self) -> bytes:
        """Give the hash of the whole tree."""
        if not self._roots:
            return sha256().digest()
        *others, root = self._roots
        for left in reversed(others):
            root = _node(left, root)
        return root


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()
