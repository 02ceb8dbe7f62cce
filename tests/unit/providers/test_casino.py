"""What casinos' postbacks say, and what proves them: the fixtures, every way to write an amount, and hostile bytes."""

import hashlib
import hmac
import json
import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from db.models import CasinoEventKind
from db.money import CasinoMoney
from sandbox.casino import signature
from services.errors import DeliveryForbidden, DeliveryForged, DeliveryMalformed, DeliveryRejected, DoorClosed
from services.providers import Delivery
from services.providers.casino import CasinoReport, Programme

FIXTURES: dict[str, dict[str, Any]] = {
    file.stem: json.loads(file.read_text(encoding="utf-8"))
    for file in sorted((Path(__file__).parents[2] / "fixtures" / "onewin").glob("*.json"))
}
NOW = datetime(2026, 11, 20, 12, 0, 30, tzinfo=UTC)
TOKEN = "fixture-path-secret"
ONE_WIN = Programme("1win", "1Win", None, [TOKEN], None, "RUB")
SIGNED = replace(ONE_WIN, secret="fixture-hmac")
CLICK, PLAYER = "c7f3a9d2e1b84c50", "123456789"
DEPOSIT = {"event": "deposit", "user_id": PLAYER, "sub1": CLICK, "amount": "1000", "transaction_id": "tx-1"}


def delivery(
    query: Mapping[str, str] | str = "",
    body: bytes | str = b"",
    headers: Mapping[str, str] | None = None,
    *,
    token: str = TOKEN,
    at: datetime = NOW,
) -> Delivery:
    return Delivery(
        body=body.encode() if isinstance(body, str) else body,
        headers={name.lower(): value for name, value in (headers or {}).items()},
        remote=ip_address("127.0.0.1"),
        received_at=at,
        query=query if isinstance(query, str) else urlencode(query),
        path_secret=token,
    )


def of_fixture(fixture: Mapping[str, Any]) -> Delivery:
    body, headers = fixture.get("raw_body", ""), dict(fixture["headers"])
    if fixture["form"] is not None:
        body, headers["Content-Type"] = urlencode(fixture["form"]), "application/x-www-form-urlencoded"
    elif fixture["json"] is not None:
        body, headers["Content-Type"] = body or json.dumps(fixture["json"]), "application/json"
    return delivery(fixture["query"], body, headers, token=fixture["path"].rpartition("/")[2])


def said(given: Delivery | Mapping[str, str], programme: Programme = ONE_WIN) -> CasinoReport:
    """What a delivery says, after it was kept and read again."""
    kept = programme.verify(given if isinstance(given, Delivery) else delivery(given)).kept
    assert kept is not None
    return programme.read(kept)


# kind, key, amount, currency, problem
EXPECTED: dict[str, tuple[str, str | None, str | None, str, str | None]] = {
    "registration": ("registration", f"registration:{PLAYER}", None, "RUB", None),
    "first_deposit": ("deposit", "deposit:tx-9001", "25.5", "USD", None),
    "deposit": ("deposit", "deposit:tx-9002", "1000", "KZT", None),
    "withdrawal": ("withdrawal", "withdrawal:tx-9003", "500", "KZT", None),
    "win": ("win", "win:tx-9004", "250", "KZT", None),
    "deposit.post_form": ("deposit", "deposit:tx-9005", "1000", "RUB", None),
    "deposit.post_json": ("deposit", "deposit:tx-9006", "1000", "RUB", None),
    "deposit.aliases": ("deposit", "deposit:tx-9007", "1000.5", "RUB", None),
    "deposit.negative_amount": ("deposit", None, None, "RUB", "amount-not-positive"),
    "deposit.no_transaction_id": ("deposit", None, "1000", "RUB", None),
    "deposit.post_with_query": ("deposit", None, "1000", "RUB", None),
    "deposit.unresolved_macros": ("deposit", None, None, "RUB", "player-missing"),
    "keitaro_style": ("deposit", "deposit:tx-9010", "40", "USD", None),
    "generic_json_hmac": ("deposit", "deposit:784", "25", "USD", None),
}


