"""Hostile updates: whatever is pressed, written or sent by whoever, nothing fails, no button is left spinning, no money
moves, and nobody sees or changes what is another's. FUZZ=long sends many more; SEED repeats a run."""

import asyncio
import json
import logging
import os
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count, islice

import aiohttp
import asyncpg
import pytest
from aiogram.filters import StateFilter
from aiogram.filters.callback_data import CallbackQueryFilter
from aiogram.fsm.state import State, StatesGroup

from bot.middlewares import BURST, PAUSE, PER_SECOND, UNFINISHED
from db.models import Role
from handlers.callbacks import Accept
from handlers.commands import ADMIN_COMMANDS, CASINO_COMMANDS, COMMANDS
from handlers.router import create_router
from sandbox import Person, Sandbox
from services.staff import rights
from tests import results
from tests.chat.conftest import SECRET, open_behind_webhook
from tests.chat.hostile import Json, contents, forged, kinds, senders, texts
from tests.chat.people import grown_up
from tests.chat.test_admin_doors import buttons, routers
from tests.chat.test_admin_doors import kinds as closed_kinds
from tests.unit.test_buttons import BUTTONS

LONG = os.environ.get("FUZZ") == "long"
SEED = int(os.environ.get("SEED", random.randrange(2**32) if LONG else 5))
PATIENCE = 28
"""Acts of one person, of two updates at most: who sends more than `BURST` at once is answered with a pause."""
AT_ONCE = 6
PLAYER, NEWCOMER, STRANGER, TYPING = "player", "newcomer", "stranger", "typing"
"""At the main menu; who has not taken the rules; who never wrote, so that nothing can be sent; amid a dialog."""
OUTSIDERS = (PLAYER, NEWCOMER, STRANGER, TYPING)
HERSELF = "the other player"
OTHER = "Зоя Тайная"
"""The player whose money, name and methods nobody else may see, or change."""
ACCOUNT = "952674853"
SECRETS = ("зоятайная", "zoya_tayna", "7313.37", "1919.19", "••8264", ACCOUNT)
TRACES = re.compile(r"Traceback|Error\b|Exception|\bNone\b|<class|object at 0x|asyncpg|pydantic|aiogram|\?\?\?")
FLEETING = {
    *("job", "ledger_unsealed", "ledger_seal", "house", "wallet_checkpoint", "operation_tally", "operation_tallied"),
}
"""Rows that come, go and change with time."""
GROWING = {
    *("users", "activity", "audit_log", "wallet_operations", "report", "wallet", "ledger_account"),
    *("casino_click", "channel_member", "outbox", "fsm_state", "told_lately"),
}
"""What anybody may add rows of their own to: visits, deposits that nobody paid, reports, empty wallets."""
DATA: Json = json.loads("""{
  "provider": "stripe", "currency": "USD", "keep": false, "card": 1, "purpose": "h", "filter": "ad-00a",
  "kind": "card", "network": null, "method": 1, "minor": 100, "operation": 1, "player": 1, "item": 1,
  "event": "Arsenal — Chelsea", "pick": "Arsenal wins", "odds": "1.5", "starts_at": "2030-01-01T00:00:00+00:00",
  "note": "x", "reason": "x",
  "draft": "abcdefgh", "nonce": "abcdefgh", "text": "x", "entities": [], "photo": null, "button": null,
  "asked": "bd:abcdefgh:t::::"
}""")
"""What a question may be about: the other player's things."""
MALFORMED = (
    (b"", 400),
    (b"null", 400),
    (b"1", 400),
    (b"{", 400),
    (b'{"update_id": "1"}', 400),
    (b'{"update_id": 1.5}', 400),
    (b'{"update_id": null}', 400),
    (b'{"update_id": NaN}', 400),
    (b'{"update_id": 1, "message": "\xff"}', 400),
    (b'{"update_id": 1, "x": ' + b"[" * 100_000, 400),
    (b'{"update_id": ' + b"9" * 5000 + b"}", 400),
    (b'{"update_id": 1, "x": ' + b"[" * 900 + b"]" * 900 + b"}", 200),
    (b'{"update_id": -1, "message": {}}', 200),
    (b'{"update_id": true}', 200),
    (b'{"update_id": ' + b"9" * 400 + b', "message": {}}', 200),
    (b'{"update_id": 1, "update_id": 2, "message": {"message_id": "\\ud800"}}', 200),
    (b'{"update_id": 1, "callback_query": {"id": 1e999}}', 200),
)
"""What somebody with the secret may send, and what it is answered."""
CLOSES_THE_HOUSE = "dh:1:1"
"""After that nobody is served, and nothing could be seen."""
UPDATES = count(2**40)


