"""Where players are paid, as they type it: read exactly, or refused with the one sentence that helps."""

import random

import pytest

from db.models import MethodKind, Network
from services.destinations import Destination, read, refuse_card_number
from services.errors import (
    BadAccount,
    BadAddress,
    BadBic,
    BadCardToken,
    BadHolder,
    BadIban,
    DomainError,
    FullCardNumber,
)

IBAN = "DE89370400440532013000"
BIC, ACCOUNT = "044525225", "40817810938160925982"
TRON = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
ETHEREUM = "0xdAC17F958D2ee523a2206206994597C13D831ec7"
LEGACY, SCRIPT = "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"
# https://github.com/bitcoin/bips/blob/master/bip-0350.mediawiki#test-vectors
SEGWIT = "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4"
TAPROOT = "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"
CARD = "4242424242424242"


def iban(text: str) -> Destination:
    return read(MethodKind.IBAN, None, text)


def account(text: str) -> Destination:
    return read(MethodKind.RU_ACCOUNT, None, text)


def card(text: str) -> Destination:
    return read(MethodKind.CARD, None, text)


def crypto(network: Network, text: str) -> Destination:
    return read(MethodKind.CRYPTO, network, text)


# ---- IBAN


@pytest.mark.parametrize(
    "typed",
    [
        IBAN,
        "DE89 3704 0044 0532 0130 00",
        "  de89-3704-0044-0532-0130-00 ",
        "IBAN: DE89 3704 0044 0532 0130 00",
        "DE89\u00a03704\u00a00044\u00a00532\u00a00130\u00a000",
        "ＤＥ８９ 3704 0044 0532 0130 00",
    ],
)
def test_an_iban_is_the_same_however_it_is_typed(typed: str) -> None:
    read = iban(typed)
    assert (read.fields, read.masked, read.currency) == ({"iban": IBAN}, "DE89 •••• 3000", None)
    assert read.identity == iban(IBAN).identity


@pytest.mark.parametrize(
    "typed",
    [
        "GB82WEST12345698765432",
        "FR1420041010050500013M02606",
        "NL91ABNA0417164300",
        "PL61109010140000071219812874",
        "KZ86125KZT5004100100",
        "ES9121000418450200051332",
        "NO9386011117947",
        "AT611904300234573201",
    ],
)
def test_ibans_of_other_countries_are_read(typed: str) -> None:
    assert iban(typed).fields["iban"] == typed


@pytest.mark.parametrize(
    ("typed", "problem", "country"),
    [
        ("", "shape", ""),
        ("hello", "shape", "HE"),
        ("DE", "shape", "DE"),
        ("DE8937040044053201300O", "structure", "DE"),
        ("DE89 3704 0044 0532 0130 01", "checksum", "DE"),
        ("DE98 3704 0044 0532 0130 00", "checksum", "DE"),
        ("DE89 3704 0044 0532 0130 0", "structure", "DE"),
        ("DE89 3704 0044 0532 0130 000", "structure", "DE"),
        ("XX82WEST12345698765432", "country", "XX"),
        ("US64SVBKUS6S3300958879", "country", "US"),
        ("ES9121000418450200051333", "checksum", "ES"),
        ("D€89 3704 0044 0532 0130 00", "shape", ""),
        ("DE89 3704 0044 0532 0130 00 DE89 3704 0044 0532 0130 00", "shape", "DE"),
        ("X" * 5000, "shape", "XX"),
    ],
)
def test_what_is_wrong_with_an_iban_is_said(typed: str, problem: str, country: str) -> None:
    with pytest.raises(BadIban) as refused:
        iban(typed)
    assert (refused.value.problem, refused.value.country) == (problem, country)


def test_one_wrong_digit_or_two_swapped_are_always_noticed() -> None:
    for place in range(4, len(IBAN)):
        for digit in "0123456789":
            wrong = IBAN[:place] + digit + IBAN[place + 1 :]
            if wrong != IBAN:
                with pytest.raises(BadIban):
                    iban(wrong)
    for place in range(4, len(IBAN) - 1):
        swapped = IBAN[:place] + IBAN[place + 1] + IBAN[place] + IBAN[place + 2 :]
        if swapped != IBAN:
            with pytest.raises(BadIban):
                iban(swapped)


