"""Tags: under which words each fact is found, and the grammar that they follow."""

import re
from urllib.parse import unquote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.facts import tags
from ledger.facts.base import Fact
from ledger.facts.registry import REGISTRY, stored_name
from ledger.facts.tags import MAX_TAGS, TagRefused, tag, tags_of
from ledger.facts.traffic import MoReceived
from tests.support.exampled import CHARGE, CONSUMER, MO, MT
from tests.support.examples import examples
from tests.support.examples_trade import FINDING, NOTICE, SOLICITATION, SUBSCRIPTION

GRAMMAR = re.compile(r"[a-z_]+:[A-Za-z0-9._/+%-]{1,128}")
WHERE = {f"consumer:{CONSUMER}", "code:81014", "operator:20801"}
CHARGED = {f"charge:{CHARGE}", f"mo:{MO}", "merchant:ludotel", *WHERE}
SENT = {f"mt:{MT}", *CHARGED}
SOLD = {"merchant:ludotel", *WHERE}
SUBSCRIBED = {f"subscription:{SUBSCRIPTION}", *SOLD}
EXPECTED = {
    "book_opened.v1": {"catalogue:trade"},
    "rules_adopted.v1": {"catalogue:trade"},
    "gateway_declared.v1": {"catalogue:trade"},
    "mo_received.v1": {f"mo:{MO}", *WHERE},
    "conflicting_duplicate_received.v1": {f"mo:{MO}", *WHERE},
    "exchange_imported.v1": {f"mo:{MO}", "merchant:ludotel", *WHERE},
    "keyword_matched.v1": {f"mo:{MO}", "merchant:ludotel", *WHERE},
    "keyword_unmatched.v1": {f"mo:{MO}", *WHERE},
    "mt_emitted.v1": SENT,
    "mt_submitted.v1": SENT,
    "delivery_received.v1": SENT,
    "delivery_orphaned.v1": {f"mt:{MT}"},
    "charge_authorized.v1": CHARGED,
    "charge_refused.v1": CHARGED,
    "charge_captured.v1": SENT,
    "charge_unresolved.v1": CHARGED,
    "charge_released.v1": SENT,
    "opted_out.v1": {f"mo:{MO}", "merchant:ludotel", *WHERE},
    "opt_out_lifted.v1": {f"mo:{MO}", *WHERE},
    "merchant_registered.v1": {"catalogue:trade", "merchant:ludotel"},
    "contract_agreed.v1": {"catalogue:trade", "merchant:ludotel", "operator:20801"},
    "short_code_opened.v1": {"catalogue:trade", "code:81014", "operator:20801"},
    "short_code_closed.v1": {"catalogue:trade", "code:81014", "operator:20801"},
    "service_declared.v1": {"catalogue:trade", "merchant:ludotel"},
    "keyword_assigned.v1": {"catalogue:trade", "code:81014", "merchant:ludotel"},
    "keyword_withdrawn.v1": {"catalogue:trade", "code:81014"},
    "tariff_set.v1": {"catalogue:trade", "code:81014"},
    "access_granted.v1": {"catalogue:access", "merchant:ludotel"},
    "access_revoked.v1": {"catalogue:access"},
    "evidence_disclosed.v1": {f"mo:{MO}", f"consumer:{CONSUMER}"},
    "duplicate_suspected.v1": {f"mo:{MO}", "merchant:ludotel", *WHERE},
    "mt_handover_unknown.v1": SENT,
    "mt_handed_over.v1": SENT,
    "mt_handover_refused.v1": SENT,
    "mt_cancelled.v1": SENT,
    "charge_refunded.v1": CHARGED,
    "refund_refused.v1": CHARGED,
    "charge_written_off.v1": CHARGED,
    "subscription_requested.v1": {f"mo:{MO}", *SUBSCRIBED},
    "subscription_refused.v1": {f"mo:{MO}", *SUBSCRIBED},
    "subscription_started.v1": {f"mo:{MO}", *SUBSCRIBED},
    "subscription_renewed.v1": {f"mt:{MT}", f"charge:{CHARGE}", *SUBSCRIBED},
    "renewal_refused.v1": SUBSCRIBED,
    "subscription_stopped.v1": {f"mo:{MO}", *SUBSCRIBED},
    "solicitation_allowed.v1": {f"solicitation:{SOLICITATION}", *SOLD},
    "solicitation_refused.v1": {f"solicitation:{SOLICITATION}", *SOLD},
    "solicitation_expired.v1": {f"solicitation:{SOLICITATION}", *SOLD},
    "notice_due.v1": {f"mo:{MO}", f"charge:{CHARGE}", f"notice:{NOTICE}", *SOLD},
    "notice_sent.v1": {f"mt:{MT}", f"notice:{NOTICE}", *SOLD},
    "notice_dropped.v1": {f"notice:{NOTICE}", *SOLD},
    "finding_opened.v1": {f"mt:{MT}", f"finding:{FINDING}", *CHARGED},
    "finding_closed.v1": {f"finding:{FINDING}", f"charge:{CHARGE}", *SOLD},
    "service_suspended.v1": {"catalogue:trade", "merchant:ludotel"},
    "service_resumed.v1": {"catalogue:trade", "merchant:ludotel"},
    "test_number_declared.v1": {"catalogue:trade", f"consumer:{CONSUMER}"},
    "test_number_withdrawn.v1": {"catalogue:trade", f"consumer:{CONSUMER}"},
    "audit_exported.v1": {f"consumer:{CONSUMER}", "code:81014"},
}
FULL = {stored_name(type(fact)): fact for name, fact in examples() if name == "full"}