@dataclass(frozen=True)
class Act:
    """Something that somebody does; several updates come at once."""

    who: str | Role
    what: str
    updates: Callable[[Person], list[Json]]
    state: str | None = None
    """What was asked before; "": nothing, but what was said is remembered."""


def states() -> list[str]:
    return [str(state.state) for group in StatesGroup.__subclasses__() for state in group.__all_states__]


def press(data: str, *, message: bool | Json = True) -> Callable[[Person], list[Json]]:
    """A button of a message of the bot, or of one that is too old to be looked into, or of none."""

    def updates(person: Person) -> list[Json]:
        shown = person.last.raw if person.last else {"message_id": 1, "date": 0, "chat": person.chat}
        under = {"message": shown if message is True else message} if message else {"inline_message_id": "AAAA"}
        return [{"callback_query": {"id": "", "from": person.user, "chat_instance": "1", "data": data, **under}}]

    return updates


def twice(updates: Callable[[Person], list[Json]]) -> Callable[[Person], list[Json]]:
    """Pressed twice at once: two updates."""
    return lambda person: updates(person) * 2


def again(updates: Callable[[Person], list[Json]]) -> Callable[[Person], list[Json]]:
    """Delivered twice at once: the same update."""
    return lambda person: [{**update, "update_id": next(UPDATES)} for update in updates(person)] * 2


def write(content: Json) -> Callable[[Person], list[Json]]:
    def updates(person: Person) -> list[Json]:
        number = person.telegram.next_message_id()
        return [{"message": {"message_id": number, "date": 1, "from": person.user, "chat": person.chat, **content}}]

    return updates


@dataclass
class Siege:
    town: Sandbox
    books: "asyncpg.Connection[asyncpg.Record]"
    session: aiohttp.ClientSession
    sent: dict[int, Json] = field(default_factory=dict)
    pressed: Counter[str] = field(default_factory=Counter)
    people: list[tuple[str | Role, Person]] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    _people: Iterator[int] = field(default_factory=lambda: count(50_000))
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self, acts: list[Act]) -> None:
        """Everybody with the same acts behind them, some at once, and each for so long as no pause is due."""
        shares = defaultdict(list)
        for act in acts:
            shares[act.who].append(act)
        waiting = iter(
            [
                (who, mine[first : first + PATIENCE])
                for who, mine in shares.items()
                for first in range(0, len(mine), PATIENCE)
            ]
        )

        async def work() -> None:
            for who, share in waiting:
                await self.attack(who, share)

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))

    async def attack(self, who: str | Role, acts: list[Act]) -> None:
        person = await self.employ(who)
        for act in acts:
            if act.state is not None:
                await self.ask(person, act.state)
            await asyncio.gather(*(self.send(person, update) for update in act.updates(person)))
            self.done[act.what] += 1
        await self.is_served(person)
        if isinstance(who, Role):
            async with self._turn:
                await self.books.execute("DELETE FROM staff WHERE telegram_id = $1", person.id)

    async def employ(self, who: str | Role) -> Person:
        if who == HERSELF:
            return self.town.person(1001)
        number = next(self._people)
        person = self.town.person(number, f"Чужой {number}", started=who != STRANGER)
        self.people.append((who, person))
        if isinstance(who, Role):
            async with self._turn:
                await self.books.execute("INSERT INTO staff VALUES ($1, $2, 900)", number, who)
        if who != STRANGER:
            await self.send(person, *write({"text": "/start"})(person))
            if who != NEWCOMER:
                await self.send(person, *press(Accept().pack())(person))
        return person

    async def ask(self, person: Person, state: str) -> None:
        """As if this had been asked."""
        data = DATA | ({"event": 1} if "casino" in state else {})
        async with self._turn:
            await self.books.execute(
                "INSERT INTO fsm_state (key, state, data) VALUES ($1, $2, $3) ON CONFLICT (key)"
                " DO UPDATE SET state = excluded.state, data = excluded.data, updated_at = now()",
                f"{self.town.telegram.me['id']}:{person.id}:{person.id}:::default",
                state or None,
                json.dumps(data),
            )

    async def send(self, person: Person, update: Json) -> None:
        """Hands it to Telegram's door; a press gets a number of its own, so that it can be answered."""
        number = update.get("update_id") or next(UPDATES)
        update = {"update_id": number, **update}
        if isinstance(query := update.get("callback_query"), dict) and "id" in query:
            name = f"query-{number}"
            update["callback_query"] = {**query, "id": name}
            if name not in self.pressed:
                self.town.telegram.queries[name] = person
            self.pressed[name] += 1
        self.sent[number] = update
        body = json.dumps(update)
        async with self.session.post("telegram/webhook", data=body) as answer:
            assert (answer.status, await answer.read()) == (200, b"{}"), update

    async def is_served(self, person: Person) -> None:
        person.started = True
        seen = self.town.telegram.tick()
        await self.send(person, *write({"text": "/menu"})(person))
        news = [message for message in person.shown if message.changed > seen]
        places = {button.data for message in news for button in message.buttons}
        assert places & {"a", "o:balance:0"}, f"{person.transcript()}"