def test_a_holder_stands_on_the_next_line_and_is_no_part_of_the_identity() -> None:
    named = iban(f"{IBAN}\n  Anna   O'Neil-Müller Jr. ")
    assert named.fields["holder"] == "Anna O'Neil-Müller Jr."
    assert named.identity == iban(IBAN).identity
    assert "Anna" not in named.masked
    assert account(f"{BIC} {ACCOUNT}\nИванова Анна Сергеевна").fields["holder"] == "Иванова Анна Сергеевна"


@pytest.mark.parametrize("name", ["<b>Anna</b>", "Anna 1", "A", "x" * 81, "Anna; DROP TABLE users", "-Anna"])
def test_a_holder_is_a_name(name: str) -> None:
    with pytest.raises(BadHolder):
        iban(f"{IBAN}\n{name}")


# ---- Russian accounts


@pytest.mark.parametrize(
    "typed",
    [
        f"{BIC} {ACCOUNT}",
        f"{ACCOUNT}\n{BIC}",
        f"БИК: {BIC}, р/с № {ACCOUNT}",
        f"БИК {BIC}\nСчёт 40817 810 9 3816 0925982",
        f"{BIC}\n\n{ACCOUNT}\n",
    ],
)
def test_a_russian_account_is_the_same_however_it_is_typed(typed: str) -> None:
    read = account(typed)
    assert read.fields == {"bic": BIC, "account": ACCOUNT}
    assert (read.currency, read.masked) == ("RUB", "40817 •••• 5982, 044525225")
    assert read.identity == account(f"{BIC} {ACCOUNT}").identity


def _keyed(bic: str, account: str) -> str:
    """The account with the control key (its ninth digit) that belongs to the BIC: the Bank of Russia's own way."""
    branch = f"0{bic[4:6]}" if bic[6:] in ("000", "001", "002") else bic[6:]
    digits = [int(digit) for digit in f"{branch}{account[:8]}0{account[9:]}"]
    lowest = sum(digit * weight % 10 for digit, weight in zip(digits, [7, 1, 3] * 8, strict=False)) % 10
    return f"{account[:8]}{lowest * 3 % 10}{account[9:]}"


@pytest.mark.parametrize(("code", "currency"), [("810", "RUB"), ("643", "RUB"), ("840", "USD"), ("978", "EUR")])
@pytest.mark.parametrize("bic", ["044525225", "044525974", "046577674", "044583001", "049205000"])
def test_accounts_of_banks_and_of_the_central_bank_have_their_key_and_currency(
    bic: str, code: str, currency: str
) -> None:
    for _ in range(20):
        number = _keyed(bic, f"40817{code}0{random.randrange(10**11):011}")
        assert account(f"{bic} {number}").currency == currency


def test_every_single_wrong_digit_of_an_account_is_noticed() -> None:
    for place in range(len(ACCOUNT)):
        for digit in "0123456789":
            wrong = ACCOUNT[:place] + digit + ACCOUNT[place + 1 :]
            if wrong != ACCOUNT:
                with pytest.raises(BadAccount):
                    account(f"{BIC} {wrong}")


@pytest.mark.parametrize(
    ("typed", "refusal", "problem", "digits"),
    [
        ("", BadBic, "missing", 0),
        ("hello", BadBic, "missing", 0),
        (ACCOUNT, BadBic, "missing", 0),
        (f"04452522 {ACCOUNT}", BadBic, "length", 8),
        (f"0445252251 {ACCOUNT}", BadBic, "length", 10),
        (f"144525225 {ACCOUNT}", BadBic, "country", 9),
        (BIC, BadAccount, "missing", 0),
        (f"{BIC} {ACCOUNT[:-1]}", BadAccount, "length", 19),
        (f"{BIC} {ACCOUNT}1", BadAccount, "length", 21),
        (f"{BIC} 40817156938160925982", BadAccount, "currency", 20),
        (f"{BIC} 30101810400000000225", BadAccount, "correspondent", 20),
        (f"044525974 {ACCOUNT}", BadAccount, "key", 20),
    ],
)
def test_what_is_wrong_with_a_russian_account_is_said(
    typed: str, refusal: type[BadBic | BadAccount], problem: str, digits: int
) -> None:
    with pytest.raises(refusal) as refused:
        account(typed)
    assert vars(refused.value) == {"problem": problem, "digits": digits}


# ---- cards