@pytest.mark.parametrize("name", [name for name in FIXTURES if name != "wrong_path_secret"])
def test_every_fixture_is_understood(name: str) -> None:
    kind, key, amount, currency, problem = EXPECTED[name]
    report = said(of_fixture(FIXTURES[name]), SIGNED if name == "generic_json_hmac" else ONE_WIN)
    assert (report.kind, report.currency, report.problem) == (kind, currency, problem)
    assert report.amount == (None if amount is None else Decimal(amount))
    if key is not None:
        assert (report.key, report.weak) == (key, False)
    elif problem is None:
        assert report.weak
    else:
        assert report.key.startswith("odd:")
    if problem is None:
        assert report.casino_id == (None if name == "keitaro_style" else PLAYER)
        assert report.click_id == (None if name == "deposit.post_with_query" else CLICK)
    assert report.first == (name in ("first_deposit", "deposit.aliases"))


def test_the_casinos_own_time_counts_when_it_makes_sense() -> None:
    assert said(of_fixture(FIXTURES["first_deposit"])).occurred_at == datetime.fromtimestamp(1790000300, UTC)
    for text, expected in {
        "1790000300123": datetime.fromtimestamp(1790000300, UTC) + timedelta(milliseconds=123),
        "2026-11-19T15:30:00+03:00": datetime(2026, 11, 19, 12, 30, tzinfo=UTC),
        "2026-11-19 12:30:00": NOW,  # in which zone?
        "1": NOW,
        "9999999999": NOW,
        "yesterday": NOW,
        "{date}": NOW,
        "9" * 5000: NOW,
        "0001-01-01T00:00:00+23:59": NOW,
    }.items():
        assert said({**DEPOSIT, "date": text}).occurred_at == expected, text[:40]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1000", "1000"),
        ("0.01", "0.01"),
        ("0,01", "0.01"),
        ("25.5", "25.5"),
        ("25.50", "25.5"),
        ("25,5", "25.5"),
        (" 1000 ", "1000"),
        ("1 000,50", "1000.5"),
        ("1\u00a0000,50", "1000.5"),
        ("1\u202f000\u202f000", "1000000"),
        ("1'000.50", "1000.5"),
        ("1,000.50", "1000.5"),
        ("1.000,50", "1000.5"),
        ("1,000,000", "1000000"),
        ("1.000.000,5", "1000000.5"),
        ("0,005", "0.005"),
        ("1234,567", "1234.567"),
        ("007", "7"),
        ("999999999999999.99999999", "999999999999999.99999999"),
        ("1,000", "amount-ambiguous"),
        ("1.000", "amount-ambiguous"),
        ("999,999", "amount-ambiguous"),
        ("0", "amount-not-positive"),
        ("0.00", "amount-not-positive"),
        ("-5", "amount-not-positive"),
        ("−5", "amount-not-positive"),
        ("-1 000,50", "amount-not-positive"),
        ("", "amount-missing"),
        ("   ", "amount-missing"),
        ("{amount}", "amount-unresolved"),
        ("[amount]", "amount-unresolved"),
        ("%amount%", "amount-unresolved"),
        ("NaN", "amount-unreadable"),
        ("Infinity", "amount-unreadable"),
        ("1e5", "amount-unreadable"),
        ("+5", "amount-unreadable"),
        ("$5", "amount-unreadable"),
        ("1000 ₽", "amount-unreadable"),
        ("1000 RUB", "amount-unreadable"),
        ("10 00", "amount-unreadable"),
        ("12345 678", "amount-unreadable"),
        ("1 000.000,5", "amount-unreadable"),
        ("1,00,000.5", "amount-unreadable"),
        ("1.5.5", "amount-unreadable"),
        ("5.", "amount-unreadable"),
        (".5", "amount-unreadable"),
        ("١٠٠", "amount-unreadable"),
        ("0x10", "amount-unreadable"),
        ("1_000", "amount-unreadable"),
        ("--5", "amount-unreadable"),
        ("-", "amount-unreadable"),
        ("5;DROP", "amount-unreadable"),
        ("1000000000000000", "amount-too-long"),
        ("1.123456789", "amount-too-long"),
        ("9" * 5000, "amount-too-long"),
    ],
)
def test_an_amount_is_one_in_every_reading_or_odd(text: str, expected: str) -> None:
    report = said({**DEPOSIT, "amount": text})
    assert expected == (report.problem or str(report.amount and report.amount.normalize().__format__("f")))


@pytest.mark.parametrize(
    "number", ["1000", "1000.50", "0.1", "12345678901234.12345678", "-5", "1e5", "NaN", "Infinity"]
)
def test_a_number_in_json_never_becomes_a_float(number: str) -> None:
    body = f'{{"event":"deposit","user_id":1,"transaction_id":"t","amount":{number}}}'
    report = said(delivery("", body, {"Content-Type": "application/json"}))
    try:
        assert report.amount == Decimal(number)
    except AssertionError:
        assert report.problem in ("amount-not-positive", "amount-unreadable")
    assert report.amount is None or isinstance(report.amount, Decimal)


