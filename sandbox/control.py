"""The Python methods over HTTP, for a world in a process of its own: POST /control/NAME with JSON arguments.

person(person, first_name, username, language_code, started) · say(person, text) · see(person, words, timeout)
press(person, button, timeout) · tap(person, data, message, timeout) · block, unblock, deactivate(person)
crowd(first, count, language_code, started): people with these ids · join, leave(person, channel) · messages(person)
seen(words): how many of the bot's messages with these words each person has
pay, decline, expire(provider, ref, webhook, copies, …) · settle(ref, …)
stray(provider, amount, …) · newest(provider) · events(provider, ref) · page(provider, ref)
refund, finish_refund(provider, ref, …) · dispute, close_dispute, escalate(ref, …) · cards(customer)
keep(customer, card) · unkeep, renew, delete_customer(ref, …) · spoil(provider, ref, reason) · revoke(ref)
casino_register(click_id, country) · casino_registered, casino_deposit, casino_withdraw, casino_win(player, amount, …)
casino_fire(event, user_id, amount, …)
fault(server, where, fault, times, chance, seconds, retry_after) · clear()
configure(bot_url, page_url, limits, rate, late_seconds, shuffle, refund_state, slow_charges, postback_token,
casino_secret) · GET /control/state
Answers {"result": …}, or 400 with {"error": …}, as when something was not seen in time.
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from aiohttp import web

from sandbox.deliveries import Raw
from sandbox.faults import KINDS, Fault
from sandbox.people import Message, Person
from sandbox.stripe import Stripe, StripeError
from sandbox.yookassa import YooKassa, YooKassaError

if TYPE_CHECKING:
    from sandbox.world import Sandbox

Json = dict[str, Any]


class Control:
    """Each public method is a command."""

    def __init__(self, world: "Sandbox") -> None:
        self._world = world

    def _who(self, telegram_id: int) -> Person:
        return self._world.telegram.people[telegram_id]

    def _provider(self, name: str) -> Stripe | YooKassa:
        providers: dict[str, Stripe | YooKassa] = {
            "stripe": self._world.stripe,
            "yookassa": self._world.yookassa,
        }
        return providers[name]

    def _shown(self, person: Person, message: Message) -> Json:
        return self._world.telegram.view(person, message)

    async def person(self, person: int, **known: Any) -> Json:
        return self._world.telegram.profile(self._world.person(person, **known))

    async def say(self, person: int, text: str) -> Json:
        return self._shown(self._who(person), await self._who(person).says(text))

    async def see(self, person: int, words: str, timeout: float = 10) -> Json:
        return self._shown(self._who(person), await self._who(person).sees(words, timeout))

    async def press(self, person: int, button: str, timeout: float = 10) -> Json:
        return asdict(await self._who(person).presses(button, timeout=timeout))

    async def tap(self, person: int, data: str, message: int | None = None, timeout: float = 10) -> Json:
        who = self._who(person)
        return asdict(await who.taps(data, on=who.find(message) if message else None, timeout=timeout))

    async def block(self, person: int) -> None:
        self._who(person).block()

    async def unblock(self, person: int) -> None:
        self._who(person).unblock()

    async def deactivate(self, person: int) -> None:
        self._who(person).deactivate()

    async def crowd(self, first: int, count: int, **known: Any) -> None:
        for telegram_id in range(first, first + count):
            self._world.person(telegram_id, f"Person {telegram_id}", **known)

    async def seen(self, words: str) -> dict[int, int]:
        people = self._world.telegram.people.values()
        return {person.id: sum(message.has(words) for message in person.shown) for person in people}

    async def join(self, person: int, channel: int | None = None) -> None:
        self._who(person).join(channel or self._world.channel_id)

    async def leave(self, person: int, channel: int | None = None) -> None:
        self._who(person).leave(channel or self._world.channel_id)

    async def messages(self, person: int) -> list[Json]:
        return [self._shown(self._who(person), message) for message in self._who(person).messages]

    async def pay(self, provider: str, ref: str, **how: Any) -> None:
        await self._provider(provider).pay(ref, **how)

    async def decline(self, provider: str, ref: str, **how: Any) -> None:
        await self._provider(provider).decline(ref, **how)

    async def expire(self, provider: str, ref: str, **how: Any) -> None:
        await self._provider(provider).expire(ref, **how)

    async def settle(self, ref: str, **how: Any) -> None:
        await self._world.stripe.settle(ref, **how)

    async def stray(self, provider: str, amount: int, **how: Any) -> str:
        return await self._provider(provider).stray(amount, **how)

    async def refund(self, provider: str, ref: str, **how: Any) -> str:
        return await self._provider(provider).refund(ref, **how)

    async def finish_refund(self, provider: str, ref: str, **how: Any) -> None:
        await self._provider(provider).finish_refund(ref, **how)

    async def dispute(self, ref: str, **how: Any) -> str:
        return await self._world.stripe.dispute(ref, **how)

    async def escalate(self, ref: str, **how: Any) -> None:
        await self._world.stripe.escalate(ref, **how)

    async def close_dispute(self, ref: str, **how: Any) -> None:
        await self._world.stripe.close_dispute(ref, **how)

    async def cards(self, customer: str) -> list[Json]:
        return self._world.stripe.cards(customer)

    async def keep(self, customer: str, **how: Any) -> str:
        return await self._world.stripe.keep(customer, **how)

    async def unkeep(self, ref: str, **how: Any) -> None:
        await self._world.stripe.unkeep(ref, **how)

    async def renew(self, ref: str, **how: Any) -> None:
        await self._world.stripe.renew(ref, **how)

    async def delete_customer(self, ref: str, **how: Any) -> None:
        await self._world.stripe.delete_customer(ref, **how)

    async def spoil(self, provider: str, ref: str, reason: str | None = "insufficient_funds") -> None:
        self._provider(provider).spoil(ref, reason)

    async def revoke(self, ref: str) -> None:
        self._world.yookassa.revoke(ref)

    async def casino_register(self, click_id: str | None = None, **how: Any) -> str:
        return self._world.casino.register(click_id, **how)

    async def casino_registered(self, player: str, **how: Any) -> list[Json]:
        return _raws(await self._world.casino.registered(player, **how))

    async def casino_deposit(self, player: str, amount: str | int, **how: Any) -> list[Json]:
        return _raws(await self._world.casino.deposit(player, amount, **how))

    async def casino_withdraw(self, player: str, amount: str | int, **how: Any) -> list[Json]:
        return _raws(await self._world.casino.withdraw(player, amount, **how))

    async def casino_win(self, player: str, amount: str | int, **how: Any) -> list[Json]:
        return _raws(await self._world.casino.win(player, amount, **how))

    async def casino_fire(self, event: str, **how: Any) -> list[Json]:
        return _raws(await self._world.casino.fire(event, **how))

    async def page(self, provider: str, ref: str) -> Json | None:
        return self._provider(provider).page(ref)

    async def newest(self, provider: str) -> str:
        return self._provider(provider).newest()

    async def events(self, provider: str, ref: str) -> list[Json]:
        return _raws(self._provider(provider).events(ref))

    async def fault(
        self,
        server: str,
        where: str,
        fault: str,
        times: int | None = None,
        chance: float = 1,
        **numbers: float,
    ) -> None:
        if fault not in KINDS:
            raise ValueError(f"fault must be one of {', '.join(KINDS)}")
        kind: Fault = getattr(Fault, fault)
        self._world.faults.add(server, where, kind(**numbers), times=times, chance=chance)  # type: ignore[arg-type]  # JSON numbers

    async def clear(self) -> None:
        self._world.faults.clear()

    async def configure(
        self,
        bot_url: str | None = None,
        page_url: str | None = None,
        limits: bool | None = None,
        rate: float | None = None,
        late_seconds: float | None = None,
        shuffle: bool | None = None,
        refund_state: str | None = None,
        slow_charges: bool | None = None,
        postback_token: str | None = None,
        casino_secret: str | None = None,
    ) -> None:
        world = self._world
        world.stripe.refund_state = refund_state or world.stripe.refund_state
        world.yookassa.refund_state = refund_state or world.yookassa.refund_state
        world.stripe.slow_charges = world.stripe.slow_charges if slow_charges is None else slow_charges
        world.bot_url = bot_url or world.bot_url
        world.page_url = page_url or world.page_url
        world.postback_token = postback_token or world.postback_token
        world.casino.secret = casino_secret or world.casino.secret
        world.telegram.rate = rate or world.telegram.rate
        world.telegram.limits = world.telegram.limits if limits is None else limits
        world.deliveries.late_seconds = world.deliveries.late_seconds if late_seconds is None else late_seconds
        world.deliveries.shuffle = world.deliveries.shuffle if shuffle is None else shuffle

    async def state(self) -> Json:
        world = self._world
        people = world.telegram.people.values()
        return {
            "people": {
                person.id: {
                    **world.telegram.profile(person),
                    "messages": await self.messages(person.id),
                    "toasts": [asdict(toast) for toast in person.toasts],
                }
                for person in people
            },
            "stripe": {
                "sessions": world.stripe.sessions,
                "intents": world.stripe.intents,
                "customers": world.stripe.customers,
                "methods": world.stripe.methods,
                "refunds": world.stripe.refunds,
                "disputes": world.stripe.disputes,
                "taken": world.stripe.taken(),
            },
            "yookassa": {
                "payments": world.yookassa.payments,
                "methods": world.yookassa.methods,
                "refunds": world.yookassa.refunds,
                "taken": world.yookassa.taken(),
            },
            "channels": {channel: sorted(members) for channel, members in world.telegram.channels.items()},
            "posts": [post.raw for post in world.telegram.posts],
            "casino": {
                "players": [asdict(player) for player in world.casino.players.values()],
                "fired": len(world.casino.log),
            },
            "deliveries": [asdict(attempt) for attempt in world.deliveries.log],
            "calls": {f"{server} {where}": count for (server, where), count in world.calls.items() if server},
        }


def _raws(raws: list[Raw]) -> list[Json]:
    return [{**raw._asdict(), "body": raw.body.decode()} for raw in raws]


def routes(world: "Sandbox") -> list[web.RouteDef]:
    control = Control(world)

    async def run(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        command: Callable[..., Awaitable[Any]] | None = (
            getattr(control, name, None) if not name.startswith("_") else None
        )
        if command is None:
            raise web.HTTPNotFound
        try:
            arguments = await request.json() if request.can_read_body else {}
            return web.json_response({"result": await command(**arguments)})
        except (
            ValueError,
            TypeError,
            LookupError,
            AssertionError,
            StripeError,
            YooKassaError,
        ) as error:
            return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)

    async def state(request: web.Request) -> web.Response:
        return web.json_response(await control.state())

    return [web.get("/control/state", state), web.post("/control/{name}", run)]