class TestTagsOf:
    """The tags of a fact."""

    @pytest.mark.parametrize("name", sorted(REGISTRY.by_name))
    def test_are_those_that_its_kind_always_had(self, name: str) -> None:
        assert set(tags_of(FULL[name])) == EXPECTED[name]

    @pytest.mark.parametrize(("name", "fact"), [*examples()])
    def test_are_few_unique_sorted_and_well_formed(self, name: str, fact: Fact) -> None:
        found = tags_of(fact)
        assert list(found) == sorted(set(found), key=str.encode), name
        assert 1 <= len(found) <= MAX_TAGS
        assert all(GRAMMAR.fullmatch(one) for one in found)

    def test_leave_out_what_a_fact_does_not_have(self) -> None:
        spare = {stored_name(type(fact)): fact for name, fact in examples() if name == "spare"}
        assert set(tags_of(spare["mt_emitted.v1"])) == {f"mt:{MT}", f"mo:{MO}", *WHERE}

    def test_are_refused_where_they_are_too_many(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tags, "MAX_TAGS", 6)
        with pytest.raises(TagRefused, match="7 tags, but at most 6"):
            tags_of(FULL["mt_emitted.v1"])

    def test_are_refused_where_one_cannot_be_written(self) -> None:
        mo = msgspec.structs.replace(FULL["mo_received.v1"], short_code="")
        assert isinstance(mo, MoReceived)
        with pytest.raises(TagRefused, match="code ''"):
            tags_of(mo)


class TestTag:
    """One tag."""

    @pytest.mark.parametrize(
        ("value", "written"),
        [
            ("81014", "mt:81014"),
            ("a/b+c.d_e-f", "mt:a/b+c.d_e-f"),
            ("a b", "mt:a%20b"),
            ("100%", "mt:100%25"),
            ("a:b\n", "mt:a%3Ab%0A"),
            ("\0", "mt:%00"),
            ("é~", "mt:%C3%A9%7E"),
        ],
    )
    def test_encodes_what_the_grammar_does_not_hold(self, value: str, written: str) -> None:
        assert tag("mt", value) == written

    @given(st.text(max_size=60))
    def test_follows_the_grammar_or_is_refused(self, value: str) -> None:
        try:
            written = tag("mt", value)
        except TagRefused:
            assert not value or len(value.encode()) * 3 > 128
        else:
            assert GRAMMAR.fullmatch(written)
            assert unquote(written.removeprefix("mt:")) == value

    @pytest.mark.parametrize("value", ["", "a" * 129, "é" * 22])
    def test_is_refused_empty_or_too_long(self, value: str) -> None:
        with pytest.raises(TagRefused):
            tag("mt", value)

    def test_takes_the_longest_that_fits(self) -> None:
        assert tag("mt", "a" * 128) == "mt:" + "a" * 128