@pytest.mark.parametrize(
    ("word", "kind", "first"),
    [
        *((word, "registration", False) for word in ("registration", "reg", "Lead", "signup", "SIGN-UP", "sign up")),
        *((word, "deposit", True) for word in ("first_deposit", "ftd", "FTD", "fdp", "first_dep", "first deposit")),
        *((word, "deposit", False) for word in ("deposit", "dep", "redep", "rd", "sale")),
        ("withdrawal", "withdrawal", False),
        ("win", "win", False),
        *((word, "unknown", False) for word in ("revenue", "rejected", "{event}", "депозит", "depositt", "conf")),
    ],
)
def test_event_words_mean_what_everybody_means_by_them(word: str, kind: str, first: bool) -> None:
    report = said({**DEPOSIT, "event": word})
    assert (report.kind, report.first) == (kind, first)
    assert (report.problem == "event-unknown") == (kind == "unknown")


def test_a_second_event_word_must_not_say_something_else() -> None:
    assert said({**DEPOSIT, "status": "approved"}).problem is None
    assert said({**DEPOSIT, "status": "ftd"}).first
    for other in ("rejected", "registration", "pending"):
        assert said({**DEPOSIT, "status": other}).problem == "event-contradictory"
    assert said({**DEPOSIT, "event": "bonus", "status": "deposit"}).problem == "event-unknown"
    assert said({**DEPOSIT, "event": ""}).problem == "event-missing"


def test_the_settings_have_their_own_names_and_words_before_the_usual_ones() -> None:
    programme = replace(
        ONE_WIN,
        aliases={
            "sub3": "sub1",
            "cid": "user_id",
            "topup": "deposit",
            "first top-up": "first_deposit",
            "payout": "country",
        },
    )
    report = said(
        {"event": "TopUp", "sub1": "nobody", "sub3": CLICK, "cid": "77", "amount": "5", "payout": "kz"}, programme
    )
    assert (report.kind, report.click_id, report.casino_id, report.country) == ("deposit", CLICK, "77", "kz")
    assert said({**DEPOSIT, "event": "first top-up"}, programme).first
    assert said({"event": "dep", "cid": "77", "payout": "5"}, programme).problem == "amount-missing"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"user_id": "", "sub1": ""}, "player-missing"),
        ({"user_id": "{user_id}", "sub1": "{sub1}"}, "player-missing"),
        ({"user_id": "null", "sub1": "0"}, "player-missing"),
        ({"user_id": "a b"}, "player-unreadable"),
        ({"user_id": "<b>"}, "player-unreadable"),
        ({"user_id": "9" * 65}, "player-unreadable"),
        ({"user_id": "", "sub1": "'; --"}, "player-missing"),
        ({"currency": "₽"}, "currency-unreadable"),
        ({"currency": "{currency}"}, "currency-unreadable"),
        ({"currency": "TOOLONG"}, "currency-unreadable"),
        ({"user_id": ""}, None),
        ({"sub1": "{sub1}"}, None),
        ({"currency": "kzt"}, None),
        ({"country": "<script>"}, None),
    ],
)
def test_who_and_in_what_must_be_readable(change: dict[str, str], problem: str | None) -> None:
    assert said({**DEPOSIT, **change}).problem == problem


def test_a_registration_needs_no_amount_and_is_known_by_who_registered() -> None:
    report = said({"event": "reg", "user_id": PLAYER, "amount": "{amount}", "currency": "?", "transaction_id": "t"})
    assert (report.key, report.amount, report.problem, report.weak) == (f"registration:{PLAYER}", None, None, False)
    assert said({"event": "reg", "sub1": CLICK}).key == f"registration:click:{CLICK}"


def test_two_values_for_one_name_are_never_chosen_from() -> None:
    for query in ("amount=1000&amount=9000", "amount=1000&AMOUNT=9000"):
        assert said(delivery(f"event=deposit&user_id=1&transaction_id=t&{query}")).problem == "said-twice"
    assert said(delivery("event=deposit&user_id=1&amount=5&amount=5&transaction_id=t")).problem is None
    assert said(delivery(DEPOSIT, urlencode({**DEPOSIT, "amount": "9"}))).problem == "said-twice"
    assert said(delivery({"event": "deposit", "user_id": "1"}, "amount=5&transaction_id=t")).amount == 5
    assert said(delivery("", '{"event":"win","user_id":1,"amount":5,"amount":6}')).problem == "said-twice"