async def rows(books: "asyncpg.Connection[asyncpg.Record]") -> dict[str, Counter[str]]:
    tables = await books.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
    )
    return {
        table: Counter(row[0] for row in await books.fetch(f"SELECT t::text FROM {table} t"))
        for (table,) in tables
        if table not in FLEETING
    }


def twice_pressed(data: str) -> Callable[[Person], list[Json]]:
    return twice(press(data))


def legitimate(role: str | Role, data: str) -> bool:
    """Whether somebody with this role may press this button: then what it does is meant."""
    if not isinstance(role, Role):
        return False
    closed = CLOSED[role]
    for kind in BUTTONS:
        if kind.__prefix__ == data.partition(":")[0] and kind not in closed and "admin" in kind.__module__:
            try:
                kind.unpack(data)
            except (ValueError, TypeError):
                continue
            return True
    return False


CLOSED = {
    role: frozenset(closed_kinds(rights(role))) - frozenset(closed_kinds(rights(role), opened=True)) for role in Role
}


def hostile_buttons(chance: random.Random, each: int) -> Iterator[Act]:
    """Of every kind of button: others' things, and what was never drawn, in messages old and new, once and twice."""
    everybody: list[str | Role] = [*OUTSIDERS, *Role]
    real = [data for kind in BUTTONS for data in buttons(kind)]
    for kind in BUTTONS:
        drawn = buttons(kind)
        made: list[tuple[str | Role, str]] = [
            (PLAYER, data) for data in drawn[: (1 if "admin" in kind.__module__ else 4) * each]
        ]
        made += [
            (chance.choice(everybody), data) for data in [chance.choice(drawn), *forged(kind, real, chance, 2 * each)]
        ]
        for who, data in made:
            sender = PLAYER if legitimate(who, data) else who
            ways = [press(data)] * 6 + [press(data, message=False), twice(press(data)), again(press(data))]
            yield Act(sender, "buttons", chance.choice(ways), chance.choice(states()) if sender == TYPING else None)
        yield Act(chance.choice(OUTSIDERS), "buttons", old(chance.choice(drawn)))


def old(data: str) -> Callable[[Person], list[Json]]:
    return lambda person: press(data, message={"message_id": 1, "date": 0, "chat": person.chat})(person)


def hostile_messages(chance: random.Random, each: int) -> Iterator[Act]:
    """In the middle of every dialog, and of none: every kind of message."""

    for way in messages():
        yield Act(chance.choice(OUTSIDERS), "messages", way)
    for state in states():
        for way in chance.sample(messages(), each):
            yield Act(PLAYER, "messages in dialogs", way, state)


def messages() -> list[Callable[[Person], list[Json]]]:
    return [*(write({"text": text}) for text in texts()), *map(content, range(len(contents({"id": 0}, {}))))]


def content(place: int) -> Callable[[Person], list[Json]]:
    return lambda person: write(contents(person.user, person.chat)[place])(person)


