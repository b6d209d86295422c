"""The demonstration's traffic as data: who writes what, and what the operators then do.

Codes and keywords are those of the demonstration catalogue: 81014 is shared (JEU, HOROSCOPE),
72100 is dedicated (LOGO), 41234 takes votes (VOTE or VOTE FINALE, and a choice), 92777 gifts (DON).
"""

from typing import TypedDict, Unpack

from api.demo.messages import (
    ACCEPTED,
    BUFFERED,
    DELIVERED,
    FAILED,
    REJECTED,
    DemoMessage,
    Expected,
    Fault,
)

# What the fact `gateway_declared` says of the demonstration's gateway: smsc -> MCC and MNC.
OPERATORS = {"orange-fr": "20801", "sfr-fr": "20810", "bouygues-fr": "20820"}

# An operator of France names its customer by an alias, a number that means nothing elsewhere.
# Kannel's own fakesmsc stands for Orange: it delivers every MT, so nothing fails there.
_CONSUMERS = {
    "amel": ("orange-fr", "33000100001"),
    "basile": ("orange-fr", "33000100002"),
    "chloe": ("orange-fr", "33000100003"),
    "denis": ("orange-fr", "33000100004"),
    "elsa": ("orange-fr", "33000100005"),
    "farid": ("sfr-fr", "33000200001"),
    "gaelle": ("sfr-fr", "33000200002"),
    "hugo": ("sfr-fr", "33000200003"),
    "ines": ("sfr-fr", "33000200004"),
    "jules": ("sfr-fr", "33000200005"),
    "karim": ("bouygues-fr", "33000300001"),
    "lea": ("bouygues-fr", "33000300002"),
    "marc": ("bouygues-fr", "33000300003"),
    "nora": ("bouygues-fr", "33000300004"),
    "oscar": ("bouygues-fr", "33000300005"),
    "paule": ("bouygues-fr", "33000300006"),
}

_GAMES, _LOGOS, _VOTES, _GIFTS = "81014", "72100", "41234", "92777"
_REFUSED_AT_ONCE = (REJECTED,)
_NOT_DELIVERED = (ACCEPTED, FAILED)
_LOST = (ACCEPTED,)  # the final receipt never comes


class Extras(TypedDict, total=False):
    """What a message of the script can say beside its own words."""

    receipts: tuple[int, ...]
    late: tuple[int, ...]
    fault: Fault
    same_id_as: str
    orphan: bool
    expect: Expected
    note: str


def _sms(
    name: str, consumer: str, code: str, text: str | bytes, **extras: Unpack[Extras]
) -> DemoMessage:
    smsc, alias = _CONSUMERS[consumer]
    return DemoMessage(name=name, smsc=smsc, sender=alias, code=code, text=text, **extras)


def _paid(name: str, consumer: str, code: str, text: str, **extras: Unpack[Extras]) -> DemoMessage:
    return _sms(name, consumer, code, text, **{"expect": "paid", **extras})


def _free(name: str, consumer: str, code: str, text: str, **extras: Unpack[Extras]) -> DemoMessage:
    return _sms(name, consumer, code, text, **{"expect": "free", **extras})


_PLAIN = (
    _paid("jeu", "denis", _GAMES, "JEU"),
    _paid("jeu-lower", "farid", _GAMES, "jeu", note="case does not count"),
    _paid("horoscope", "karim", _GAMES, "HOROSCOPE Lion", note="what follows is the argument"),
    _paid("logo", "basile", _LOGOS, "LOGO 12"),
    _paid("logo-sfr", "gaelle", _LOGOS, "Logo coeur"),
    _paid("logo-bouygues", "lea", _LOGOS, "LOGO"),
    _paid("vote-1", "chloe", _VOTES, "VOTE 1"),
    _paid("vote-2", "denis", _VOTES, "VOTE 2"),
    _paid("vote-3", "hugo", _VOTES, "VOTE 3"),
    _paid("vote-4", "ines", _VOTES, "VOTE 1"),
    _paid("vote-5", "marc", _VOTES, "VOTE 1"),
    _paid("vote-6", "nora", _VOTES, "VOTE 2"),
    _paid("vote-again", "chloe", _VOTES, "VOTE 1", note="a second vote counts as a second vote"),
    _paid("vote-finale", "elsa", _VOTES, "Vote finale 1", note="the longest keyword counts"),
    _paid("horoscope-orange", "elsa", _GAMES, "HOROSCOPE"),
    _paid("horoscope-sfr", "jules", _GAMES, "horoscope vierge"),
    _paid("jeu-bouygues", "oscar", _GAMES, "JEU"),
)

