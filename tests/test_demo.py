"""`obole demo`: the plot through the simulated gateway, its figures worked out by hand."""

import csv
import json
from collections.abc import Generator
from datetime import datetime

import pytest

from api.cli.demo_json import report_json
from api.documents.verify import verify
from api.embedded import Embedded
from tests.support.demonstrated import (
    Performed,
    Shown,
    book_of,
    euro,
    merchant,
    performing,
    share,
    told,
)


@pytest.fixture(scope="module")
def performed(server: Embedded, tmp_path_factory: pytest.TempPathFactory) -> Generator[Performed]:
    """Play everything once; no test changes what is there."""
    with performing(server, tmp_path_factory.mktemp("demo") / "documents") as done:
        yield done


@pytest.fixture(scope="module")
def shown(performed: Performed) -> Shown:
    """Give the report as a program gets it."""
    return json.loads(json.dumps(report_json(performed.report(), 1.0), default=str))


def french(shown: Shown) -> Shown:
    return book_of(shown, "fr")


def belgian(shown: Shown) -> Shown:
    return book_of(shown, "be")


class TestFrance:
    """What the traffic adds up to, worked out by hand.

    Net of 20 % tax a message of 3.00 is 2.50, one of 0.50 is 0.416667, one of 0.05 is 0.041667.
    Operators owe: Orange half of it, SFR 52 %, Bouygues 48 %, but 1.15 of each 3.00.
    Of that Ludotel and Tele Sept have 80 %, Astrolys 76 % and, through SFR, 80 %.
    """

    def test_everything_is_right(self, shown: Shown) -> None:
        assert [check for check in shown["checks"] if not check["ok"]] == []
        assert shown["ok"] is True

    def test_what_ludotel_earned(self, shown: Shown) -> None:
        # JEU:  Orange 2 x 1.00, SFR 5 x 1.04, Bouygues 3 x 0.92      = 9.96
        # LOGO: Orange 0.166667, SFR 3 x 0.173333, Bouygues 2 x 0.16  = 1.006666
        ludotel = merchant(shown, "fr", "ludotel")
        assert ludotel["earned"] == share(16, "10.966666")
        # failed 1.04, failed-logo and late-failed 0.16 each
        assert ludotel["released"] == share(3, "1.36")
        # lost and last, both JEU through SFR; only the first has waited too long
        assert ludotel["pending"] == share(2, "2.08")
        assert ludotel["unresolved"] == share(1, "1.04")

    def test_what_astrolys_earned(self, shown: Shown) -> None:
        # Orange 3 x 0.95, SFR 1.04, Bouygues 2 x 0.874; the rejected one was through Bouygues
        astrolys = merchant(shown, "fr", "astrolys")
        assert astrolys["earned"] == share(6, "5.638")
        assert astrolys["released"] == share(1, "0.874")
        assert astrolys["pending"] == astrolys["unresolved"] == share(0, "0.00")

    def test_what_tele_sept_earned(self, shown: Shown) -> None:
        # Orange 4 x 0.016667, SFR 2 x 0.017333, Bouygues 2 x 0.016; a lost one through Bouygues
        tele_sept = merchant(shown, "fr", "tele-sept")
        assert tele_sept["earned"] == share(8, "0.133334")
        assert tele_sept["pending"] == tele_sept["unresolved"] == share(1, "0.016")

    def test_what_has_no_facts_yet_is_not_recorded(self, shown: Shown) -> None:
        for one in french(shown)["merchants"]:
            assert one["not_recorded"] == ["declared", "collected", "payable"]
            assert (one["declared"], one["collected"], one["payable"]) == (None, None, None)

    def test_the_books_balance(self, shown: Shown) -> None:
        # Orange: 5 x 1.25, a LOGO of 0.208334, 4 votes of 0.020834   = 6.541670
        # SFR: 6 x 1.30, 3 LOGO of 0.216666, 2 votes of 0.021666      = 8.493330
        # Bouygues: 5 x 1.15, 2 LOGO of 0.20, 2 votes of 0.02         = 6.190000
        # Merchants have 10.966666 + 5.638 + 0.133334 = 16.738 of it, and we the rest, 4.487.
        # Two donations of 20.00 through Bouygues go to the charity whole.
        # 3.00 went back to a consumer by transfer; Astrolys bears it, and earned what it earned.
        (trial,) = french(shown)["trial_balance"]
        assert trial["debit"] == trial["credit"] == euro("64.225")
        assert trial["balance"] == euro("0.00")
        found = {
            (one["account"], one["party"]): one["balance"] for one in french(shown)["balances"]
        }
        assert found == {
            ("operator_receivable_accrued", "20801"): euro("6.54167"),
            ("operator_receivable_accrued", "20810"): euro("8.49333"),
            ("operator_receivable_accrued", "20820"): euro("46.19"),
            ("merchant_accrued", "ludotel"): euro("-10.966666"),
            ("merchant_accrued", "astrolys"): euro("-5.638"),
            ("merchant_accrued", "tele-sept"): euro("-0.133334"),
            ("merchant_accrued", "entraide"): euro("-40.00"),
            ("refunds_borne_by_merchant", "astrolys"): euro("3.00"),
            ("payouts_in_transit", "consumers"): euro("-3.00"),
            ("aggregator_revenue", None): euro("-4.487"),
        }

    def test_every_message_is_counted(self, shown: Shown) -> None:
        played = french(shown)["played"]
        # Of 57 two came under an id that was known, and one is a receipt without a message.
        assert (played["played"], played["messages"]) == (57, 54)
        assert (played["answered"], played["unanswered"]) == (52, 2)
        # Four notices, and one invitation of two that were allowed.
        assert played["pushed"] == 5
        assert (played["conflicts"], played["orphans"]) == (1, 1)
        assert french(shown)["facts"]["mo_received.v1"] == 54
        assert french(shown)["facts"]["mt_emitted.v1"] == 52 + 5
        # lost, lost-vote, late and late-failed; what came late settled the last two
        assert french(shown)["unresolved_after_days"]["charges"] == 4
        assert french(shown)["facts"]["charge_unresolved.v1"] == 4

    def test_one_story_goes_from_the_message_to_the_capture(self, shown: Shown) -> None:
        story = french(shown)["story"]
        assert [one["type"] for one in story] == [
            "mo_received.v1",
            "keyword_matched.v1",
            "charge_authorized.v1",
            "mt_emitted.v1",
            "mt_submitted.v1",
            "delivery_received.v1",
            "charge_captured.v1",
        ]
        assert [one["text"] for one in story[:2]] == ["HOROSCOPE Lion", "Lion"]
        assert story[3]["text"].startswith("Horoscope Lion : journée favorable")
        positions = [one["position"] for one in story]
        assert positions == sorted(positions)

    def test_showing_the_story_is_a_fact(self, shown: Shown) -> None:
        (position,) = french(shown)["disclosed_at"]
        assert position > max(one["position"] for one in french(shown)["story"])

    def test_refusals_say_why(self, shown: Shown) -> None:
        lists = {one["what"]: one["messages"] for one in french(shown)["refused"]}
        # In the order of the script, however the operators overtook each other.
        assert lists["an unknown keyword"] == [
            *("typo", "typo-sfr", "typo-logo", "vote-without-word"),
            *("very-long", "broken-utf8", "nul"),
        ]
        found = {what: set(messages) for what, messages in lists.items()}
        assert found["a code that nobody opened"] == {"unknown-code"}
        assert found["a message without a word"] == {"emoji-only", "empty"}
        assert found["another message under a known id"] == {"conflict"}
        assert found["receipt for an unknown message"] == {"orphan"}
        assert found["a word after STOP was confirmed"] == {"stop-again"}
        assert found["the same message again"] == {"answer-lost", "same-again"}
        assert found["not billed: rejected"] == {"rejected"}
        assert found["charge refused: spending cap"] == {"gift-too-much"}
        assert found["no final receipt in time"] == {"lost", "lost-vote", "late", "late-failed"}

    def test_a_past_buyer_is_invited_up_to_the_limit(self, shown: Shown) -> None:
        hours = "in the hours of af2m business messaging"
        assert told(shown, "fr") >= {
            ("solicitation allowed", f"quiz: 1 of 2 without a return, {hours}"),
            ("solicitation allowed", f"quiz: 2 of 2 without a return, {hours}"),
            ("solicitation refused", "quiz: limit without return, 2 of 2"),
        }

    def test_a_notice_follows_each_charge_that_crosses_a_threshold(self, shown: Shown) -> None:
        # Every 5.00 of one service: farid and gaelle had 2 JEU each; a gift of 20.00 crosses
        # four at once and is told of once, and so is the next one.
        assert told(shown, "fr") >= {
            ("notice sent, free (2 times)", "quiz: tariff"),
            ("notice sent, free (2 times)", "don: tariff"),
        }

    def test_a_gift_above_the_month_s_cap_is_not_charged(self, shown: Shown) -> None:
        detail = "spending cap: 20.00 EUR asked, 40.00 of 50.00 spent (donations to one charity)"
        assert ("charge refused", detail) in told(shown, "fr")
        assert merchant(shown, "fr", "entraide")["earned"] == share(2, "40.00")

    def test_a_transfer_to_a_consumer_is_borne_by_the_merchant(self, shown: Shown) -> None:
        detail = "by the aggregator, transfer, borne by merchant"
        assert ("given back: 3.00 EUR", detail) in told(shown, "fr")
        assert merchant(shown, "fr", "astrolys")["refunded"] == share(1, "3.00")


