"""What an admin sees of a delivery: enough to understand it, and nothing that could be used."""

import json

import pytest

from services.masking import HIDDEN, LONGEST_TEXT, masked, readable

SECRETS = ["sk_test_1234567890", "whsec_abc"]


def shown(value: object) -> object:
    return json.loads(masked(value, SECRETS))


@pytest.mark.parametrize(
    "name",
    [
        *("client_secret", "stripe-signature", "Signature", "apiKey", "API_KEY", "access_token", "cardNumber", "card"),
        *("email", "customer_email", "phone", "msisdn", "first_name", "cardholder_name", "fullName", "billing_address"),
        *("password", "account_number", "iban", "ip", "client_ip", "cvc"),
    ],
)
def test_a_field_that_is_nobodys_business_is_hidden_with_all_that_is_in_it(name: str) -> None:
    for value in ("value", 7, {"deep": ["value"]}, ["value"], True):
        assert shown({"id": "pi_1", name: value}) == {"id": "pi_1", name: HIDDEN}
    assert shown({name: None, f"{name}": ""}) == {name: ""}


def test_what_explains_a_delivery_stays() -> None:
    told = {
        "id": "pi_1",
        "amount": 5000,
        "currency": "usd",
        "status": "paid",
        "sub1": "x7",
        "metadata": {"operation_id": 7},
    }
    assert shown(told) == told


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("write to anna@example.com now", f"write to {HIDDEN} now"),
        ("card 4242 4242 4242 4242.", f"card {HIDDEN}."),
        ("4242424242424242", HIDDEN),
        ("call +7 (912) 345-67-89", f"call {HIDDEN}"),
        ("Bearer sk_test_1234567890", f"Bearer {HIDDEN}"),
        ("order 1234567890123", "order 1234567890123"),
    ],
)
def test_what_gives_somebody_away_is_hidden_wherever_it_stands(text: str, hidden: str) -> None:
    assert shown({"description": text}) == {"description": hidden}
    assert shown([text]) == [hidden]


def test_a_number_that_could_be_a_card_is_hidden_and_a_chat_is_not() -> None:
    assert shown({"a": 4242424242424242, "b": -1001234567890, "c": 123456789}) == {
        "a": HIDDEN,
        "b": -1001234567890,
        "c": 123456789,
    }


def test_json_in_a_text_is_looked_into() -> None:
    assert shown({"data": '{"email": "a", "id": 1}'}) == {"data": {"email": HIDDEN, "id": 1}}
    assert shown({"data": "{not json"}) == {"data": "{not json"}


def test_json_and_forms_are_read_and_nothing_else() -> None:
    assert readable(b'{"event": "deposit"}', []) == '{\n "event": "deposit"\n}'
    assert json.loads(readable(b"event=deposit&email=a%40b.ru&amount=", []) or "") == {
        "event": "deposit",
        "email": HIDDEN,
        "amount": "",
    }
    for odd in (b"", b"\xff\xfe", b"\x00\x01", b"plain words", b"<xml/>", b"1" * 5000, b"[" * 100_000, b"&&=="):
        assert readable(odd, []) is None or "\x00" not in (readable(odd, []) or "")


def test_whatever_it_is_it_can_be_shown() -> None:
    for hostile in (
        {"a": "\ud800"},
        {"a": "\u202e\u0000\x1b[2J"},
        {"<b>": "</pre>"},
        {"a": "x" * 10**6},
        {str(number): "y" * 100 for number in range(1000)},
        json.loads("[" * 400 + "]" * 400),
        float("nan"),
    ):
        text = masked(hostile, SECRETS)
        assert len(text) <= LONGEST_TEXT + 1
        text.encode()
        assert all(letter.isprintable() or letter == "\n" for letter in text)


def test_a_secret_inside_another_leaves_nothing_of_it_behind() -> None:
    assert masked(["abcdef"], ["abc", "abcdef", ""]) == f'[\n "{HIDDEN}"\n]'