def test_one_deposit_under_two_words_has_one_key_and_two_deliveries() -> None:
    first, again = said({**DEPOSIT, "event": "ftd"}), said(DEPOSIT)
    assert first.key == again.key == "deposit:tx-1"
    assert first.fingerprint != again.fingerprint
    assert said({**DEPOSIT, "event": "withdrawal"}).key == "withdrawal:tx-1"


def test_a_repeated_delivery_is_known_and_a_changed_one_is_not() -> None:
    def event_id(query: Mapping[str, str], at: datetime = NOW) -> str:
        return ONE_WIN.verify(delivery(query, at=at)).event_id

    later = NOW + timedelta(days=1)
    assert event_id(DEPOSIT) == event_id(DEPOSIT, later) == event_id({**DEPOSIT, "ip": "1.2.3.4"})
    assert event_id(DEPOSIT) != event_id({**DEPOSIT, "amount": "1001"})
    weak = {**DEPOSIT, "transaction_id": ""}
    assert event_id(weak) == event_id(weak, NOW + timedelta(seconds=20))
    assert event_id(weak) != event_id(weak, later)
    dated = {**weak, "date": "1790000300"}
    assert event_id(dated) == event_id(dated, later)
    assert len(event_id({**DEPOSIT, "event": "x" * 5000, "transaction_id": "y" * 5000})) <= 255


@pytest.mark.parametrize("transaction", ["", "{transaction_id}", "0", "null", CLICK, PLAYER])
def test_a_number_that_is_none_makes_the_event_weak(transaction: str) -> None:
    report = said({**DEPOSIT, "transaction_id": transaction})
    assert (report.weak, report.problem) == (True, None)


def test_a_long_or_strange_transaction_id_still_makes_a_short_key_of_its_own() -> None:
    keys = {said({**DEPOSIT, "transaction_id": text}).key for text in ("x" * 5000, "x" * 5001, "ё" * 200, "a\0b")}
    assert len(keys) == 4
    assert max(map(len, keys)) <= 255


# What proves a postback


def test_the_token_is_any_one_of_the_list() -> None:
    rotating = replace(ONE_WIN, tokens=["new", "old"])
    for token in ("new", "old"):
        assert said(delivery(DEPOSIT, token=token), rotating).problem is None
    for token in ("", "n", "newold", "NEW", "new ", "нов", "\udcff", "new\0"):
        with pytest.raises(DeliveryForbidden):
            rotating.verify(delivery(DEPOSIT, token=token))
    with pytest.raises(DeliveryForbidden):
        ONE_WIN.verify(of_fixture(FIXTURES["wrong_path_secret"]))
    with pytest.raises(DoorClosed):
        replace(ONE_WIN, tokens=[]).verify(delivery(DEPOSIT, token=""))


def test_a_signature_in_the_header_covers_the_body_and_only_that_is_believed() -> None:
    fixture = FIXTURES["generic_json_hmac"]
    genuine = of_fixture(fixture)
    assert said(genuine, SIGNED).amount == 25
    assert said(replace(genuine, query="amount=9000&sub1=mine"), SIGNED).amount == 25
    headers = {name: value for name, value in genuine.headers.items() if name != "x-signature"}
    value = genuine.headers["x-signature"]
    assert said(replace(genuine, headers={**headers, "signature": value.upper()}), SIGNED).amount == 25
    forged = [
        replace(genuine, body=genuine.body.replace(b"25.00", b"95.00")),
        replace(genuine, headers=headers),
        *(replace(genuine, headers={**headers, "x-signature": other}) for other in ("", "0" * 64, value[:-1], "ü")),
    ]
    for other in forged:
        with pytest.raises(DeliveryForged):
            SIGNED.verify(other)
    # The signature of nothing is no secret for whoever has seen one.
    nothing = hmac.new(b"fixture-hmac", b"", hashlib.sha256).hexdigest()
    with pytest.raises(DeliveryMalformed):
        SIGNED.verify(delivery(DEPOSIT, headers={"X-Signature": nothing}))