def test_a_card_is_its_last_digits_and_the_banks_token() -> None:
    read = card("4242 \n pt_1aB2-cD3")
    assert (read.fields, read.masked) == ({"last4": "4242", "token": "pt_1aB2-cD3"}, "•••• 4242")
    assert read.identity != card("4242 pt_1aB2-cD4").identity


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("", "shape"),
        ("4242", "shape"),
        ("4242 pt_1aB2cD3 extra", "shape"),
        ("42 pt_1aB2cD3", "ending"),
        ("42424 pt_1aB2cD3", "ending"),
        ("pt_1aB2cD3 4242", "ending"),
        ("4242 short", "token"),
        ("4242 " + "x" * 101, "token"),
        ("4242 pt_<script>", "token"),
        ("4242 pt_привет12", "token"),
    ],
)
def test_what_is_wrong_with_a_card_is_said(typed: str, problem: str) -> None:
    with pytest.raises(BadCardToken) as refused:
        card(typed)
    assert refused.value.problem == problem


@pytest.mark.parametrize(
    "typed",
    [
        CARD,
        "4242 4242 4242 4242",
        "4242-4242-4242-4242",
        "4242.4242.4242.4242",
        "4242\n4242\n4242\n4242",
        "4242 4242 4242 4242 12/29 123",
        "my card: 4242424242424242!",
        "card4242424242424242",
        "378282246310005",
        "3782 822463 10005",
        "2200 0000 0000 0053",
        "6304000000000000",
        "6759649826438453",
        "٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢",
        "４２４２４２４２４２４２４２４２",
    ],
)
@pytest.mark.parametrize(
    ("kind", "network"),
    [
        (MethodKind.IBAN, None),
        (MethodKind.CARD, None),
        *((MethodKind.CRYPTO, network) for network in Network),
    ],
)
def test_a_whole_card_number_is_refused_as_such_wherever_it_is_typed(
    kind: MethodKind, network: Network | None, typed: str
) -> None:
    with pytest.raises(FullCardNumber):
        read(kind, network, typed)
    with pytest.raises(FullCardNumber):
        refuse_card_number(typed)


@pytest.mark.parametrize(
    ("kind", "typed"),
    [
        (MethodKind.RU_ACCOUNT, CARD),
        (MethodKind.RU_ACCOUNT, f"{BIC} {CARD}"),
        (MethodKind.RU_ACCOUNT, f"{BIC}\n4242 4242 4242 4242"),
        (MethodKind.CARD, f"4242 pt_{CARD}"),
        (MethodKind.CARD, f"{CARD} pt_1aB2cD3"),
        (MethodKind.IBAN, f"{IBAN}\n{CARD}"),
    ],
)
def test_a_card_number_beside_something_else_is_refused_too(kind: MethodKind, typed: str) -> None:
    with pytest.raises(FullCardNumber):
        read(kind, None, typed)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rent for July",
        "4242 4242 4242 4241",  # no card's checksum
        "+7 999 123-45-67",
        "2026-11-20 12:00",
        "4242 4242 4242",
        "1234567890" * 2 + "123",
    ],
)
def test_what_is_no_card_number_may_be_said(text: str) -> None:
    refuse_card_number(text)


# ---- crypto