def meant(chance: random.Random, each: int) -> Iterator[Act]:
    """What its sender may do, on things that are there: the staff in their rooms, the other player at home."""
    for kind in BUTTONS:
        drawn = [data for data in buttons(kind) if data != CLOSES_THE_HOUSE]
        may = [role for role in Role if "admin" in kind.__module__ and kind not in CLOSED[role]]
        for role in chance.sample(may, min(each, len(may))):
            for data in chance.sample(drawn, min(each, len(drawn))):
                yield Act(
                    role, "buttons of the staff", chance.choice([press, twice_pressed])(data), chance.choice([None, ""])
                )
    for state in states():
        for way in chance.sample(messages(), each):
            yield Act(Role.OWNER, "messages of the staff", way, state)
    for name, right in ADMIN_COMMANDS.items():
        for argument in chance.sample([*texts(), "1", "1001", "@zoya_tayna", "#1", "#2"], each):
            role = chance.choice([role for role in Role if right in rights(role)])
            yield Act(role, "commands of the staff", write({"text": f"/{name} {argument}"[:4096]}))
    own = [data for kind in BUTTONS if "admin" not in kind.__module__ for data in buttons(kind)]
    for data in chance.sample(own, PATIENCE):
        yield Act(HERSELF, "buttons of the other player", press(data))


def hostile_commands(chance: random.Random, each: int) -> Iterator[Act]:
    """Every command with what was never meant to stand behind it."""
    known = ["start", *COMMANDS, *CASINO_COMMANDS, *ADMIN_COMMANDS, "hologram", ""]
    links = [
        "paid_1",
        "paid_2",
        f"paid_{2**63}",
        f"paid_{'9' * 18}",
        "paid_-1",
        "paid_",
        "paid_\u0663",
        "x" * 64,
        "x" * 3000,
    ]
    for name in known:
        for _ in range(each):
            argument = chance.choice([*texts(), *links, "1", "1001", "@zoya_tayna", "#1", "#2"])
            command = chance.choice(
                [f"/{name} ", f"/{name.upper()} ", f"/{name}@looseline_bot ", f"/{name}@other_bot ", f"/{name}\n"]
            )
            who = chance.choice([*OUTSIDERS, *(role for role in Role if ADMIN_COMMANDS.get(name) not in rights(role))])
            yield Act(who, "commands", write({"text": (command + argument)[:4096]}))


def hostile_kinds() -> Iterator[Act]:
    """Updates of every kind, each from somebody who is known and from somebody who is not; and odd people."""
    for who in (PLAYER, STRANGER):
        for place in range(len(kinds({"id": 0}, {}))):
            yield Act(who, "other kinds of updates", another_kind(place))
            yield Act(who, "other kinds of updates", again(another_kind(place)))
        for place in range(len(senders(0))):
            yield Act(who, "odd people", odd_sender(place))


def another_kind(place: int) -> Callable[[Person], list[Json]]:
    return lambda person: [kinds(person.user, person.chat)[place]]


def odd_sender(place: int) -> Callable[[Person], list[Json]]:
    def updates(person: Person) -> list[Json]:
        sender = senders(person.id)[place]
        said = write({"text": "/start", "from": sender})(person)
        return [*said, {"callback_query": {**press("a")(person)[0]["callback_query"], "from": sender}}]

    return updates


@asynccontextmanager
async def besieged(database_url: str) -> AsyncIterator[Siege]:
    async with open_behind_webhook(
        database_url,
        METHOD_COOLING_HOURS="0",
        POSTBACK_TOKEN="sandbox-postback",
        POSTBACK_LINK="https://casino.example/?sub1={sub1}",
    ) as town:
        books = await asyncpg.connect(database_url)
        headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET, "Content-Type": "application/json"}
        async with aiohttp.ClientSession(f"{town.bot_url}/", headers=headers) as session:
            yield Siege(town, books, session)
        await books.close()