_WRITTEN_OTHERWISE = (
    _paid("accents", "amel", _GAMES, "Horóscope bélier", note="accents do not count"),
    _paid("full-width", "farid", _GAMES, "ＪＥＵ"),  # noqa: RUF001 - full-width on purpose
    _paid("glued", "karim", _GAMES, "JEU!", note="punctuation glued to the keyword"),
    _paid("glued-argument", "gaelle", _LOGOS, "LOGO,12"),
    _paid("spaces", "lea", _GAMES, "   jeu   oui  ", note="spacing does not count"),
    _paid("emoji-after", "hugo", _GAMES, "JEU 🎉", note="the argument is an emoji"),
)

_NOT_MATCHED = (
    _free("typo", "basile", _GAMES, "JEUX", note="not the keyword; nothing is charged"),
    _free("typo-sfr", "farid", _GAMES, "HOROSKOPE"),
    _free("typo-logo", "nora", _LOGOS, "LOGP 12"),
    _free("vote-without-word", "denis", _VOTES, "1"),
    _free("emoji-only", "ines", _GAMES, "🎉", note="no word at all"),
    _free("empty", "jules", _GAMES, ""),
    _free("very-long", "marc", _GAMES, "bonjour " * 250, note="2,000 characters"),
    _sms("unknown-code", "oscar", "89999", "JEU", note="a code that nobody opened"),
    _sms("broken-utf8", "gaelle", _GAMES, b"J\xff\xfe\xc3(", note="bytes that are no UTF-8"),
    _sms("nul", "lea", _GAMES, b"JE\x00U", note="a NUL inside the word"),
)

_SERVICE_WORDS = (
    _free("contact", "elsa", _GAMES, "CONTACT"),
    _free("stop", "amel", _GAMES, "STOP", note="all services on this code"),
    _sms("stop-again", "amel", _GAMES, "Stop", expect="silent", note="already confirmed once"),
    _free("stop-keyword", "karim", _GAMES, "STOP HOROSCOPE", note="that service only"),
    _paid("back", "amel", _GAMES, "JEU", note="a new request lifts the STOP for replies"),
)

_DONATIONS = (
    _paid("gift", "paule", _GIFTS, "DON", note="20.00, passed on whole"),
    _paid("gift-again", "paule", _GIFTS, "DON"),
    _free("gift-too-much", "paule", _GIFTS, "DON", note="50.00 a month to one charity at most"),
)

_RECEIPTS = (
    _paid("failed", "farid", _GAMES, "JEU", receipts=_NOT_DELIVERED, note="never delivered"),
    _paid("failed-logo", "lea", _LOGOS, "LOGO 7", receipts=_NOT_DELIVERED),
    _paid("rejected", "nora", _GAMES, "HOROSCOPE", receipts=_REFUSED_AT_ONCE),
    _paid("lost", "ines", _GAMES, "JEU", receipts=_LOST, note="ages to unresolved"),
    _paid("lost-vote", "marc", _VOTES, "VOTE 3", receipts=_LOST),
    _paid(
        "late",
        "jules",
        _GAMES,
        "JEU",
        receipts=_LOST,
        late=(DELIVERED,),
        note="delivered, but we are told long afterwards",
    ),
    _paid("late-failed", "oscar", _LOGOS, "LOGO 3", receipts=_LOST, late=(FAILED,)),
    _paid("buffered", "hugo", _LOGOS, "LOGO 9", receipts=(ACCEPTED, BUFFERED, DELIVERED)),
    _paid(
        "contradiction",
        "oscar",
        _GAMES,
        "HOROSCOPE poissons",
        receipts=(ACCEPTED, DELIVERED, FAILED),
        note="delivered, then not delivered",
    ),
    _sms(
        "orphan",
        "hugo",
        _GAMES,
        "",
        receipts=(DELIVERED,),
        orphan=True,
        note="a receipt for an MT that nobody sent",
    ),
)

_TROUBLE = (
    _paid(
        "away",
        "gaelle",
        _GAMES,
        "JEU",
        fault="unavailable",
        note="the ledger is away once; the gateway asks again under the same id",
    ),
    _paid(
        "answer-lost",
        "basile",
        _GAMES,
        "HOROSCOPE cancer",
        fault="answer_lost",
        note="recorded, but the answer is lost; the second one must equal it",
    ),
    _paid(
        "receipt-twice",
        "nora",
        _LOGOS,
        "LOGO 4",
        fault="receipt_answer_lost",
        note="our answer to its receipts is lost, so each comes again",
    ),
    _paid(
        "same-again",
        "farid",
        _GAMES,
        "jeu",
        same_id_as="jeu-lower",
        receipts=(),
        note="the same MO under the same id",
    ),
    _sms(
        "conflict",
        "lea",
        _LOGOS,
        "LOGO 99",
        same_id_as="logo-bouygues",
        receipts=(),
        note="the same id with other content",
    ),
)

# In the order in which they are played; one consumer's messages never overtake each other.
TRAFFIC: tuple[DemoMessage, ...] = (
    *_PLAIN,
    *_WRITTEN_OTHERWISE,
    *_NOT_MATCHED,
    *_SERVICE_WORDS,
    *_DONATIONS,
    *_RECEIPTS,
    *_TROUBLE,
)