@pytest.mark.parametrize(
    ("network", "address", "masked"),
    [
        (Network.TRC20, TRON, "TRC20 TR7NHq…Lj6t"),
        (Network.ERC20, ETHEREUM, "ERC20 0xdAC1…1ec7"),
        # https://eips.ethereum.org/EIPS/eip-55
        (Network.ERC20, "0x52908400098527886E0F7030069857D2E4169EE7", "ERC20 0x5290…9EE7"),
        (Network.ERC20, "0xde709f2102306220921060314715629080e2fb77", "ERC20 0xde70…fb77"),
        (Network.ERC20, "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "ERC20 0x5aAe…eAed"),
        (Network.BTC, LEGACY, "BTC 1BvBMS…NVN2"),
        (Network.BTC, SCRIPT, "BTC 3J98t1…WNLy"),
        (Network.BTC, SEGWIT, "BTC bc1qw5…f3t4"),
        (Network.BTC, TAPROOT, "BTC bc1p0x…5jj0"),
    ],
)
def test_addresses_are_read(network: Network, address: str, masked: str) -> None:
    read = crypto(network, f" {address}\n")
    assert read.masked == masked
    assert read.fields["address"].lower() == address.lower()
    assert read.network is network


def test_an_address_in_capitals_is_the_same_destination() -> None:
    assert crypto(Network.BTC, SEGWIT).identity == crypto(Network.BTC, SEGWIT.lower()).identity


@pytest.mark.parametrize(
    ("network", "typed", "problem", "found"),
    [
        (Network.TRC20, "", "shape", ""),
        (Network.TRC20, TRON[:-1], "shape", ""),
        (Network.TRC20, TRON[:-1] + "u", "checksum", ""),
        (Network.TRC20, TRON.replace("7", "0"), "shape", ""),
        (Network.TRC20, ETHEREUM, "other", Network.ERC20),
        (Network.TRC20, LEGACY, "other", Network.BTC),
        (Network.ERC20, TRON, "other", Network.TRC20),
        (Network.ERC20, ETHEREUM.lower(), "case", ""),
        (Network.ERC20, "0x" + ETHEREUM[2:].upper(), "case", ""),
        (Network.ERC20, ETHEREUM.replace("dA", "Da"), "checksum", ""),
        (Network.ERC20, ETHEREUM[2:], "shape", ""),
        (Network.ERC20, ETHEREUM + "0", "shape", ""),
        (Network.ERC20, "0x" + "0" * 40, "nobody", ""),
        (Network.ERC20, SEGWIT, "other", Network.BTC),
        (Network.BTC, ETHEREUM, "other", Network.ERC20),
        (Network.BTC, LEGACY[:-1] + "3", "checksum", ""),
        (Network.BTC, "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn", "testnet", ""),
        (Network.BTC, "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", "testnet", ""),
        (Network.BTC, "1111111111111111111114oLvT2", "nobody", ""),
        (Network.BTC, SEGWIT[:-1] + "5", "checksum", ""),
        (Network.BTC, "bc1" + SEGWIT[3:], "checksum", ""),  # of two sizes
        (Network.BTC, TAPROOT[:-1] + "q", "checksum", ""),
        # version 1 with the checksum of version 0, and a version that nobody can spend yet
        (Network.BTC, "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd", "checksum", ""),
        (Network.BTC, "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y", "shape", ""),
        (Network.BTC, "BC1SW50QGDZ25J", "shape", ""),
        (Network.BTC, "bc1gmk9yu", "shape", ""),
    ],
)
def test_what_is_wrong_with_an_address_is_said(network: Network, typed: str, problem: str, found: str) -> None:
    with pytest.raises(BadAddress) as refused:
        crypto(network, typed)
    assert (refused.value.network, refused.value.problem, refused.value.found) == (network, problem, found)


@pytest.mark.parametrize(
    ("network", "address"), [(Network.TRC20, TRON), (Network.ERC20, ETHEREUM), (Network.BTC, LEGACY)]
)
def test_one_wrong_character_of_an_address_is_noticed(network: Network, address: str) -> None:
    for place in range(2, len(address)):
        for sign in "19afAF":
            wrong = address[:place] + sign + address[place + 1 :]
            if wrong != address:
                with pytest.raises(BadAddress):
                    crypto(network, wrong)


# ---- whatever the bytes


def test_whatever_is_typed_is_read_or_refused_and_nothing_else() -> None:
    chance = random.Random(7)
    alphabet = f"{IBAN}{BIC} \n\t-.,0123456789abcXYZ<>&'\"\0\u202e№ßÅ٣{TRON}{ETHEREUM}{TAPROOT}😀"
    seeds = (IBAN, f"{BIC} {ACCOUNT}", "4242 pt_1aB2cD3", TRON, ETHEREUM, LEGACY, TAPROOT)
    for _ in range(4000):
        text = list(chance.choice(seeds))
        for _ in range(chance.randrange(6)):
            text.insert(chance.randrange(len(text) + 1), chance.choice(alphabet))
            text.pop(chance.randrange(len(text)))
        for kind in MethodKind:
            try:
                made = read(kind, chance.choice(list(Network)) if kind is MethodKind.CRYPTO else None, "".join(text))
            except DomainError:
                continue
            assert 1 <= len(made.masked) <= 80
            hidden = made.fields.get("iban") or made.fields.get("account") or made.fields.get("address") or "token"
            assert hidden not in made.masked
            assert hidden not in repr(made)