class TestBelgium:
    """What its traffic adds up to, worked out by hand.

    Net of 21 % tax 2.00 is 1.652892, 1.00 is 0.826446 and 0.50 is 0.413223. Proximus owes 60 %
    of it, Orange 58 %, Base 55 %. Of that Kwisbox has 80 %; Astravox has half of the price net
    of tax, and Speelgoed 0.20 of each charge.
    """

    def test_what_kwisbox_earned(self, shown: Shown) -> None:
        # KWIS: the message 0.396694, its answer 0.793388; STEM: 0.413223 x 60 % x 80 % = 0.198347
        # the subscription, two cycles of 2.00: 0.793388 each; in all 2.975205
        kwisbox = merchant(shown, "be", "kwisbox")
        assert kwisbox["earned"] == share(5, "2.975205")
        assert kwisbox["pending"] == share(0, "0.00")

    def test_an_answer_that_no_receipt_calls_billed_is_not_earned(self, shown: Shown) -> None:
        astravox = merchant(shown, "be", "astravox")
        assert astravox["earned"] == share(1, "0.413223")
        assert astravox["pending"] == astravox["unresolved"] == share(1, "0.826446")

    def test_a_failed_answer_leaves_the_message_charged(self, shown: Shown) -> None:
        speelgoed = merchant(shown, "be", "speelgoed")
        assert speelgoed["earned"] == speelgoed["released"] == share(1, "0.20")
        assert ("finding opened", "leg failed on 6070") in told(shown, "be")

    def test_what_was_billed_unmatched_is_found_and_given_back(self, shown: Shown) -> None:
        assert told(shown, "be") >= {
            ("finding opened", "unattributed on 3030, 1.00 EUR"),
            ("finding closed", "unattributed: refunded"),
            ("given back: 1.00 EUR", "by the operator, bill, borne by each its part"),
        }

    def test_the_books_balance(self, shown: Shown) -> None:
        # Proximus: 0.495868 + 0.991735 of KWIS, 0.247934 of STEM, 2 x 0.991735  = 3.719007
        # Orange: 58 % of 0.826446, its answer still open                         = 0.479339
        # Base: 0.227273 of RING; 0.454545 of what nobody sells, taken back again = 0.227273
        # Merchants have 2.975205 + 0.413223 + 0.20 = 3.588428 of 4.425619.
        (trial,) = belgian(shown)["trial_balance"]
        assert trial["debit"] == trial["credit"]
        found = {
            (one["account"], one["party"]): one["balance"] for one in belgian(shown)["balances"]
        }
        assert found == {
            ("operator_receivable_accrued", "20601"): euro("3.719007"),
            ("operator_receivable_accrued", "20610"): euro("0.479339"),
            ("operator_receivable_accrued", "20620"): euro("0.227273"),
            ("unattributed", "20620"): euro("0.00"),
            ("merchant_accrued", "kwisbox"): euro("-2.975205"),
            ("merchant_accrued", "astravox"): euro("-0.413223"),
            ("merchant_accrued", "speelgoed"): euro("-0.20"),
            ("aggregator_revenue", None): euro("-0.837191"),
        }

    def test_a_subscription_is_renewed_once_a_month_later_and_stopped(self, shown: Shown) -> None:
        story = belgian(shown)["story"]
        assert [one["type"].removesuffix(".v1") for one in story] == [
            *("subscription_requested", "mt_emitted"),
            *("subscription_started", "subscription_renewed", "charge_authorized"),
            *("mt_emitted", "charge_captured"),
            *("subscription_renewed", "charge_authorized", "mt_emitted"),
            *("mt_handover_unknown", "mt_handed_over", "charge_captured"),
            "subscription_stopped",
        ]
        started, renewed = (datetime.fromisoformat(story[at]["at"]) for at in (2, 7))
        months = (renewed.year - started.year) * 12 + renewed.month - started.month
        assert months == 1
        assert belgian(shown)["played"]["pushed"] == 1
        assert belgian(shown)["facts"]["opted_out.v1"] == 1