async def furnish(siege: Siege) -> None:
    """Something of the other player behind every number: a deposit, a card, methods, a withdrawal, a casino account."""
    town = siege.town
    boss = town.person(900, "Владелец")
    await boss.says("/start")
    await boss.sees("18")
    zoya = town.person(1001, OTHER, username="zoya_tayna")
    await grown_up(town, 1001, OTHER)
    await zoya.taps("p:stripe:USD:731337:abcdefgh:1")
    await zoya.sees("Оплатить")
    await town.stripe.pay(town.stripe.newest(), webhook="now", card="…4242")
    await zoya.sees("Зачислено")
    for number in ("8264", "8265"):
        await zoya.taps("wm:card:")
        await zoya.sees("последние четыре цифры")
        await zoya.says(f"{number} pt_zoya{number}")
        await zoya.sees("проверяет человек")
    await boss.taps("wx:1:v")
    await zoya.sees("проверены")
    await zoya.taps("wd:USD:1:191919:abcdefgh")
    await zoya.sees("Заявка № 2")
    await zoya.taps("ex:a:csv:7:abcdefgh")
    await zoya.wait_for(lambda message: message.file is not None)
    (click,) = [row[0] for row in await siege.books.fetch("SELECT click_id FROM casino_click")]
    await town.casino.fire("registration", user_id=ACCOUNT, sub1=click)
    await town.casino.fire("deposit", user_id="777", amount="five")
    await town.stripe.stray(5000, "usd")
    await zoya.wait_for(lambda message: "1Win" in message.text, old=True)
    await zoya.says("/start")
    await zoya.sees(OTHER)
    await zoya.says("/menu")
    await zoya.sees("Главное меню")
    await zoya.taps("kc:1win")
    await zoya.sees(ACCOUNT)
    await boss.says("/player 1001")
    await boss.sees(OTHER)


def seen(person: Person) -> str:
    """Everything that is or was shown to somebody, without spaces."""
    shown = [f"{message.text} {message.labels} {message.file.name if message.file else ''}" for message in person.shown]
    return re.sub(r"\s", "", " ".join([*shown, *(toast.text or "" for toast in person.toasts)])).casefold()


async def settled(siege: Siege) -> dict[str, Counter[str]]:
    """The same twice: nothing is under way any more."""
    before = await rows(siege.books)
    while (now := await rows(siege.books)) != before:
        before = now
        await asyncio.sleep(0.2)
    return now