def test_a_signature_among_the_parameters_covers_all_others() -> None:
    proof = {**DEPOSIT, "signature": signature(dict(DEPOSIT), "fixture-hmac")}
    assert said(proof, SIGNED).problem is None
    assert said(delivery("", urlencode(proof)), SIGNED).problem is None
    assert said(delivery("", json.dumps(proof)), SIGNED).problem is None
    assert "signature" not in SIGNED.parameters(SIGNED.verify(delivery(proof)).kept or b"").values
    for changed in (
        {**proof, "amount": "9000"},
        {**proof, "extra": "1"},
        {**proof, "signature": "0" * 64},
        {**proof, "signature": ""},
        DEPOSIT,
    ):
        with pytest.raises(DeliveryForged):
            SIGNED.verify(delivery(changed))
    for addition in ("&amount=9000", "&signature=" + "0" * 64, "&AMOUNT=9000"):
        with pytest.raises(DeliveryForged):
            SIGNED.verify(delivery(urlencode(proof) + addition))
    with pytest.raises(DeliveryForged):
        SIGNED.verify(delivery("", '{"event":"deposit","amount":"\\ud800"}'))


def test_nothing_that_is_kept_names_the_token_or_the_signature() -> None:
    proof = {**DEPOSIT, "signature": signature(dict(DEPOSIT), "fixture-hmac")}
    kept = SIGNED.verify(delivery(proof))
    assert b"fixture-path-secret" not in (kept.kept or b"")
    assert proof["signature"].encode() not in (kept.kept or b"")


# Whatever comes


@pytest.mark.parametrize(
    "given",
    [
        delivery(""),
        delivery("="),
        delivery("&&&"),
        delivery("", "[]"),
        delivery("", '"deposit"'),
        delivery("", "{"),
        delivery("", "null", {"Content-Type": "application/json"}),
        delivery("", "{}", {"Content-Type": "application/json"}),
        delivery("", "[" * 100_000),
        delivery("", '{"a":' * 100_000),
        delivery("", b"\xff\xfe"),
        delivery("", '{"event":"deposit\xff"}'.encode("latin-1")),
        delivery("&".join(f"a{number}=1" for number in range(1000))),
        delivery("", json.dumps({f"a{number}": 1 for number in range(1000)})),
    ],
)
def test_what_is_no_postback_is_malformed(given: Delivery) -> None:
    with pytest.raises(DeliveryMalformed):
        ONE_WIN.verify(given)


def test_values_of_any_kind_are_kept_and_odd() -> None:
    for value in ("[1000]", '{"a":1}', "true", "null", '"\\u0000"', '"\\ud800"', '"' + "x" * 100_000 + '"', "1" * 5000):
        report = said(delivery("", f'{{"event":"deposit","user_id":"1","transaction_id":"t","amount":{value}}}'))
        assert report.problem is not None, value[:20]
    report = said(delivery("event=%FF%FE&user_id=%00&amount=%ED%A0%80&transaction_id=%0A"))
    assert report.problem == "event-unknown"


def test_mangled_postbacks_are_understood_or_refused_and_nothing_else() -> None:
    chance = random.Random(4)
    texts = [urlencode(fixture["query"] or fixture["form"] or {}) for fixture in FIXTURES.values()]
    texts += [json.dumps(fixture["json"]) for fixture in FIXTURES.values() if fixture["json"]]
    for _ in range(3000):
        mangled = bytearray(chance.choice(texts).encode())
        for _ in range(chance.randint(1, 6)):
            place = chance.randrange(len(mangled) + 1)
            mangled[place : place + chance.randint(0, 2)] = chance.randbytes(chance.randint(0, 3))
        body = bytes(mangled)
        query = body.decode("utf-8", "replace")
        for given in (delivery("", body), delivery(query), delivery(query, body)):
            for programme in (ONE_WIN, SIGNED):
                try:
                    verified = programme.verify(given)
                except DeliveryRejected:
                    continue
                report = programme.read(verified.kept or b"")
                assert len(verified.event_id) <= 255
                assert 1 <= len(report.key) <= 255
                assert (report.kind is not CasinoEventKind.UNKNOWN) or report.problem is not None
                assert report.amount is None or report.amount > 0


def test_an_amount_is_shown_as_people_read_it_and_exactly() -> None:
    def shown(amount: str, currency: str = "KZT") -> str:
        return str(CasinoMoney(Decimal(amount), currency)).replace("\u00a0", " ")

    assert shown("1000") == "1 000.00 KZT"
    assert shown("25.5", "USD") == "25.50 USD"
    assert shown("999999999999999.12345678") == "999 999 999 999 999.12345678 KZT"
    assert shown("0.10") == "0.10 KZT"
