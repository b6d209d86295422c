"""Where Kannel is to send the receipts of a message: our own way in, with its escapes to fill.

Source: Kannel User's Guide 1.4.5, "Delivery reports".
"""

from functools import lru_cache
from urllib.parse import quote

MASK = "31"
"""All five kinds of receipt that Kannel knows."""
ESCAPES = "type=%d&at=%T&smsc=%i&fid=%F&sid=%I&answer=%A&meta=%D"
"""What Kannel fills in when it calls a receipt's URL."""
UCS2 = "2"
"""The value of Kannel's coding for UCS-2."""
GSM7 = "0"


def receipt_url(base: str, book: str, gateway: str, key: str, mt: str) -> str:
    """Write where Kannel is to send the receipts of a message; `base` has no slash at its end.

    The gateway's own key stands in it, for a receipt must be authenticated too. So it is in
    Kannel's logs, as the `get-url` is; it opens nothing but what the gateway itself may do.
    """
    return f"{_but_the_message(base, book, gateway, key)}{mt}&{ESCAPES}"


@lru_cache(maxsize=256)
def _but_the_message(base: str, book: str, gateway: str, key: str) -> str:
    """Write what is the same for all messages of a gateway."""
    path = f"/v1/books/{quote(book)}/kannel/{quote(gateway)}/dlr"
    return f"{base}{path}?key={quote(key)}&mt="
