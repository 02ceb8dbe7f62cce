"""Destinations: what a player types as the place to be paid at, read strictly: a wrong digit is money lost."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import assert_never

from Crypto.Hash import keccak
from stdnum import bitcoin, iban
from stdnum.exceptions import InvalidComponent, InvalidFormat, InvalidLength, ValidationError
from stdnum.iso7064 import mod_97_10

from db.models import MethodKind, Network
from services.errors import BadAccount, BadAddress, BadBic, BadCardToken, BadHolder, BadIban, FullCardNumber

LONGEST = 300
"""Whatever is longer is nothing of what is asked for."""

_HOLDER = re.compile(r"[^\W\d_](?:[^\W\d_]|[ .'’-]){0,78}[^\W\d_.]\.?")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,100}")
_SPACED = re.compile(r"[0-9]+(?:\W{1,3}[0-9]+)*")
_ADDRESS = re.compile(r"(?=[0-9]*[A-Za-z])[0-9A-Za-z]{25,}")  # an address with a slip; it has many digits in a row too
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32M = 0x2BC830A3  # https://github.com/bitcoin/bips/blob/master/bip-0350.mediawiki
_TRON, _BITCOIN = (0x41,), (0x00, 0x05)  # first byte of an address: TRON's; Bitcoin's to a key and to a script
# Places 6 to 8 of a Russian account; 810 is the rouble as account numbers still have it.
_CURRENCIES: Mapping[str, str] = {"810": "RUB", "643": "RUB", "840": "USD", "978": "EUR"}
_WEIGHTS = (7, 1, 3)
# The last three digits of the BIC of the Bank of Russia's own branches.
_CENTRAL_BANK = ("000", "001", "002")


@dataclass(frozen=True, slots=True)
class Destination:
    kind: MethodKind
    network: Network | None
    currency: str | None
    """The only wallet it can pay out; None: any."""
    fields: Mapping[str, str] = field(repr=False)
    """What is needed to pay: `iban`, `bic` and `account`, `last4` and `token`, `address`; `holder` when given."""
    masked: str

    @property
    def identity(self) -> str:
        """The same for the same destination however it was typed, and whoever is named as its holder."""
        where = {name: value for name, value in self.fields.items() if name != "holder"}
        return json.dumps([self.kind, self.network, where], sort_keys=True)


def read(kind: MethodKind, network: Network | None, text: str) -> Destination:
    """Reads a destination as typed: the details, and for bank accounts on a line of its own the holder's name.

    Raises BadIban, BadBic, BadAccount, BadHolder, BadCardToken, BadAddress, or FullCardNumber when a whole card number
    is in it.
    """
    text = unicodedata.normalize("NFKC", text[: LONGEST + 1]).strip()
    match kind:
        case MethodKind.IBAN:
            return _iban(text)
        case MethodKind.RU_ACCOUNT:
            return _ru_account(text)
        case MethodKind.CARD:
            return _card(text)
        case MethodKind.CRYPTO if network is not None:
            return _crypto(network, text)
        case MethodKind.CRYPTO:
            raise ValueError("a crypto address has a network")
        case _:
            assert_never(kind)


def refuse_card_number(text: str) -> None:
    """Raises FullCardNumber when 13 to 19 digits of a text, however spaced, could be a card number."""
    # Any script's digits, and one by one: a card number before its expiry date is one too.
    plain = "".join(str(unicodedata.decimal(sign)) if sign.isdecimal() else sign for sign in text)
    for run in _SPACED.findall(plain):
        if _holds_card_number(re.findall("[0-9]+", run)):
            raise FullCardNumber


def _holds_card_number(parts: Sequence[str]) -> bool:
    """Whether parts that follow one another make 13 to 19 digits with a right check digit. A message has room for
    thousands of parts, so nothing is added up twice."""
    digits = [int(digit) for part in parts for digit in part]
    twice = [sum(divmod(2 * digit, 10)) for digit in digits]
    # What the digits before each place come to when those at even, or at odd, places count once and the others twice.
    sums = [
        list(
            accumulate(
                (pair[(place + once) % 2] for place, pair in enumerate(zip(digits, twice, strict=True))), initial=0
            )
        )
        for once in range(2)
    ]
    ends = list(accumulate(map(len, parts)))
    for nth, begin in enumerate([0, *ends[:-1]]):
        for end in ends[nth:]:
            if end - begin > 19:
                break
            known = sums[(end - 1) % 2]  # the last digit counts once
            if end - begin >= 13 and (known[end] - known[begin]) % 10 == 0:
                return True
    return False


def refuse_bare_card_number(text: str) -> None:
    """The same for a text without a single letter: in others, digits that happen to fit are too common."""
    if not any(sign.isalpha() for sign in text):
        refuse_card_number(text)


def _holder(text: str) -> dict[str, str]:
    name = " ".join(text.split())
    if not name:
        return {}
    if not _HOLDER.fullmatch(name):
        refuse_card_number(name)
        raise BadHolder
    return {"holder": name}


# ---- IBAN: https://www.swift.com/standards/data-standards/iban-international-bank-account-number


def _iban(text: str) -> Destination:
    first, _, rest = text.partition("\n")
    number = re.sub(r"[\s.\-–]", "", first).upper().removeprefix("IBAN").removeprefix(":")
    if not re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{1,30}", number, re.ASCII):
        refuse_card_number(text)
        raise BadIban("shape", number[:2] if re.match("[A-Z]{2}", number) else "")
    country = number[:2]
    try:
        iban.validate(number)
        mod_97_10.validate(number[4:] + number[:4])
    except (InvalidLength, InvalidFormat) as error:
        raise BadIban("structure", country) from error
    except InvalidComponent as error:
        raise BadIban("country", country) from error
    except ValidationError as error:
        raise BadIban(_iban_problem(number), country) from error
    if not "02" <= number[2:4] <= "98":  # ISO 13616: others have the same remainder, and are never given out
        raise BadIban("checksum", country)
    return Destination(
        MethodKind.IBAN,
        None,
        None,
        {"iban": number, **_holder(rest)},
        f"{number[:4]} •••• {number[-4:]}",
    )


def _iban_problem(number: str) -> str:
    """A wrong checksum is said of a number of the right shape only: a digit too few is the more helpful word."""
    body = number[4:]
    try:
        iban.validate(number[:2] + mod_97_10.calc_check_digits(body + number[:2]) + body, check_country=False)
    except InvalidComponent:
        return "country"
    except ValidationError:
        return "structure"
    return "checksum"


# ---- a Russian account: the Bank of Russia's order 515 of 1997 says how its control key is made


def _ru_account(text: str) -> Destination:
    lines = [line for line in text.splitlines() if line.strip()]
    named = [line for line in lines if not re.search(r"\d", line)]
    numbers = "\n".join(line for line in lines if re.search(r"\d", line))
    parts = re.findall(r"[0-9]+", numbers, re.ASCII)
    for part in (*parts, *("".join(re.findall("[0-9]+", line)) for line in numbers.splitlines())):
        if _holds_card_number([part]):
            raise FullCardNumber
    bic, account = _bic_and_account(parts)
    if len(bic) != 9:
        raise BadBic("length" if bic else "missing", len(bic))
    if not bic.startswith("04"):
        raise BadBic("country", len(bic))
    if len(account) != 20:
        raise BadAccount("length" if account else "missing", len(account))
    if account[5:8] not in _CURRENCIES:
        raise BadAccount("currency", len(account))
    if account.startswith("301"):
        raise BadAccount("correspondent", len(account))
    if not _key_fits(bic, account):
        raise BadAccount("key", len(account))
    holder = _holder(" ".join(named[-1:])) if len(lines) > 1 else {}
    return Destination(
        MethodKind.RU_ACCOUNT,
        None,
        _CURRENCIES[account[5:8]],
        {"bic": bic, "account": account, **holder},
        f"{account[:5]} •••• {account[-4:]}, {bic}",
    )


def _bic_and_account(parts: list[str]) -> tuple[str, str]:
    """Nine digits and twenty, in either order, each perhaps in groups."""
    digits = "".join(parts)
    borders = {len("".join(parts[:count])) for count in range(1, len(parts))}
    if len(digits) == 29 and 9 not in borders and 20 in borders:
        return digits[20:], digits[:20]
    if 9 in borders:
        return digits[:9], digits[9:]
    if len(parts) < 2:
        # One number alone: which of the two is missing shows in its length.
        return ("", digits) if len(digits) >= 15 else (digits, "")
    return parts[0], "".join(parts[1:])


def _key_fits(bic: str, account: str) -> bool:
    branch = f"0{bic[4:6]}" if bic[6:] in _CENTRAL_BANK else bic[6:]
    digits = f"{branch}{account}"
    return sum(int(digit) * _WEIGHTS[place % 3] for place, digit in enumerate(digits)) % 10 == 0


# ---- a card, of which we want only what cannot pay: its last four digits, and the bank's token for it


def _card(text: str) -> Destination:
    refuse_card_number(text)
    parts = text.split()
    if len(parts) != 2:
        raise BadCardToken("shape")
    last4, token = parts
    if not re.fullmatch(r"[0-9]{4}", last4, re.ASCII):
        raise BadCardToken("ending")
    if not _TOKEN.fullmatch(token):
        raise BadCardToken("token")
    return Destination(MethodKind.CARD, None, None, {"last4": last4, "token": token}, f"•••• {last4}")


# ---- crypto addresses, each with the checksum of its network


def _crypto(network: Network, text: str) -> Destination:
    problem = _address_problem(network, text)
    if problem is not None:
        refuse_card_number(_ADDRESS.sub(" ", text))
        others = (other for other in Network if other is not network and _address_problem(other, text) is None)
        found = next(others, None)
        raise BadAddress(network, problem if found is None else "other", found or "")
    address = text.lower() if text[:3].lower() == "bc1" else text
    return Destination(
        MethodKind.CRYPTO,
        network,
        None,
        {"network": network, "address": address},
        f"{network} {address[:6]}…{address[-4:]}",
    )


def _address_problem(network: Network, text: str) -> str | None:
    match network:
        case Network.TRC20:
            return _tron_problem(text)
        case Network.ERC20:
            return _ethereum_problem(text)
        case Network.BTC:
            return _bitcoin_problem(text)
        case _:
            assert_never(network)


def _tron_problem(text: str) -> str | None:
    """https://developers.tron.network/docs/account#account-address-format"""
    if not re.fullmatch(rf"T[{_BASE58}]{{33}}", text, re.ASCII):
        return "shape"
    return _base58check_problem(text, _TRON)


