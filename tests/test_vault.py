"""The vault: the master key's file, pseudonyms, fingerprints, and what is sealed."""

import os
import stat
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.facts.base import Sealed
from ledger.vault import (
    DataKeyId,
    FileMasterKey,
    MasterKeyMissing,
    WrongKey,
    fingerprint,
    new_data_key,
    pseudonym,
    seal,
    unseal,
    utc_month,
)

KEY_ID = DataKeyId("1_" + "a" * 32, "2026-07", "text")
FACT, OTHER_FACT = "1" * 32, "2" * 32
KEY = bytes(range(32))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


class TestMasterKeyFile:
    """The file that holds the master key."""

    def test_can_be_read_by_its_owner_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "deep" / "master.key"
        FileMasterKey.create(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_gives_the_same_key_each_time(self, tmp_path: Path) -> None:
        path = tmp_path / "master.key"
        wrapped = FileMasterKey.create(path).wrap(b"secret", "fr/x")
        assert FileMasterKey.load(path).unwrap(wrapped, "fr/x") == b"secret"

    def test_is_never_made_over_another(self, tmp_path: Path) -> None:
        path = tmp_path / "master.key"
        FileMasterKey.create(path)
        kept = path.read_bytes()
        with pytest.raises(FileExistsError):
            FileMasterKey.create(path)
        assert path.read_bytes() == kept

    def test_is_another_each_time(self, tmp_path: Path) -> None:
        FileMasterKey.create(tmp_path / "one")
        FileMasterKey.create(tmp_path / "two")
        assert (tmp_path / "one").read_bytes() != (tmp_path / "two").read_bytes()

    @pytest.mark.parametrize(
        "content",
        [
            pytest.param(b"", id="empty"),
            pytest.param(b"not base64!", id="no base64"),
            pytest.param(b64encode(bytes(31)), id="too short"),
            pytest.param(b64encode(bytes(33)), id="too long"),
            pytest.param("clé".encode(), id="not ASCII"),
        ],
    )
    def test_is_refused_where_it_holds_no_key(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "master.key"
        path.write_bytes(content)
        with pytest.raises(MasterKeyMissing, match=r"master\.key"):
            FileMasterKey.load(path)

    def test_is_refused_where_it_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(MasterKeyMissing, match="cannot be read"):
            FileMasterKey.load(tmp_path / "none")


class TestWrap:
    """A key under the master key."""

    def test_opens_in_its_own_context_only(self) -> None:
        master = FileMasterKey(KEY)
        wrapped = master.wrap(b"secret", "fr/one")
        assert master.unwrap(wrapped, "fr/one") == b"secret"
        with pytest.raises(WrongKey):
            master.unwrap(wrapped, "be/one")

    def test_does_not_open_under_another_master_key(self) -> None:
        wrapped = FileMasterKey(KEY).wrap(b"secret", "fr/one")
        with pytest.raises(WrongKey):
            FileMasterKey(bytes(32)).unwrap(wrapped, "fr/one")

    def test_is_never_the_same_twice(self) -> None:
        master = FileMasterKey(KEY)
        assert master.wrap(b"secret", "x") != master.wrap(b"secret", "x")


class TestSeal:
    """A text that is sealed for one fact."""

    @given(TEXTS)
    def test_opens_again_whatever_it_says(self, text: str) -> None:
        assert unseal(KEY, FACT, seal(KEY, KEY_ID, FACT, text)) == text

    def test_says_which_key_opens_it(self) -> None:
        sealed = seal(KEY, KEY_ID, FACT, "JEU")
        assert (sealed.month, sealed.kind) == ("2026-07", "text")

    def test_does_not_hold_the_text(self) -> None:
        assert b"SECRET WORDS" not in seal(KEY, KEY_ID, FACT, "SECRET WORDS").box

    def test_is_never_the_same_twice(self) -> None:
        assert seal(KEY, KEY_ID, FACT, "JEU").box != seal(KEY, KEY_ID, FACT, "JEU").box

    def test_does_not_open_as_another_facts(self) -> None:
        with pytest.raises(WrongKey, match=OTHER_FACT):
            unseal(KEY, OTHER_FACT, seal(KEY, KEY_ID, FACT, "JEU"))

    def test_does_not_open_under_another_key(self) -> None:
        with pytest.raises(WrongKey):
            unseal(new_data_key(), FACT, seal(KEY, KEY_ID, FACT, "JEU"))

    @given(st.data())
    def test_does_not_open_once_a_byte_was_changed(self, data: st.DataObject) -> None:
        sealed = seal(KEY, KEY_ID, FACT, "JEU 42")
        place = data.draw(st.integers(0, len(sealed.box) - 1))
        changed = bytearray(sealed.box)
        changed[place] ^= data.draw(st.integers(1, 255))
        with pytest.raises(WrongKey):
            unseal(KEY, FACT, Sealed(sealed.month, sealed.kind, bytes(changed)))

    @pytest.mark.parametrize("length", [0, 7, 12, 20])
    def test_does_not_open_once_it_was_cut(self, length: int) -> None:
        sealed = seal(KEY, KEY_ID, FACT, "JEU 42")
        with pytest.raises(WrongKey):
            unseal(KEY, FACT, Sealed(sealed.month, sealed.kind, sealed.box[:length]))


class TestPseudonym:
    """The name of a consumer."""

    NAMED = ("fr", "alias", "20801", "group-a", "alias-1")

    def test_is_the_same_each_time(self) -> None:
        assert pseudonym(KEY, 1, *self.NAMED) == pseudonym(KEY, 1, *self.NAMED)

    def test_begins_with_the_version_of_its_key(self) -> None:
        assert pseudonym(KEY, 12, *self.NAMED).startswith("12_")

    def test_does_not_hold_what_it_stands_for(self) -> None:
        assert "33612345678" not in pseudonym(KEY, 1, "fr", "msisdn", "book", "33612345678")

    @pytest.mark.parametrize("place", range(5))
    def test_is_another_as_soon_as_one_part_is(self, place: int) -> None:
        other = [*self.NAMED]
        other[place] += "x"
        assert pseudonym(KEY, 1, *other) != pseudonym(KEY, 1, *self.NAMED)

    def test_is_another_under_another_key(self) -> None:
        assert pseudonym(bytes(32), 1, *self.NAMED) != pseudonym(KEY, 1, *self.NAMED)

    def test_keeps_its_parts_apart(self) -> None:
        assert pseudonym(KEY, 1, "ab", "c") != pseudonym(KEY, 1, "a", "bc")

    def test_is_what_it_always_was(self) -> None:
        # HMAC-SHA-256 under 00 01 … 1f of `2:fr5:alias5:208017:group-a7:alias-1`, its first half.
        assert pseudonym(KEY, 1, *self.NAMED) == "1_6cb840cd9eaa7fe4d1672d6249ce1244"


class TestDrawn:
    """What is drawn at random, many at a time."""

    MANY = 5_000

    def test_comes_once_whichever_thread_asks(self) -> None:
        with ThreadPoolExecutor(8) as threads:
            drawn = [threads.submit(new_data_key) for _ in range(self.MANY)]
        keys = [one.result() for one in drawn]
        assert len({*keys}) == self.MANY
        assert {len(key) for key in keys} == {32}

    def test_seals_under_another_nonce_each_time(self) -> None:
        nonces = {seal(KEY, KEY_ID, FACT, "JEU").box[:12] for _ in range(self.MANY)}
        assert len(nonces) == self.MANY

    def test_comes_once_on_both_sides_of_a_fork(self) -> None:
        new_data_key()  # some are drawn that both sides know of
        ours, theirs = os.pipe()
        if (child := os.fork()) == 0:
            os.write(theirs, new_data_key())
            os._exit(0)
        os.waitpid(child, 0)
        assert os.read(ours, 32) not in {new_data_key() for _ in range(self.MANY)}


class TestFingerprint:
    """The fingerprint of a message."""

    SAID = ("1_a", "81014", "JEU")

    @pytest.mark.parametrize("place", range(3))
    def test_is_another_as_soon_as_one_part_is(self, place: int) -> None:
        other = [*self.SAID]
        other[place] += "x"
        assert fingerprint(KEY, *other) != fingerprint(KEY, *self.SAID)

    def test_is_another_under_another_data_key(self) -> None:
        assert fingerprint(bytes(32), *self.SAID) != fingerprint(KEY, *self.SAID)

    def test_is_no_pseudonym_under_the_same_key(self) -> None:
        assert fingerprint(KEY, *self.SAID) not in pseudonym(KEY, 1, *self.SAID)

    def test_is_what_it_always_was(self) -> None:
        assert fingerprint(KEY, *self.SAID) == "2592bf560f598236253531fc800772c6"


class TestUtcMonth:
    """The month that names a data key."""

    def test_is_that_of_utc(self) -> None:
        east = timezone(timedelta(hours=2))
        assert utc_month(datetime(2026, 8, 1, 1, 59, tzinfo=east)) == "2026-07"
        assert utc_month(datetime(2026, 8, 1, tzinfo=UTC)) == "2026-08"
