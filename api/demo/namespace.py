"""Runs the demonstration where no packet can leave: a network namespace with a loopback only.

One of Kannel's ports binds every interface, so the boxes and the API are started together behind
this wall. PostgreSQL stays reachable, because a Unix socket is a file.
"""

import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from typing import NoReturn

# Source: netdevice(7), struct ifreq: 16 bytes of name, then the flags as a short.
_IFREQ = struct.Struct("16sh22x")
_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1
_PROBE_SECONDS = 10


def is_isolated() -> bool:
    """Tell whether this process sees no network but its own loopback."""
    with _any_socket() as probe:
        names = [name for _, name in socket.if_nameindex()]
        return all(name == "lo" or not _is_up(probe, name) for name in names)


def namespace_refusal() -> str | None:
    """Say why no namespace can be had here, or None when one can."""
    if shutil.which("unshare") is None:
        return "the program unshare is not installed"
    probe = namespace_command([sys.executable, "-c", ""])
    done = subprocess.run(  # noqa: S603 - our own interpreter
        probe, check=False, capture_output=True, text=True, timeout=_PROBE_SECONDS
    )
    if done.returncode == 0:
        return None
    return "no network namespace is allowed here: " + (done.stderr.strip() or "no reason given")


def namespace_command(argv: Sequence[str]) -> list[str]:
    """Wrap a command so that it runs in a namespace of its own, with the loopback up.

    Without root it needs a user namespace; the account keeps its number there, so that an
    embedded PostgreSQL does not take it for root.
    """
    unshare = ["unshare", "--net"]
    if os.geteuid() != 0:
        unshare += ["--user", "--map-current-user", "--keep-caps"]
    return [*unshare, sys.executable, "-m", "api.demo.namespace", *argv]


def run_in_namespace(argv: Sequence[str]) -> NoReturn:
    """Become that command inside a namespace; exit status and Ctrl-C are then its own.

    Raises:
        OSError: unshare cannot be started; ask `namespace_refusal` first.
    """
    command = namespace_command(argv)
    sys.stdout.flush()
    os.execvp(command[0], command)  # noqa: S606 - a fixed program, no shell


def raise_loopback() -> None:
    """Bring the loopback up: it is down in a new namespace, and 127.0.0.1 with it.

    Raises:
        PermissionError: this process does not own the namespace.
    """
    with _any_socket() as control:
        flags = _flags(control, "lo") | _IFF_UP
        fcntl.ioctl(control, _SIOCSIFFLAGS, _IFREQ.pack(b"lo", flags))


def _any_socket() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def _is_up(control: socket.socket, name: str) -> bool:
    return bool(_flags(control, name) & _IFF_UP)


def _flags(control: socket.socket, name: str) -> int:
    answer = fcntl.ioctl(control, _SIOCGIFFLAGS, _IFREQ.pack(name.encode(), 0))
    return int.from_bytes(answer[16:18], sys.byteorder)


def _main(argv: Sequence[str]) -> NoReturn:
    raise_loopback()
    os.execvp(argv[0], list(argv))  # noqa: S606 - the command that the caller asked for


if __name__ == "__main__":
    _main(sys.argv[1:])
