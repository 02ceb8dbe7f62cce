"""A casino's affiliate programme: 1Win, and others that report alike.

No official page of 1Win's was found; how public bots use its postbacks is the base of this. Names and event words are
an alias table, so that another programme is a section of settings.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import parse_qsl

from db.models import CasinoEventKind
from services.errors import DeliveryForbidden, DeliveryForged, DeliveryMalformed, DoorClosed
from services.providers import Concern, Delivery, Verified

# What each field is called, ours first: where a report has several of them, the first is believed.
NAMES: Mapping[str, Sequence[str]] = {
    "event": ("event", "event_type", "type", "status", "et", "cnv_status"),
    "user_id": ("user_id", "player_id", "trader_id"),
    "amount": ("amount", "sum", "sumdep", "payout"),
    "sub1": ("sub1", "click_id", "clickid", "subid", "sub_id", "cid", "cnv_id", "source_id1"),
    "transaction_id": ("transaction_id", "txid", "tid", "trade_id", "reference_id"),
    "country": ("country", "geo"),
    "currency": ("currency",),
    "date": ("date", "timestamp"),
    "signature": ("signature",),
}
EVENTS: Mapping[str, Sequence[str]] = {
    "registration": ("registration", "reg", "lead", "signup", "sign_up", "register", "registered"),
    "first_deposit": ("first_deposit", "ftd", "fdp", "first_dep", "fd"),
    "deposit": ("deposit", "dep", "redep", "redeposit", "repeat_deposit", "rd", "sale"),
    "withdrawal": ("withdrawal", "withdraw", "wd"),
    "win": ("win",),
    # Beside another word these say that it did not happen, or not yet.
    "unknown": ("rejected", "declined", "cancelled", "canceled", "chargeback", "refund", "pending", "hold", "trash"),
}
ALIASED = (*NAMES, *(word for word in EVENTS if word != "unknown"))
"""What POSTBACK_ALIASES may translate to."""

_SIGNATURE_HEADERS = ("x-signature", "signature")
_MOST_PARAMETERS = 200
_MACRO = re.compile(r"[{}]|\[[a-z0-9_]+\]|%[a-z0-9_]+%", re.IGNORECASE)
"""A placeholder that the sender did not know stays as it was: `{amount}`."""
_NOBODY = frozenset({"", "0", "-", "null", "none", "nil", "undefined", "nan"})
_ID = re.compile(r"[A-Za-z0-9._:|@+=~-]{1,64}")
_CLICK_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CURRENCY = re.compile(r"[A-Z]{3,5}")
_COUNTRY = re.compile(r"[A-Za-z]{2,3}")
_SPACED = re.compile(r"[0-9]{1,3}(?:[ '][0-9]{3})+(?:[.,][0-9]+)?")
_PLAIN = re.compile(r"[0-9]+(?:[.,][0-9]+)?")
_GROUPED = re.compile(
    r"[0-9]{1,3}(?:(?:,[0-9]{3})+\.[0-9]+|(?:\.[0-9]{3})+,[0-9]+|(?:,[0-9]{3}){2,}|(?:\.[0-9]{3}){2,})"
)
_AMBIGUOUS = re.compile(r"[1-9][0-9]{0,2}[.,][0-9]{3}")
"""A thousand to some, one to others."""
_WHOLE_DIGITS, _FRACTION_DIGITS = 15, 8
_EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)
_LATEST = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CasinoReport:
    """What a programme says happened at the casino."""

    programme: str
    kind: CasinoEventKind
    key: str
    """The same for every report of the same thing, also under another event word."""
    fingerprint: str
    """The same for every delivery of the same report."""
    weak: bool
    """Without a transaction id: told apart by who, how much and when."""
    dated: bool
    """The casino says itself when it happened."""
    word: str
    """The event word as it came."""
    first: bool
    """The word says that it is the player's first deposit."""
    casino_id: str | None
    click_id: str | None
    amount: Decimal | None
    """Of `currency`, as the casino says; None: it says none, or nothing that is an amount."""
    currency: str
    country: str | None
    problem: str | None
    """Why it is only kept and shown (`amount-missing`); None: it counts."""
    occurred_at: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a postback said: each name in small letters with the first value it came with."""

    values: Mapping[str, str]
    contradictory: Sequence[str]
    """Names that came again with another value."""
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Programme:
    """The settings of one programme, and how its postbacks are verified and read."""

    name: str
    """In addresses and in the database: `1win`."""
    title: str
    """As people know it: `1Win`."""
    link: str | None
    """Where a player registers; the literal `{sub1}` in it becomes the click id. None: it is not offered."""
    tokens: Sequence[str]
    """The secret last part of the postback address; several while rotating."""
    secret: str | None
    """When set, postbacks must carry a valid HMAC-SHA256."""
    currency: str
    """Of amounts that come without one."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Their names and event words, in small letters, to ours; beside those everybody uses."""

    @property
    def secrets(self) -> list[str]:
        """Values that nobody is shown."""
        return [*self.tokens, *([] if self.secret is None else [self.secret])]

    def verify(self, delivery: Delivery) -> Verified:
        """Raises DoorClosed, DeliveryForbidden, DeliveryForged, DeliveryMalformed."""
        if not self.tokens:
            raise DoorClosed(self.name)
        # Every one is compared, so that the time tells nothing about which came close.
        if sum(_same(delivery.path_secret, token) for token in self.tokens) == 0:
            raise DeliveryForbidden("token")
        in_query, in_body = _query(delivery.query), _body(delivery.body, delivery.headers.get("content-type", ""))
        if self.secret is None:
            return self._taken([*in_query, *in_body], delivery, "token")
        signed = self._signed(in_query, in_body, delivery, self.secret)
        return self._taken(signed, delivery, "token, hmac")

    def trust(self, delivery: Delivery) -> Verified:
        """The same for a postback of our own making, in the sandbox: nobody has to prove anything."""
        return self._taken(_query(delivery.query), delivery, "sandbox")

    def _signed(
        self, in_query: list[tuple[str, str]], in_body: list[tuple[str, str]], delivery: Delivery, secret: str
    ) -> list[tuple[str, str]]:
        """What the signature covers, and nothing else. Raises DeliveryForged.

        In a header it is over the raw body; as a parameter over all others, sorted, as `name=value` joined by `&`.
        """
        headers = [delivery.headers[name] for name in _SIGNATURE_HEADERS if name in delivery.headers]
        if headers:
            if not _same(headers[0].strip().lower(), _hmac(secret, delivery.body)):
                raise DeliveryForged("signature")
            return in_body
        names, pairs = self._called("signature"), [*in_query, *in_body]
        given = [value for name, value in pairs if name.lower() in names]
        others = sorted({(name, value) for name, value in pairs if name.lower() not in names})
        text = "&".join(f"{name}={value}" for name, value in others).encode("utf-8", "surrogatepass")
        if len(set(given)) != 1 or not _same(given[0].strip().lower(), _hmac(secret, text)):
            raise DeliveryForged("signature")
        return pairs

    def _taken(self, pairs: Iterable[tuple[str, str]], delivery: Delivery, verified_by: str) -> Verified:
        parameters = self._merged(pairs, delivery.received_at)
        if not any(parameters.values.values()):
            raise DeliveryMalformed("nothing in it")
        report = self._report(parameters)
        return Verified(
            event_id=f"{report.word}:{report.fingerprint}",
            event_type=report.word or "-",
            payment_ref=None,
            verified_by=verified_by,
            concern=Concern.BELIEVE,
            kept=json.dumps(
                {
                    "received_at": parameters.received_at.isoformat(),
                    "parameters": parameters.values,
                    "contradictory": parameters.contradictory,
                }
            ).encode(),
        )

    def _merged(self, pairs: Iterable[tuple[str, str]], received_at: datetime) -> Parameters:
        values: dict[str, str] = {}
        contradictory: set[str] = set()
        hidden = self._called("signature")
        for raw_name, raw_value in pairs:
            name, value = _line(raw_name).lower()[:64], _line(raw_value)
            if name and name not in hidden and values.setdefault(name, value) != value:
                contradictory.add(name)
        return Parameters(values, sorted(contradictory), received_at)

    def _called(self, ours: str) -> list[str]:
        """What a field is called here: as the settings say, then as everybody does unless they say otherwise."""
        usual = [name for name in NAMES[ours] if name not in self.aliases]
        return [*(theirs for theirs, meant in self.aliases.items() if meant == ours), *usual]

    def parameters(self, kept: bytes) -> Parameters:
        """A kept delivery as it came, without its signature."""
        known = json.loads(kept)
        return Parameters(known["parameters"], known["contradictory"], datetime.fromisoformat(known["received_at"]))

    def read(self, kept: bytes) -> CasinoReport:
        """What a kept delivery says."""
        return self._report(self.parameters(kept))

    def _report(self, parameters: Parameters) -> CasinoReport:
        given = {ours: self._given(parameters, ours) for ours in NAMES}
        kind, first, event_problem = self._event(parameters)
        casino_id, click_id, who_problem = _who(given["user_id"], given["sub1"])
        amount, currency, amount_problem = _money(given["amount"], given["currency"], self.currency)
        if kind is CasinoEventKind.REGISTRATION:
            amount, amount_problem = None, None
        transaction = given["transaction_id"]
        # Some programmes repeat the click id there, for each deposit the same.
        if _nobody(transaction) or transaction in (given["sub1"], given["user_id"]):
            transaction = ""
        happened = _time(given["date"], parameters.received_at)
        problem = self._contradiction(parameters) or event_problem or who_problem or amount_problem
        # A registration is told apart by who registered, everything else without a number also by when.
        weak = not transaction and kind is not CasinoEventKind.REGISTRATION
        minute = parameters.received_at.replace(second=0, microsecond=0)
        when = (happened or minute) if weak else None
        raw = [given[name] for name in ("event", "user_id", "sub1", "amount", "currency")]
        fingerprint = _digest(kind, *raw, transaction, problem, when)
        who = casino_id or f"click:{click_id}"
        if problem is not None:
            key = f"odd:{fingerprint}"
        elif kind is CasinoEventKind.REGISTRATION:
            key = f"{kind}:{who}"
        elif transaction:
            key = f"{kind}:{transaction if len(transaction) <= 100 else _digest(transaction)}"
        else:
            key = f"{kind}:weak:{_digest(who, amount, currency, when)}"
        return CasinoReport(
            programme=self.name,
            kind=kind,
            key=key,
            fingerprint=fingerprint,
            weak=weak and problem is None,
            dated=happened is not None,
            word=given["event"][:40],
            first=first,
            casino_id=casino_id,
            click_id=click_id,
            amount=amount,
            currency=currency,
            country=given["country"].lower() if _COUNTRY.fullmatch(given["country"]) else None,
            problem=problem,
            occurred_at=happened or parameters.received_at,
            received_at=parameters.received_at,
        )

    def _given(self, parameters: Parameters, ours: str) -> str:
        """What came for a field, under the first of its names that has anything; else empty."""
        return next((parameters.values[name] for name in self._called(ours) if parameters.values.get(name)), "")

    def _contradiction(self, parameters: Parameters) -> str | None:
        """Two values for one name, of which one would have to be believed."""
        meant = {name for ours in NAMES if ours not in ("country", "date") for name in self._called(ours)}
        return None if meant.isdisjoint(parameters.contradictory) else "said-twice"

    def _event(self, parameters: Parameters) -> tuple[CasinoEventKind, bool, str | None]:
        """The kind, whether the word says first, and what is wrong with it."""
        words = [parameters.values[name] for name in self._called("event") if parameters.values.get(name)]
        if not words:
            return CasinoEventKind.UNKNOWN, False, "event-missing"
        meant = [self._meaning(word) for word in words]
        if meant[0] is None or meant[0] == "unknown":
            return CasinoEventKind.UNKNOWN, False, "event-unknown"
        kind = _kind(meant[0])
        if any(other is not None and _kind(other) is not kind for other in meant[1:]):
            return CasinoEventKind.UNKNOWN, False, "event-contradictory"
        return kind, "first_deposit" in meant, None

    def _meaning(self, word: str) -> str | None:
        """One of EVENTS; None: a word that nobody has told us about."""
        spoken = re.sub(r"[\s-]+", "_", word.lower())
        for theirs in (word.lower(), spoken):
            if self.aliases.get(theirs) in EVENTS:
                return self.aliases[theirs]
        return next((ours for ours, words in EVENTS.items() if spoken in words), None)


