"""What a catalogue is refused for, each problem by its text and the place it came from."""

from datetime import timedelta

import pytest

from tests.support.catalogues import HEAD, NOW, SMALL, after, empty_book, told, wanted
from tests.support.packs import edited

PRICE = 'tariff = "t-300"\ncode = "81014"\nprice = "3.00"'
EARLIEST = "and the book has traffic; the earliest is 2026-06-15T12:01:00+02:00"
OTHER_IDS = "and a message that comes again would get another id; declare another gateway instead"
SINCE = ", from 2026-03-01 on"
REPLY = 'reply_text = "Quiz : {argument} ({price})"'


class TestServicesAndCodes:
    """What is sold, where, and the texts that go with it."""

    def test_of_two_merchants_are_refused(self) -> None:
        text = (
            HEAD
            + '[[services]]\nservice = "quiz"\nmerchant = "astro"\nname = "Q"\n'
            + 'category = "content"\nreply_text = "x"\npublisher = "P"\ndesk = "1"\n'
            + "effective_from = 2026-07-01\n"
        )
        assert told(text, after(SMALL)) == [
            ("services[1].merchant", "quiz is a service of ludo, and none changes hands")
        ]

    def test_want_a_tax_rate(self) -> None:
        text = edited(SMALL, ('category = "content"', 'category = "press"'))
        assert told(text) == [
            (
                "services[1].category",
                "the rules have no tax rate for press; they have one for content, donation",
            )
        ]

    def test_are_only_sold_where_their_category_may_be(self) -> None:
        text = SMALL.replace('"81014"', '"92014"')
        assert told(text) == [
            (
                f"keywords[{at}].keyword",
                f"92014 is for donation only, and {service} is content, from 2026-03-01 on",
            )
            for at, service in ((1, "quiz"), (2, "stars"))
        ]

    @pytest.mark.parametrize(
        ("template", "text"),
        [
            ("Merci {prix}", "{prix} is no placeholder that may stand here"),
            ("Merci {price", "{ is no placeholder that may stand here"),
            ("{argument}", "shows nothing where a consumer sends no argument"),
            ("x" * 161, "takes 161 characters, and one message holds 160"),
            ("Fête " + "x" * 66, "takes 71 characters, and one message holds 70 because of 'ê'"),
        ],
    )
    def test_have_an_answer_of_one_message(self, template: str, text: str) -> None:
        problems = told(edited(SMALL, (REPLY, f'reply_text = "{template}"')))
        assert {place for place, _ in problems} == {"services[1].reply_text"}
        assert text in problems[0][1]

    def test_have_an_answer_that_fits_also_with_its_price_and_code(self) -> None:
        # 150 letters and "81014 3.00 EUR" are 164; without code and price it would fit.
        template = f"{'x' * 150}{{code}} {{price}}"
        problems = told(edited(SMALL, (REPLY, f'reply_text = "{template}"')))
        assert [place for place, _ in problems] == ["services[1].reply_text"] * 2
        assert {text for _, text in problems} == {
            f"the answer of {about} takes 164 characters, and one message holds 160{SINCE}"
            for about in ("72100 LOGO", "81014 JEU")
        }

    @pytest.mark.parametrize("field", ["error_text", "stop_text", "contact_text"])
    def test_have_free_texts_of_one_message(self, field: str) -> None:
        codes = SMALL.index("[[codes]]")
        old = next(line for line in SMALL[codes:].splitlines() if line.startswith(field))
        for template, what in (("{argument}", "{argument} is no"), ("x" * 161, "takes 161")):
            problems = told(edited(SMALL, (old, f'{field} = "{template}"')))
            # Two operators have the code; its text is told once.
            assert [place for place, _ in problems if place.endswith(field)][:1] == [
                f"codes[1].{field}"
            ]
            assert what in problems[0][1]

    @pytest.mark.parametrize(
        ("notice", "text"),
        [
            # 128 letters, "Stars", "3.00 EUR", "9999.99 EUR" and nine marks: 161.
            ("x" * 128 + " : {service} : {price}, {spent}.", "the notice for stars takes 161"),
            ("{prix}", "{prix} is no placeholder that may stand here"),
        ],
    )
    def test_may_have_a_notice_of_one_message(self, notice: str, text: str) -> None:
        contact = SMALL[SMALL.index("contact_text") :].partition("\n")[0]
        problems = told(edited(SMALL, (contact, f'{contact}\nnotice_text = "{notice}"')))
        assert {place for place, _ in problems} == {"codes[1].notice_text"}
        assert [what for _, what in problems if what.startswith(text)]
        right = f'{contact}\nnotice_text = "{"x" * 127} : {{service}} : {{price}}, {{spent}}."'
        assert wanted(edited(SMALL, (contact, right)), empty_book())

    def test_have_a_contact_that_fits_with_every_publisher(self) -> None:
        long = "P" * 130
        text = edited(SMALL, ('publisher = "Astro"', f'publisher = "{long}"'))
        # "Service du 81014 edite par , 0199008181." has 40 characters of its own.
        assert told(text) == [
            (
                "codes[1].contact_text",
                f"CONTACT for stars takes 170 characters, and one message holds 160{SINCE}",
            )
        ]

    @pytest.mark.parametrize(
        ("old", "field"),
        [
            ('name = "Quiz"', "services[1].name"),
            ('publisher = "Ludo"\ndesk = "0199002100"\n\n[[services]]', "services[1].publisher"),
            ('desk = "0199002100"\n\n[[services]]', "services[1].desk"),
            ('publisher = "Kiosque"', "codes[1].publisher"),
            ('desk = "0199001014"', "codes[1].desk"),
        ],
    )
    def test_have_nothing_invisible_that_a_text_may_name(self, old: str, field: str) -> None:
        # A space of no width is no white space, so it counts as a letter to most checks.
        services = SMALL.index("[[services]]") if field.startswith("services") else 0
        key, _, rest = old.partition(' = "')
        unseen = f'{key} = "\u200b"{rest.partition(chr(34))[2]}'
        text = SMALL[:services] + edited(SMALL[services:], (old, unseen))
        assert (field, "shows nothing") in told(text)

    def test_lie_in_a_range_that_the_rules_know(self) -> None:
        text = SMALL.replace('"81014"', '"11014"')
        assert ("codes[1].code", "11014 lies in no range of codes that the rules know") in told(
            text
        )

    def test_are_dedicated_to_a_registered_merchant(self) -> None:
        text = edited(SMALL, ('dedicated_to = "ludo"', 'dedicated_to = "ludi"'))
        assert ("codes[2].dedicated_to", "no merchant ludi is registered by then") in told(text)

    def test_are_dedicated_with_every_operator_alike(self) -> None:
        second = SMALL[SMALL.index('[[codes]]\ncode = "72100"') : SMALL.index("[[services]]")]
        shared = second.replace("20801", "20810").replace('dedicated_to = "ludo"\n', "")
        assert told(HEAD + shared, after(SMALL)) == [
            (
                "codes[1].dedicated_to",
                f"20801 and 20810 have 72100 for different merchants{SINCE}",
            )
        ]

    def test_are_not_dedicated_over_anothers_keywords(self) -> None:
        shared = SMALL[SMALL.index("[[codes]]") : SMALL.index('[[codes]]\ncode = "72100"')]
        text = HEAD + shared + 'dedicated_to = "ludo"\neffective_from = 2026-07-01\n'
        assert told(text, after(SMALL)) == [
            (
                "codes[1].dedicated_to",
                "81014 is dedicated to ludo, not to astro, from 2026-07-01 on",
            )
        ]

    def test_are_only_closed_where_they_are_open(self) -> None:
        text = (
            HEAD
            + '[[closed_codes]]\ncode = "72100"\noperators = ["20801", "20810"]\n'
            + "effective_from = 2026-07-01\n"
        )
        assert told(text, after(SMALL)) == [
            ("closed_codes[1].code", "72100 is not open with 20810 then")
        ]

    def test_belong_to_a_registered_merchant(self) -> None:
        text = edited(
            SMALL, ('service = "quiz"\nmerchant = "ludo"', 'service = "quiz"\nmerchant = "x"')
        )
        assert ("services[1].merchant", "no merchant x is registered by then") in told(text)

    def test_are_captured_somehow(self) -> None:
        text = SMALL.replace('"20810"', '"20815"')
        assert told(text) == [
            (
                "codes[1].operators[2]",
                "nothing is set that captures the mt of 81014 with 20815, from 2026-03-01 on",
            )
        ]


