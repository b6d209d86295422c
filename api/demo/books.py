"""The two books of the demonstration: what each is called, and what it starts with."""

from typing import NamedTuple


class DemoBook(NamedTuple):
    """A book, its gateway, and the merchant that is shown from close by."""

    book: str
    gateway: str
    merchant: str
    catalogue: str
    """The file of what it sells, beside this module."""
    try_mo: str
    """The query of a message to try it with."""


FRENCH = DemoBook(
    book="fr",
    gateway="kannel-fr",
    merchant="ludotel",
    catalogue="catalogue.toml",
    try_mo="id=try-1&smsc=orange-fr&from=33000100001&to=81014&text=JEU+B",
)
BELGIAN = DemoBook(
    book="be",
    gateway="kannel-be",
    merchant="kwisbox",
    catalogue="catalogue_be.toml",
    try_mo="id=try-1&smsc=proximus-be&from=32400100001&to=3030&text=KWIS+B",
)
DEMO_BOOKS = {one.book: one for one in (FRENCH, BELGIAN)}
