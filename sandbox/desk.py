"""The pages of what is around the bot: the casino's desk, where its postbacks are fired, and the channel."""

import asyncio
import re
import time
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from html import escape
from itertools import islice
from string import Template
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from aiohttp import web

from sandbox.casino import TITLE, CasinoPlayer, Fired, How
from sandbox.deliveries import Webhook
from sandbox.html import answer, page, words
from sandbox.people import Message, Person

if TYPE_CHECKING:
    from sandbox.world import Sandbox

# What the switches of the desk stand for
WEBHOOKS: dict[str, Webhook] = {"now": "now", "late": "late", "twice": "many", "never": "never"}
WAYS: dict[str, How] = {
    "get": {},
    "query": {"method": "POST"},
    "form": {"method": "POST", "body": "form"},
    "json": {"method": "POST", "body": "json"},
}
CURRENCIES = ("", "RUB", "USD", "EUR", "KZT", "XXX")
AMOUNTS = ("1000", "25.50", "1 000,50", "$25", "0", "-5", "1e3", "0.001", "99999999999999999999", "много", "{amount}")
EVENTS = ("first_deposit", "deposit", "both", "withdrawal", "win", "registration", "unknown")
SHOWN = 50  # players and people; of the deliveries and posts the newest 30
PATIENCE = 2  # seconds in which the bot's answer is awaited before the page comes back


class Desk:
    def __init__(self, world: "Sandbox") -> None:
        self._world = world

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/casino", self.casino),
            web.post("/casino", self.fire),
            web.get("/channel", self.channel),
            web.post("/channel", self.move),
        ]

    # The casino

    async def casino(self, request: web.Request) -> web.Response:
        texts, casino, click = words(request, "desk.json"), self._world.casino, request.query.get("sub1", "")
        players, known = islice(reversed(casino.players.values()), SHOWN), self._clicked()
        mine = [player.id for player in casino.players.values() if click and player.click_id == click]
        came = f"{escape(texts['came_by'])} <code>{escape(click)}</code>" if click else escape(texts["no_link"])
        return answer(
            Template(page("casino.html")).substitute(
                {name: escape(text) for name, text in texts.items()},
                brand=TITLE,
                came=came,
                accounts=escape(f"{texts['accounts']}: {', '.join(mine)}" if mine else ""),
                register="register" if click else "stranger",
                register_label=escape(texts["register" if click else "stranger"]),
                amounts="".join(f"<option>{escape(amount)}</option>" for amount in AMOUNTS),
                currencies="".join(
                    f'<option value="{code}">{code or escape(texts["no_currency"])}</option>' for code in CURRENCIES
                ),
                webhooks=_radios("webhook", tuple(WEBHOOKS), texts),
                ways=_radios("way", tuple(WAYS), texts),
                players="".join(_player(player, known.get(player.click_id or ""), texts) for player in players)
                or f'<p class="none">{escape(texts["nobody"])}</p>',
                fired="".join(_fired(fired, texts) for fired in islice(reversed(casino.log), 30))
                or f'<p class="none">{escape(texts["nothing"])}</p>',
            )
        )

    def _clicked(self) -> dict[str, Person]:
        """Who was shown which click id in a link to the casino."""
        return {
            click: person
            for person in self._world.telegram.people.values()
            for message in person.messages
            for link in _links(message)
            for click in parse_qs(urlsplit(link).query).get("sub1", ())
        }

    async def fire(self, request: web.Request) -> web.Response:
        """What was pressed on the desk: "deposit 952674853"; afterwards the page as it is then."""
        form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        action, _, player = form.get("do", "").partition(" ")
        coming = self._asked(action, player, form, request.query.get("sub1"))
        # One who presses does not wait for a bot that hangs
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await coming
        raise web.HTTPSeeOther(request.rel_url)

    def _asked(self, action: str, player: str, form: dict[str, str], click: str | None) -> Coroutine[Any, Any, object]:
        casino, how = self._world.casino, _how(form)
        if action in ("register", "stranger"):
            player = casino.register(click if action == "register" else None)
            return casino.registered(player, **how)
        if action == "again" and casino.log:
            return casino.again(casino.log[-1], webhook=how.get("webhook", "now"), copies=2)
        if action not in EVENTS or player not in casino.players:
            raise web.HTTPBadRequest
        amount: str | int = form.get("amount", "")
        if how.get("body") == "json" and re.fullmatch("[1-9][0-9]{0,15}", str(amount)):
            amount = int(amount)  # as a cabinet writes a whole number in JSON
        if "macros" in form:
            unresolved: How = {**how, "sub1": "{sub1}", "transaction_id": "", "country": "{country}"}
            event = "deposit" if action == "both" else action
            return casino.fire(event, user_id="{user_id}", amount="{amount}", **unresolved)
        match action:
            case "registration":
                return casino.registered(player, **how)
            case "withdrawal":
                return casino.withdraw(player, amount, **how)
            case "win":
                return casino.win(player, amount, **how)
            case "unknown":
                who = casino.players[player]
                about: How = {"sub1": who.click_id, "country": who.country, **how}
                return casino.fire("jackpot_spin", user_id=player, amount=amount, **about)
            case _:
                return casino.deposit(player, amount, first=action == "first_deposit", both=action == "both", **how)

    # The channel

    async def channel(self, request: web.Request) -> web.Response:
        telegram, texts = self._world.telegram, words(request, "desk.json")
        channel = telegram.channel(str(self._world.channel_id))
        if channel is None:
            raise web.HTTPNotFound
        members = telegram.channels[channel.id]
        asked = request.query.get("person", "")
        people = sorted(islice(telegram.people.values(), SHOWN), key=lambda person: str(person.id) != asked)
        return answer(
            Template(page("channel.html")).substitute(
                {name: escape(text) for name, text in texts.items()},
                title=escape(channel.title),
                letter=escape(channel.title[0]),
                username=escape(channel.username or ""),
                members=len(members),
                people="".join(_member(person, person.id in members, texts) for person in people),
                posts="".join(_post(post) for post in telegram.posts[-30:] if post.raw["chat"]["id"] == channel.id)
                or f'<p class="none">{escape(texts["no_posts"])}</p>',
            )
        )

    async def move(self, request: web.Request) -> web.Response:
        """What was pressed in the channel: "join 1001" or "leave 1001"."""
        action, _, name = str((await request.post()).get("do", "")).partition(" ")
        person = self._world.telegram.people.get(int(name)) if name.isdecimal() else None
        if person is None or action not in ("join", "leave"):
            raise web.HTTPBadRequest
        (person.join if action == "join" else person.leave)(self._world.channel_id)
        raise web.HTTPSeeOther(request.rel_url)