class TestGateways:
    """How a gateway's ids are read."""

    @pytest.mark.parametrize(("first", "then"), [("false", "true"), ("true", "false")])
    def test_stay_as_they_were_declared(self, first: str, then: str) -> None:
        # A message handed over before the change and again after it would be two.
        known = after(SMALL.replace("recycles_ids = false", f"recycles_ids = {first}"))
        gateway = SMALL[SMALL.index("[[gateways]]") : SMALL.index("[[merchants]]")]
        changed = gateway.replace("recycles_ids = false", f"recycles_ids = {then}")
        for since in ("2026-02-01", "2026-03-01", "2026-07-01"):
            assert told(f"{HEAD}{changed}effective_from = {since}\n", known) == [
                (
                    "gateways[1].recycles_ids",
                    f"kannel was declared with {first}, {OTHER_IDS}",
                )
            ]


class TestDates:
    """From when a fact may count."""

    def test_that_are_past_are_refused_while_the_book_has_traffic(self) -> None:
        # Paris is two hours ahead of UTC in June.
        text = HEAD + '[[merchants]]\nmerchant = "n"\nname = "N"\n'
        own = text + "effective_from = 2026-06-15T11:59:59+02:00\n"
        assert told(text, after(SMALL), has_traffic=True, now=NOW) == [
            ("effective_from", f"2026-03-01 is past, {EARLIEST}")
        ]
        assert told(own, after(SMALL), has_traffic=True, now=NOW) == [
            ("merchants[1].effective_from", f"2026-06-15 11:59 is past, {EARLIEST}")
        ]

    def test_that_are_less_than_a_minute_away_are_refused_likewise(self) -> None:
        text = HEAD + '[[merchants]]\nmerchant = "n"\nname = "N"\n'
        own = text + "effective_from = 2026-06-15T12:00:59.999999+02:00\n"
        assert told(own, after(SMALL), has_traffic=True, now=NOW) == [
            (
                "merchants[1].effective_from",
                f"2026-06-15 12:00 is less than 60 seconds away, {EARLIEST}",
            )
        ]

    def test_name_an_earliest_that_is_early_enough(self) -> None:
        # Half a second before the full one, the next second that a file may name.
        text = HEAD + '[[merchants]]\nmerchant = "n"\nname = "N"\n'
        now = NOW - timedelta(seconds=0.5)
        ((_, what),) = told(text, after(SMALL), has_traffic=True, now=now)
        earliest = what.rpartition(" ")[2]
        assert earliest == "2026-06-15T12:01:00+02:00"
        own = f"{text}effective_from = {earliest}\n"
        assert wanted(own, after(SMALL), has_traffic=True, now=now)

    def test_that_no_rules_reach_are_refused(self) -> None:
        text = HEAD + '[[merchants]]\nmerchant = "n"\nname = "N"\neffective_from = 2001-01-01\n'
        assert told(text, after(SMALL)) == [
            ("merchants[1].effective_from", "the rules do not reach 2001-01-01")
        ]

    def test_of_one_subject_are_told_apart(self) -> None:
        text = HEAD + '[[merchants]]\nmerchant = "n"\nname = "N"\n'
        again = '[[merchants]]\nmerchant = "n"\nname = "M"\n'
        assert told(text + again, after(SMALL)) == [
            ("merchants[2]", "says otherwise than line 3: merchants[1]")
        ]

    def test_of_what_is_named_come_first(self) -> None:
        # The merchant is registered a month after its service is declared.
        text = edited(
            SMALL, ('name = "Ludo SAS"', 'name = "Ludo SAS"\neffective_from = 2026-04-01')
        )
        assert ("services[1].merchant", "no merchant ludo is registered by then") in told(text)


def test_every_problem_is_told_at_once() -> None:
    """One file with a mistake of every kind is answered with all of them."""
    text = edited(
        SMALL,
        (PRICE, PRICE.replace("3.00", "9.99")),
        ('keyword = "LOGO"', 'keyword = "STOP LOGO"'),
        ('keyword = "ASTRO"', 'keyword = "JEU ASTRO"'),
        (REPLY, 'reply_text = "Merci {prix}"'),
        ('category = "content"\nreply_text = "Astro', 'category = "press"\nreply_text = "Astro'),
        ('contract = "astro"\nmerchant = "astro"', 'contract = "astro"\nmerchant = "astra"'),
    )
    assert [place for place, _ in told(text)] == [
        "services[1].reply_text",
        "services[2].category",
        "keywords[2].keyword",
        "keywords[2].keyword",
        "keywords[2].keyword",
        "keywords[3].keyword",
        "tariffs[1].price",
        "merchant_contracts[2].merchant",
    ]


def test_a_right_file_is_not_refused() -> None:
    """A control: what the cases above change is right before they change it."""
    assert wanted(SMALL, empty_book())