class TestDocuments:
    """What it writes for people to open."""

    def test_are_three_of_each_book(self, performed: Performed) -> None:
        folder = performed.documents.folder
        for book in ("fr", "be"):
            found = {path.name for path in (folder / book).iterdir()}
            assert found == {"payouts.json", "statement.json", "statement.csv", "audit"}

    def test_the_export_is_whole_and_of_every_fact_before_it(
        self, performed: Performed, shown: Shown
    ) -> None:
        for book in ("fr", "be"):
            found = verify(performed.documents.folder / book / "audit")
            assert found.problems == []
            assert found.facts == book_of(shown, book)["head"] - 1

    def test_payouts_go_on_in_the_month_of_the_renewal(self, performed: Performed) -> None:
        first, second = json.loads((performed.documents.folder / "be/payouts.json").read_text())
        earned = {one["merchant"]: one["lines"]["earned"]["share"] for one in first["payouts"]}
        # 2.975205 less the second cycle, 0.793388
        assert earned["kwisbox"] == euro("2.181817")
        (kwisbox,) = second["payouts"]
        assert kwisbox["lines"]["earned"] == {"facts": 1, "share": euro("0.793388")}
        assert first["not_recorded"] == ["payable"]

    def test_a_statement_says_the_same_as_json_and_as_csv(self, performed: Performed) -> None:
        folder = performed.documents.folder / "fr"
        statement = json.loads((folder / "statement.json").read_text())
        with (folder / "statement.csv").open(newline="") as read:
            rows = [row for row in csv.DictReader(read) if row["line"] == "line"]
        assert [row["earned_share"] for row in rows] == [
            line["states"]["earned"]["share"]["amount"] for line in statement["lines"]
        ]
        assert statement["totals"][0]["states"]["earned"] == share(16, "10.966666")
