"""What is wrong with a line, as people are told it: the field, what it must be, an example."""

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.importing import words
from api.importing.lines import Line, LineRefused, read_line
from api.importing.words import in_words
from tests.support.importing import message, ndjson, receipt

CHARGED = {"price": {"amount": "3.00", "currency": "EUR"}, "state": "captured"}
LINES: dict[str, dict[str, Any]] = {
    "mo": message(1),
    "receipt": receipt(1),
    "exchange": message(
        1,
        kind="exchange",
        match={"keyword": "JEU", "merchant": "ludotel", "service": "quiz"},
        mt={"text": "Merci", "kind": "content"},
        charges=[{**CHARGED, "leg": "mt"}],
        receipts=[{"outcome": "delivered", "billed": "yes"}],
    ),
    "turn": {"kind": "turn", "at": "2026-08-03T08:00:00Z", "pushed": "taken"},
    "stop_subscription": {
        "kind": "stop_subscription", "subscription": "0" * 32, "by": "merchant",
        "reason": "moved", "arrived_at": "2026-08-03T08:00:00Z",
    },
}  # fmt: skip
NOISE = (
    st.text(max_size=140)
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.none()
    | st.booleans()
    | st.lists(st.text(), max_size=2)
    | st.just({})
)


def refused(line: dict[str, Any]) -> str:
    """Give why a line is refused."""
    with pytest.raises(LineRefused) as told:
        read_line(ndjson([line]))
    return str(told.value)


def choices(type_: msgspec.inspect.Type, place: str = "") -> Iterator[tuple[str, tuple[str, ...]]]:
    """Give every place of a line that has words to choose from, and those."""
    if isinstance(type_, msgspec.inspect.LiteralType):
        yield place, type_.values
    for inside, one in _parts(type_):
        yield from choices(one, f"{place}{inside}".removeprefix("."))


def _parts(type_: msgspec.inspect.Type) -> list[tuple[str, msgspec.inspect.Type]]:
    match type_:
        case msgspec.inspect.UnionType():
            return [("", one) for one in type_.types]
        case msgspec.inspect.StructType():
            return [(f".{field.encode_name}", field.type) for field in type_.fields]
        case msgspec.inspect.VarTupleType():
            return [("[]", type_.item_type)]
        case _:
            return []


class TestWords:
    """One fault."""

    @pytest.mark.parametrize(
        ("kind", "wrong", "told"),
        [
            ("mo", {"short_code": "8x"}, 'short_code: must be 3 to 8 digits, such as "81014"'),
            ("mo", {"short_code": 81014},
             'short_code: must be text in quotes, such as "81014", but is a number'),
            ("mo", {"smsc": ""}, "smsc: must not be empty"),
            ("mo", {"id": "x" * 129}, "id: has more than 128 letters"),
            ("receipt", {"outcome": "done"},
             "outcome: must be one of submitted, buffered, delivered, failed, rejected"),
            ("receipt", {"part": 0}, "part: must be at least 1"),
            ("exchange", {"charges": [CHARGED, {**CHARGED, "price": 3}]},
             "charges[1].price: must be an object, in { }, but is a number"),
            ("exchange", {"charges": [{**CHARGED, "state": "done"}]},
             "charges[0].state: must be one of authorized, captured, released, refused"),
            ("exchange", {"charges": [CHARGED] * 9}, "charges: has more than 8 entries"),
            ("turn", {"at": "today"},
             'at: must be an instant with its zone, such as "2026-08-03T08:00:00Z"'),
            ("turn", {"when": 1}, "when: is no field that belongs here"),
            ("turn", {"kind": 5}, f"kind: must be one of {', '.join(words.KINDS)}"),
        ],
    )  # fmt: skip
    def test_is_told_by_its_field_and_what_it_must_be(
        self, kind: str, wrong: dict[str, Any], told: str
    ) -> None:
        assert refused({**LINES[kind], **wrong}) == told

    def test_of_what_is_missing_is_told_with_an_example(self) -> None:
        line = {name: value for name, value in message(1).items() if name != "short_code"}
        assert refused(line) == 'short_code: is missing, such as "81014"'

    def test_repeats_no_value(self) -> None:
        assert "Jeanne" not in refused({**receipt(1), "outcome": "Jeanne"})

    def test_counts_the_same_fault_of_any_entry_as_one(self) -> None:
        whys = set[str]()
        for before in range(3):
            line = {**LINES["exchange"], "charges": [*[CHARGED] * before, {}]}
            with pytest.raises(LineRefused) as told:
                read_line(ndjson([line]))
            whys.add(told.value.why)
        assert whys == {
            'charges[].price: is missing, such as {"amount": "3.00", "currency": "EUR"}'
        }

    def test_of_a_solicitation_in_which_there_is_nothing_to_read(self) -> None:
        line = {**message(1, kind="solicitation", text="\x00 \u200b"), "service": "quiz"}
        del line["sent_at"]
        line["arrived_at"] = "2026-08-03T08:00:00Z"
        assert refused(line) == "text: there is nothing to read in it"
        read_line(ndjson([{**line, "text": "👍"}]))

    @given(st.data(), st.sampled_from(sorted(LINES)), NOISE)
    def test_of_any_value_shows_no_pattern_and_no_type(
        self, data: st.DataObject, kind: str, value: object
    ) -> None:
        line = json.loads(json.dumps(LINES[kind]))
        inside = data.draw(st.sampled_from([line, *_objects(line)]))
        field = data.draw(st.sampled_from(sorted(inside)))
        inside[field] = value
        try:
            read_line(ndjson([line]))
        except LineRefused as wrong:
            told = str(wrong)
            assert not re.search(r"Expected|regex|`|\\|\^|\$", told), told
            assert re.match(r"(the line|[a-z_\[\]0-9.]+|this is no JSON): |give one of", told), told


def _objects(line: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for value in line.values():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict) and one:
                yield one
                yield from _objects(one)


class TestTables:
    """What the words are taken from."""

    def test_know_every_choice_of_every_line(self) -> None:
        kinds = msgspec.inspect.multi_type_info(Line.__args__)
        found = dict(one for kind in kinds for one in choices(kind))
        found["kind"] = tuple(kind.tag for kind in kinds)
        known = words._CHOICES  # noqa: SLF001 - nothing else holds the table against the lines
        assert {place: set(all_) for place, all_ in known.items()} == {
            place: set(all_) for place, all_ in found.items()
        }

    def test_leave_what_they_do_not_know_as_it_is(self) -> None:
        assert in_words("Something new - at `$.text`") == "text: Something new"
