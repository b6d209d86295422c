"""What can go wrong with the log itself, as opposed to what a decision refuses.

LogError
├── UnknownBook      nobody has opened this book
├── RowRefused       the database's rules refuse a row; only its own decision fails
├── LogOverloaded    more is waiting than the queue holds; come again later
├── LogUnavailable   PostgreSQL is away, or went away before it said whether it committed
├── FactsMissing     positions below the head are neither in the database nor in a file it knows
├── ArchiveMissing   the folder or file of old facts is not where this process looks
├── ArchiveUnreadable  such a file is not as it was written
└── ArchiveRefused   nothing was dropped, and why
"""


class LogError(Exception):
    """The log could not do what was asked."""


class UnknownBook(LogError):
    """The book has no head row, so nothing can be read from it or appended to it."""


class RowRefused(LogError):
    """A row breaks a rule of the facts table, named by its constraint or by its SQLSTATE."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


class LogOverloaded(LogError):
    """The bounded queue is full; nothing was decided or written for this caller."""


class LogUnavailable(LogError):
    """The database is away.

    Whether a decision that was under way is committed is not known: submitted again, it finds
    its own facts by their ids, or makes them.
    """


class FactsMissing(LogError):
    """Facts that were there cannot be found: never told as though there were none."""


class ArchiveMissing(LogError):
    """What is in a file cannot be read here; whoever asked gets no answer."""


class ArchiveUnreadable(LogError):
    """A file of old facts is damaged; whoever asked gets no answer."""


class ArchiveRefused(LogError):
    """Facts were not archived; they are where they were."""


OUT_OF_REACH = (FactsMissing, ArchiveMissing, ArchiveUnreadable)
"""Old facts that are somewhere, and not here: asked again later, there is an answer."""