def _kind(meaning: str) -> CasinoEventKind:
    return CasinoEventKind.DEPOSIT if meaning == "first_deposit" else CasinoEventKind(meaning)


def _same(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode())


def _hmac(secret: str, data: bytes) -> str:
    return hmac.new(secret.encode(), data, hashlib.sha256).hexdigest()


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:32]


def _query(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, errors="replace", max_num_fields=_MOST_PARAMETERS)
    except ValueError as error:
        raise DeliveryMalformed("too many parameters") from error


def _body(body: bytes, content_type: str) -> list[tuple[str, str]]:
    """A form's fields or a JSON object's. Raises DeliveryMalformed."""
    try:
        text = body.decode().strip()
    except UnicodeDecodeError as error:
        raise DeliveryMalformed("not UTF-8") from error
    if "json" not in content_type.lower() and not text.startswith(("{", "[")):
        return _query(text)
    if not text:
        return []
    try:
        # Numbers stay as they are written: none of them passes through a float.
        found = json.loads(text, parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_Object)
    except (ValueError, RecursionError) as error:
        raise DeliveryMalformed("not JSON") from error
    if not isinstance(found, _Object) or len(found) > _MOST_PARAMETERS:
        raise DeliveryMalformed("not an object")
    return [(name, _scalar(value)) for name, value in found if value is not None]