def _ethereum_problem(text: str) -> str | None:
    """https://eips.ethereum.org/EIPS/eip-55: the capitals of the letters are the checksum."""
    if not re.fullmatch(r"0x[0-9A-Fa-f]{40}", text, re.ASCII):
        return "shape"
    digits = text[2:].lower()
    if not digits.strip("0"):
        return "nobody"
    marks = keccak.new(digest_bits=256, data=digits.encode()).hexdigest()
    checked = "".join(sign.upper() if mark >= "8" else sign for sign, mark in zip(digits, marks, strict=False))
    if text[2:] == checked:
        return None
    return "case" if text[2:] in (digits, digits.upper()) else "checksum"


def _bitcoin_problem(text: str) -> str | None:
    """Mainnet only. https://en.bitcoin.it/wiki/Invoice_address"""
    if re.match(r"(tb1|bcrt1)", text, re.IGNORECASE) or re.fullmatch(rf"[mn2][{_BASE58}]{{25,34}}", text, re.ASCII):
        return "testnet"
    if text[:3].lower() == "bc1":
        return _segwit_problem(text)
    if not re.fullmatch(rf"[13][{_BASE58}]{{24,34}}", text, re.ASCII):
        return "shape"
    return _base58check_problem(text, _BITCOIN)


def _base58check_problem(text: str, versions: tuple[int, ...]) -> str | None:
    decoded = bitcoin.b58decode(text)
    if len(decoded) != 25:
        return "shape"
    if hashlib.sha256(hashlib.sha256(decoded[:-4]).digest()).digest()[:4] != decoded[-4:]:
        return "checksum"
    if decoded[0] not in versions:
        return "shape"
    return None if decoded[1:-4].strip(b"\0") else "nobody"


def _segwit_problem(text: str) -> str | None:
    """BIP 173 for version 0, BIP 350 for version 1; nothing can be paid yet to later ones."""
    plain = text.lower()
    if text not in (plain, text.upper()):
        return "checksum"
    if not re.fullmatch(rf"bc1[{_BECH32}]{{11,87}}", plain, re.ASCII):
        return "shape"
    data = [_BECH32.index(sign) for sign in plain[3:]]
    if bitcoin.bech32_checksum([3, 3, 0, 2, 3, *data]) != (1 if data[0] == 0 else _BECH32M):  # 3 3 0 2 3: "bc"
        return "checksum"
    try:
        program = bitcoin.b32decode(data[1:-6])
    except ValidationError:
        return "shape"
    if (data[0], len(program)) not in ((0, 20), (0, 32), (1, 32)):
        return "shape"
    return None if program.strip(b"\0") else "nobody"
