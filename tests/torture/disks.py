"""Disks of a trial's own: an ext4 image whose power can be cut, a small memory that fills up."""

import os
import shutil
import struct
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.torture.processes import awaited
from tests.torture.trial import Skipped

SHUT_DOWN = 0x8004587D
"""_IOR('X', 125, __u32). Source: Linux, fs/ext4/ext4.h, EXT4_IOC_SHUTDOWN."""
WITHOUT_A_FLUSH = 2
"""Source: Linux, fs/ext4/ext4.h, EXT4_GOING_FLAGS_NOLOGFLUSH."""
UNMOUNT_SECONDS = 15.0


class Image:
    """An ext4 file system in a file, mounted through a loop device."""

    def __init__(self, file: Path, at: Path) -> None:
        self.file, self.at = file, at

    def format(self, size: int) -> None:
        """Make it, `size` bytes long.

        Raises:
            Skipped: mkfs.ext4 is not here.
        """
        with self.file.open("wb") as file:
            file.truncate(size)
        tool("mkfs.ext4", "-q", "-F", str(self.file))

    def mount(self) -> None:
        """Mount it.

        Raises:
            Skipped: loop devices may not be used here.
        """
        self.at.mkdir(exist_ok=True)
        tool("mount", "-o", "loop", str(self.file), str(self.at))
        self.at.chmod(0o711)

    def cut(self) -> None:
        """Cut the power: from now on nothing reaches the file, not even what was written before.

        What the kernel still holds in memory, because nobody asked for an fsync, stays there.
        """
        import fcntl  # noqa: PLC0415 - not there on every system

        folder = os.open(self.at, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, SHUT_DOWN, struct.pack("I", WITHOUT_A_FLUSH))
        finally:
            os.close(folder)

    def copied(self, file: Path, at: Path) -> "Image":
        """Copy the file as it stands, holes left holes."""
        tool("cp", "--sparse=always", str(self.file), str(file))
        return Image(file, at)

    def unmount(self) -> None:
        """Take it away; whoever has files open there is waited for."""
        if os.path.ismount(self.at):
            awaited(lambda: _unmounts(self.at), UNMOUNT_SECONDS)


@contextmanager
def memory(at: Path, size: int) -> Generator[Path]:
    """Mount a disk in memory of `size` bytes.

    Raises:
        Skipped: nothing may be mounted here.
    """
    at.mkdir()
    tool("mount", "-t", "tmpfs", "-o", f"size={size},mode=0711", "tmpfs", str(at))
    try:
        yield at
    finally:
        awaited(lambda: _unmounts(at), UNMOUNT_SECONDS)


def tool(*command: str) -> None:
    """Run one of the system's tools.

    Raises:
        Skipped: it is missing, or may not do that here.
    """
    found = shutil.which(command[0], path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        raise Skipped(f"{command[0]} is not installed")
    done = run([found, *command[1:]])
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[0]
        raise Skipped(f"{command[0]} may not be used here: {said.rpartition(': ')[2]}")


def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, whatever comes of it."""
    return subprocess.run(command, check=False, capture_output=True, text=True)


def _unmounts(at: Path) -> bool:
    return run(["umount", str(at)]).returncode == 0