class _Object(list[tuple[str, object]]):
    """A JSON object with all its names, also those that it has twice."""


def _scalar(value: object) -> str:
    match value:
        case str():
            return value
        case bool():
            return str(value).lower()
        case _:
            return "{…}"  # nothing that a postback says is an object or a list: unreadable like a macro


def _line(text: str) -> str:
    """In one line, without what cannot be seen or stored."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _nobody(text: str) -> bool:
    return text.lower() in _NOBODY or _MACRO.search(text) is not None


def _who(user_id: str, sub1: str) -> tuple[str | None, str | None, str | None]:
    """The account's number, the click id, and what is wrong."""
    click_id = sub1 if not _nobody(sub1) and _CLICK_ID.fullmatch(sub1) else None
    if _nobody(user_id):
        return None, click_id, None if click_id else "player-missing"
    if not _ID.fullmatch(user_id):
        return None, click_id, "player-unreadable"
    return user_id, click_id, None


def _money(amount: str, currency: str, usual: str) -> tuple[Decimal | None, str, str | None]:
    """An amount that is one in every reading, its currency, and what is wrong."""
    code = currency.upper() or usual
    if not _CURRENCY.fullmatch(code):
        return None, usual, "currency-unreadable"
    if not amount:
        return None, code, "amount-missing"
    if _MACRO.search(amount):
        return None, code, "amount-unresolved"
    if _AMBIGUOUS.fullmatch(amount):
        return None, code, "amount-ambiguous"
    number = _number(amount)
    if number is None:
        negative = amount[0] in "-−" and _number(amount[1:].strip()) is not None
        return None, code, "amount-not-positive" if negative else "amount-unreadable"
    whole, _, fraction = number.partition(".")
    if len(whole.lstrip("0")) > _WHOLE_DIGITS or len(fraction) > _FRACTION_DIGITS:
        return None, code, "amount-too-long"
    value = Decimal(f"{whole}.{fraction}".rstrip("0").rstrip("."))
    return (value, code, None) if value > 0 else (None, code, "amount-not-positive")


def _number(text: str) -> str | None:
    """What is written as a number, with a point and nothing between thousands: `1 000,50` is `1000.50`."""
    if _SPACED.fullmatch(text):
        text = text.replace(" ", "").replace("'", "")
    elif _GROUPED.fullmatch(text):
        text = text.replace(text.lstrip("0123456789")[0], "")
    return text.replace(",", ".") if _PLAIN.fullmatch(text) else None


def _time(text: str, received_at: datetime) -> datetime | None:
    """When it happened, by the casino's word: Unix seconds or milliseconds, or ISO 8601 with its zone."""
    try:
        if re.fullmatch(r"[0-9]{10}(?:[0-9]{3})?", text):
            found = datetime.fromtimestamp(int(text[:10]), UTC) + timedelta(milliseconds=int(text[10:] or 0))
        else:
            found = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    # Without a zone it would be a guess, and a time to come is none.
    if found.tzinfo is None or not _EARLIEST <= found <= received_at + _LATEST:
        return None
    return found.astimezone(UTC)