def failures(siege: Siege, caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged as an error, each with the update it was about."""
    return [
        f"{siege.sent.get(getattr(record, 'update_id', 0))}: {logging.Formatter().format(record)}"
        for record in caplog.records
        if record.levelno >= logging.ERROR or record.exc_info
    ]


def traces(siege: Siege) -> list[str]:
    return [
        f"{who} {person.id}: {found.group()} in {message.text}"
        for who, person in siege.people
        for message in person.shown
        if (found := TRACES.search(message.text))
    ]


def unanswered(siege: Siege) -> list[Json]:
    return [
        siege.sent[int(name.removeprefix("query-"))]
        for name in siege.pressed
        if name not in siege.town.telegram.answers
    ]


def moved(before: dict[str, Counter[str]], after: dict[str, Counter[str]]) -> list[tuple[str, str]]:
    """Rows that are gone or changed, and new ones where nobody may add any."""
    lost = [(table, row) for table in before for row in before[table] - after[table]]
    return lost + [(table, row) for table in after if table not in GROWING for row in after[table] - before[table]]


async def wealth(siege: Siege) -> list[asyncpg.Record]:
    """What there is of money and is to become of it, where deposits that nobody paid count for nothing; what the other
    player was told, and what was noted about her."""
    return await siege.books.fetch(
        """
        SELECT 'wallet', user_id, currency, balance, locked_in_bets, pending_withdrawals, 0 FROM users_balance
          WHERE balance + locked_in_bets + pending_withdrawals > 0
        UNION ALL
        SELECT 'operation', user_id, status::text, amount_minor, 0, 0, operation_id FROM wallet_operations
          WHERE operation_type = 'withdrawal' OR status NOT IN ('created', 'pending', 'unknown', 'cancelled')
        UNION ALL
        SELECT 'told', chat_id, text_id, 0, 0, 0, id FROM outbox WHERE chat_id = 1001
        UNION ALL
        SELECT 'noted', user_id, action, 0, 0, 0, log_id FROM audit_log JOIN users ON users.id = user_id
          WHERE telegram_id = 1001
        ORDER BY 1, 2, 3, 7
        """
    )


def sound(siege: Siege, caplog: pytest.LogCaptureFixture, answered_before: int) -> None:
    """Nothing failed, nothing of our insides was shown, and each button was answered, once for each time it came."""
    failed = failures(siege, caplog)
    assert not failed, "\n\n".join(failed[:3])
    assert traces(siege) == []
    assert unanswered(siege) == []
    assert siege.town.calls["telegram", "answerCallbackQuery"] - answered_before == siege.pressed.total()


async def test_nothing_hostile_fails_moves_money_or_shows_what_is_anothers(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    chance = random.Random(SEED)
    print(f"SEED={SEED}")  # noqa: T201  shown when it fails
    more = 15 if LONG else 1
    async with besieged(database_url) as siege:
        await furnish(siege)
        allowed = seen(siege.town.person(1001)) + seen(siege.town.person(900))
        assert [word for word in SECRETS if word not in allowed] == []  # they are looked for as they are shown
        before, had = await settled(siege), await wealth(siege)
        answered = siege.town.calls["telegram", "answerCallbackQuery"]
        await siege.run([*hostile_buttons(chance, more), *hostile_messages(chance, 4 * more)])
        await siege.run([*hostile_commands(chance, 2 * more), *hostile_kinds()])
        after = await settled(siege)
        sound(siege, caplog, answered)
        assert moved(before, after) == []
        assert await wealth(siege) == had
        shown = [(who, word) for who, person in siege.people for word in SECRETS if word in seen(person)]
        assert shown == []

        # Money may move now, as it was meant to; the books are proven when the town closes.
        await siege.run(list(meant(chance, more)))
        sound(siege, caplog, answered)
    if LONG:
        figures(siege)


def figures(siege: Siege) -> None:
    lines = [f"| {what} | {number:,} |" for what, number in siege.done.items()]
    results.write(
        "Hostile updates",
        "make fuzz",
        f"Seed {SEED}: {len(siege.sent):,} updates by {len(siege.people):,} people, {siege.pressed.total():,} of them"
        " buttons. Logged errors 0, unanswered buttons 0, traces of our insides shown 0; of all that its sender may not"
        " do: others' rows changed 0, money moved 0, others' names and amounts shown 0; findings of `verify` 0.\n\n"
        + "\n".join(["| what was sent | acts |", "|---|---:|", *lines]),
    )


def test_every_button_and_every_question_is_among_what_is_tried() -> None:
    every = [
        handler
        for router in routers(create_router())
        for event in router.observers.values()
        for handler in event.handlers
    ]
    found = [filter_.callback for handler in every for filter_ in handler.filters or []]
    assert {one.callback_data for one in found if isinstance(one, CallbackQueryFilter)} == set(BUTTONS)
    asked = {
        str(state.state)
        for one in found
        if isinstance(one, StateFilter)
        for state in one.states
        if isinstance(state, State)
    }
    assert asked == set(states())


async def test_of_a_thousand_updates_few_are_answered_and_others_are_served(database_url: str) -> None:
    """But every button is: it would spin for ever."""
    async with besieged(database_url) as siege:
        mallory, ben = await siege.employ(PLAYER), await siege.employ(PLAYER)
        answered, told = siege.town.calls["telegram", "answerCallbackQuery"], len(mallory.shown)
        began = time.monotonic()
        updates = iter([way(mallory)[0] for _ in range(500) for way in (write({"text": "/menu"}), press("o:menu:1"))])

        async def pour(number: int) -> None:
            for update in islice(updates, number):
                await siege.send(mallory, update)

        await asyncio.gather(*(pour(10) for _ in range(50)))
        flood = [asyncio.create_task(pour(10)) for _ in range(50)]
        await siege.is_served(ben)
        assert not all(task.done() for task in flood)
        await asyncio.gather(*flood)
        took = time.monotonic() - began
        allowed = int(BURST + took * PER_SECOND + 1 + took / PAUSE)
        assert UNFINISHED <= len(mallory.shown) - told <= allowed
        assert unanswered(siege) == []
        assert siege.town.calls["telegram", "answerCallbackQuery"] - answered == 500
        assert sum("Слишком быстро" in str(toast.text) for toast in mallory.toasts) >= 500 - allowed


async def test_what_is_no_update_is_refused_or_let_go(database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    async with besieged(database_url) as siege:
        for body, status in MALFORMED:
            async with siege.session.post("telegram/webhook", data=body) as answer:
                assert answer.status == status, body[:50]
                assert not TRACES.search(await answer.text())
        assert failures(siege, caplog) == []