def _how(form: dict[str, str]) -> How:
    """The desk's switches; what they leave alone is as the casino has it."""
    how: How = {"webhook": WEBHOOKS.get(form.get("webhook", ""), "now"), "copies": 2}
    how = {**how, **WAYS.get(form.get("way", ""), {})}
    if form.get("currency") in CURRENCIES[1:]:
        how["currency"] = form["currency"]
    if "no_sub1" in form:
        how["sub1"] = None
    elif click := form.get("other_sub1", "").strip():
        how["sub1"] = click
    if "no_transaction" in form:
        how["transaction_id"] = None
    elif transaction := form.get("transaction", "").strip():
        how["transaction_id"] = transaction
    return how


def _links(message: Message) -> Iterator[str]:
    yield from (button.url for button in message.buttons if button.url)
    yield from (entity["url"] for entity in message.entities if "url" in entity)


def _radios(name: str, values: tuple[str, ...], texts: dict[str, str]) -> str:
    return "".join(
        f'<label><input type="radio" name="{name}" value="{value}"{" checked" if not index else ""}>'
        f"<span>{escape(texts[value])}</span></label>"
        for index, value in enumerate(values)
    )


def _player(player: CasinoPlayer, person: Person | None, texts: dict[str, str]) -> str:
    who = person.first_name if person else texts["unknown_person" if player.click_id else "a_stranger"]
    click = f"<code>{escape(player.click_id)}</code>" if player.click_id else ""
    buttons = "".join(
        f'<button name="do" value="{event} {player.id}">{escape(texts[event])}</button>' for event in EVENTS
    )
    return f'<li><b>№ {player.id}</b> <span>{escape(who)}</span> {click}<div class="acts">{buttons}</div></li>'


def _fired(fired: Fired, texts: dict[str, str]) -> str:
    values = " ".join(f"{name}={value}" for name, value in fired.parameters.items() if name != "event")
    way = f"{fired.raw.method} {fired.raw.headers.get('Content-Type', '').rpartition('/')[2]}".strip()
    answers = ", ".join(f"{answer.status or texts['silent']} {answer.answer[:60]}" for answer in fired.answers)
    state = "good" if fired.status == 200 else "bad" if fired.answers else "waiting"
    clock = time.strftime("%H:%M:%S", time.localtime(fired.at))
    return (
        f'<li class="{state}"><b>{escape(fired.event)}</b> <small>{clock} · {escape(way)}</small>'
        f"<code>{escape(values)}</code><span>{escape(answers or texts['on_its_way'])}</span></li>"
    )


def _member(person: Person, inside: bool, texts: dict[str, str]) -> str:
    action = "leave" if inside else "join"
    handle = f"@{person.username}" if person.username else str(person.id)
    return (
        f'<li><b>{escape(person.first_name)}</b> <small>{escape(handle)}</small><div class="acts">'
        f'<button name="do" value="{action} {person.id}">{escape(texts[action])}</button></div></li>'
    )


def _post(post: Message) -> str:
    picture = f'<img src="file/{post.file.id}" alt="">' if post.file and "photo" in post.raw else ""
    return f"<li>{picture}<p>{escape(post.text)}</p></li>"
