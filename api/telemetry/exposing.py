"""Where the figures of a process are read: an address of its own, apart from the API's.

They name no consumer, yet they tell how much is sold: so it is the loopback unless said otherwise.
"""

from collections.abc import Generator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, start_http_server


class AddressInvalid(ValueError):
    """An address to tell figures at is not HOST:PORT, or cannot be had."""


def registry() -> CollectorRegistry:
    """Give a registry with what the process itself uses: memory, processor, open files."""
    made = CollectorRegistry(auto_describe=True)
    ProcessCollector(registry=made)
    GCCollector(registry=made)
    return made


@contextmanager
def exposed(address: str, figures: CollectorRegistry) -> Generator[int]:
    """Answer `GET /metrics` at HOST:PORT for as long as the block runs; gives the port.

    Raises:
        AddressInvalid: it is no such address, or it cannot be had.
    """
    host, _, port = address.rpartition(":")
    if not (host and port.isascii() and port.isdigit()):
        raise AddressInvalid(f"{address!r} is no address for figures, such as 127.0.0.1:9101")
    try:
        server, thread = start_http_server(int(port), host.strip("[]"), registry=figures)
    except (OSError, OverflowError) as error:
        raise AddressInvalid(f"{address} cannot be had: {error}") from error
    try:
        yield int(server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
