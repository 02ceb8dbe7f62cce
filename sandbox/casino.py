"""A casino in miniature: tells its partner by postbacks, as 1Win's cabinet sends them, what his players do."""

import asyncio
import hashlib
import hmac
import json
import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypedDict, Unpack, get_args
from urllib.parse import urlencode

from sandbox.deliveries import Attempt, Deliveries, Notice, Raw, Webhook

PROGRAMME, TITLE = "1win", "1Win"
COUNTRY = "kz"
Body = Literal["query", "form", "json"]
BODIES: tuple[Body, ...] = get_args(Body)
Parameters = dict[str, str | int]


class How(TypedDict, total=False):
    """What a postback carries beside its event, player and amount, and how it travels; a None is left out."""

    sub1: str | None
    transaction_id: str | None
    country: str | None
    currency: str | None
    method: Literal["GET", "POST"]  # GET, which has everything in the query, unless there is another body
    body: Body
    webhook: Webhook
    copies: int


@dataclass
class CasinoPlayer:
    """Somebody with an account at the casino, perhaps come by a partner's link."""

    id: str
    click_id: str | None
    country: str
    deposits: int = 0


@dataclass
class Fired:
    """One postback, and what the bot answered each time it arrived."""

    parameters: Parameters
    raw: Raw
    at: float
    answers: list[Attempt] = field(default_factory=list)

    @property
    def event(self) -> str:
        return self.raw.event

    @property
    def status(self) -> int | None:
        return self.answers[-1].status if self.answers else None

    @property
    def answer(self) -> str:
        return self.answers[-1].answer if self.answers else ""


class Casino:
    """See the package docstring."""

    def __init__(self, deliveries: Deliveries, token: Callable[[], str]) -> None:
        self.players: dict[str, CasinoPlayer] = {}
        self.log: deque[Fired] = deque(maxlen=50_000)
        self.secret: str | None = None  # with one, each postback carries a signature
        self._deliveries, self._token = deliveries, token
        # Begins at the clock, so that a bot whose database outlives this process never meets a number twice
        self._last = int((time.time() - 1_700_000_000) * 10)

    def register(self, click_id: str | None = None, *, country: str = COUNTRY) -> str:
        """Opens an account and answers its number. Nobody is told yet, see registered()."""
        self._last += 1
        player = CasinoPlayer(str(self._last), click_id, country)
        self.players[player.id] = player
        return player.id

    async def registered(self, player: str, **how: Unpack[How]) -> list[Raw]:
        """Tells the bot of an account; again, or much later than its deposits, if you like."""
        known: How = {"transaction_id": None}
        return await self._tell(player, ["registration"], None, {**known, **how})

    async def deposit(
        self, player: str, amount: str | int, *, first: bool | None = None, both: bool = False, **how: Unpack[How]
    ) -> list[Raw]:
        """Tells of a deposit: of his `first` (None: if it is), or `both` as that and as a deposit, under one id."""
        who = self.players[player]
        events = ["first_deposit", "deposit"]
        if not both:
            events = ["first_deposit" if (who.deposits == 0 if first is None else first) else "deposit"]
        who.deposits += 1
        return await self._tell(player, events, amount, how)

    async def withdraw(self, player: str, amount: str | int, **how: Unpack[How]) -> list[Raw]:
        return await self._tell(player, ["withdrawal"], amount, how)

    async def win(self, player: str, amount: str | int, **how: Unpack[How]) -> list[Raw]:
        return await self._tell(player, ["win"], amount, how)

    async def fire(
        self, event: str, *, user_id: str | None = None, amount: str | int | None = None, **how: Unpack[How]
    ) -> list[Raw]:
        """Sends exactly this, whoever it is about; an int as `amount` is a number in JSON. ValueError: no such way."""
        return await self._send([self._postback(event, user_id, amount, how)], how)

    async def again(self, fired: Fired, *, webhook: Webhook = "now", copies: int = 5) -> list[Raw]:
        """Sends the same once more, as networks do."""
        return await self._send(
            [Fired(fired.parameters, fired.raw, time.time())], {"webhook": webhook, "copies": copies}
        )

    async def _tell(self, player: str, events: Sequence[str], amount: str | int | None, how: How) -> list[Raw]:
        who = self.players[player]
        known: How = {
            "sub1": who.click_id,
            "transaction_id": f"tx-{secrets.token_hex(8)}",
            "country": who.country,
            "currency": None,
        }
        how = {**known, **how}
        return await self._send([self._postback(event, player, amount, how) for event in events], how)

    def _postback(self, event: str, user_id: str | None, amount: str | int | None, how: How) -> Fired:
        body = how.get("body", "query")
        method = how.get("method", "GET" if body == "query" else "POST")
        if body not in BODIES or method not in ("GET", "POST") or (method == "GET" and body != "query"):
            raise ValueError(f"{method} with the values in {body}")
        values: dict[str, str | int | None] = {"event": event, "sub1": how.get("sub1"), "user_id": user_id}
        values |= {"country": how.get("country"), "amount": amount, "currency": how.get("currency")}
        values |= {"transaction_id": how.get("transaction_id")}
        parameters: Parameters = {name: value for name, value in values.items() if value is not None}
        if self.secret is not None:
            parameters["signature"] = signature(parameters, self.secret)
        path, content, headers = f"/postback/{PROGRAMME}/{self._token()}", "", {}
        if body == "query":
            path += f"?{urlencode(parameters)}"
        elif body == "form":
            content, headers = urlencode(parameters), {"Content-Type": "application/x-www-form-urlencoded"}
        else:
            content, headers = json.dumps(parameters), {"Content-Type": "application/json"}
        return Fired(parameters, Raw(event, content.encode(), headers, method, path), time.time())

    async def _send(self, fired: Sequence[Fired], how: How) -> list[Raw]:
        self.log.extend(fired)
        notices = [_notice(one) for one in fired]
        first = self._deliveries.post(notices, how.get("webhook", "now"), how.get("copies", 5))
        await asyncio.gather(*first, return_exceptions=True)
        return [one.raw for one in fired]


def signature(parameters: Parameters, secret: str) -> str:
    """Hex HMAC-SHA256 over the parameters sorted by name, as name=value joined by &."""
    text = "&".join(f"{name}={value}" for name, value in sorted(parameters.items()))
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def _notice(fired: Fired) -> Notice:
    raw, subject = fired.raw, str(fired.parameters.get("user_id", ""))
    return Notice(
        PROGRAMME, raw.event, subject, raw.body, lambda _: raw.headers, raw.method, raw.path, fired.answers.append
    )
