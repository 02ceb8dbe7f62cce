"""Every button, command and question of the staff's rooms, tried by players and by each role without the right: nothing
opens, nothing moves. What there is, is found in the routers, so a new room is tried by itself."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from enum import Enum
from itertools import islice, product
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, get_args, get_origin

import asyncpg
import pytest
from aiogram import Router
from aiogram.filters import Command, MagicData, StateFilter
from aiogram.filters.callback_data import CallbackData, CallbackQueryFilter
from aiogram.fsm.state import State
from magic_filter import AttrDict
from pydantic import TypeAdapter, ValidationError

from db.models import Role
from handlers.admin import router as admin
from handlers.callbacks import Open, Speak
from handlers.commands import ADMIN_COMMANDS
from sandbox import Message, Person, Sandbox
from services.staff import Right, rights
from tests.chat.conftest import open_town
from tests.chat.people import asks_to_pay, grown_up

AT_ONCE = 45
"""Who presses too fast is answered with a pause, so many buttons are pressed by one person."""
MOST = 60
"""Buttons pressed on a walk."""
WITHOUT = (None, Role.CASHIER, Role.SUPPORT, Role.EDITOR)
"""Who lacks some right: players, and each role but the owners'."""
PLAYERS_OWN = frozenset(kind.__prefix__ for kind in (Open, Speak))
VALUES = ("abcdefgh", "USD", "stripe", "a", "1", "7d", "ad-00a")
"""What a text in a button may be; the first that its type takes is tried."""


@pytest.fixture
async def town(database_url: str) -> AsyncIterator[Sandbox]:
    async with open_town(database_url, ADMIN_IDS="900,901", METHOD_COOLING_HOURS="0") as world:
        yield world


def routers(router: Router) -> Iterator[Router]:
    yield router
    for inner in router.sub_routers:
        yield from routers(inner)


def rooms(event: str, rights: frozenset[Right], *, opened: bool) -> list[Router]:
    """The staff's routers whose doors are open, or closed, to who has these rights."""
    return [
        router
        for router in routers(admin.create_router())
        if router.observers[event].handlers and _lets_in(router, event, rights) == opened
    ]


def _lets_in(router: Router, event: str, rights: frozenset[Right]) -> bool:
    locks = [filter_.callback for filter_ in router.observers[event]._handler.filters or []]
    return all(lock.magic_data.resolve(AttrDict({"rights": rights})) for lock in locks if isinstance(lock, MagicData))


def filters(event: str, kind: type[Any], rights: frozenset[Right], *, opened: bool = False) -> list[Any]:
    """All filters of a kind before the handlers of an event, in the rooms that are closed to who has these rights."""
    return [
        filter_.callback
        for router in rooms(event, rights, opened=opened)
        for handler in router.observers[event].handlers
        for filter_ in handler.filters or []
        if isinstance(filter_.callback, kind)
    ]


def kinds(rights: frozenset[Right], *, opened: bool = False) -> list[type[CallbackData]]:
    found = {filter_.callback_data for filter_ in filters("callback_query", CallbackQueryFilter, rights, opened=opened)}
    return sorted(found, key=lambda kind: kind.__prefix__)


def commands(rights: frozenset[Right]) -> list[str]:
    found = {str(name) for filter_ in filters("message", Command, rights) for name in filter_.commands}
    return sorted(found | {name for name, right in ADMIN_COMMANDS.items() if right not in rights})


def questions(rights: frozenset[Right]) -> list[str]:
    states = [state for filter_ in filters("message", StateFilter, rights) for state in filter_.states]
    return sorted({str(state.state) for state in states if isinstance(state, State)})


def values(annotation: Any) -> list[Any]:
    """What a field may hold: everything, where that is little, else what exists here."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return values(arguments[0]) if arguments[0] is not str else [annotation]
    if isinstance(annotation, UnionType) or (origin is not None and NoneType in arguments):
        return [each for argument in arguments for each in values(argument)]
    if origin is Literal:
        return list(arguments)
    if annotation is NoneType:
        return [None]
    if annotation is bool:
        return [False, True]
    if annotation is int:
        return [1, 2]
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return list(annotation)
    return [annotation]


def buttons(kind: type[CallbackData]) -> list[str]:
    fields = []
    for field in kind.model_fields.values():
        annotation = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
        fields.append([usable for value in values(annotation) for usable in _usable(annotation, value)])
    made = []
    for chosen in islice(product(*fields), 20):
        try:
            made.append(kind(**dict(zip(kind.model_fields, chosen, strict=True))).pack())
        except ValidationError:
            continue  # these do not go together
    assert made, f"no button of {kind.__name__} could be made"
    return made


def _usable(annotation: Any, value: Any) -> list[Any]:
    """The value when its field takes it; for a field of texts the first text that it takes."""
    adapter: TypeAdapter[Any] = TypeAdapter(annotation)
    tried = VALUES if value is annotation or get_origin(value) is Annotated or isinstance(value, type) else (value,)
    for each in tried:
        try:
            adapter.validate_python(each)
        except ValidationError:
            continue
        return [each]
    return []


async def kept(database_url: str) -> dict[str, str]:
    """What there is of everything that an admin could change."""
    connection = await asyncpg.connect(database_url)
    try:
        tables = [
            row["relname"]
            for row in await connection.fetch(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
                " AND relname NOT IN ('job', 'fsm_state', 'ledger_unsealed', 'ledger_seal', 'outbox')"
            )
        ]
        return {
            table: await connection.fetchval(
                f"SELECT coalesce(string_agg(t::text, ' ' ORDER BY t::text), '') FROM {table} t"
            )
            for table in tables
        } | {
            "outbox": str(await connection.fetchval("SELECT array_agg(dedupe_key ORDER BY id) FROM outbox")),
        }
    finally:
        await connection.close()


async def furnish(town: Sandbox) -> None:
    """Something behind every door: a deposit, a verified and a new method, a withdrawal that waits."""
    boss, anna = town.person(900, "Кассир"), await grown_up(town)
    await asks_to_pay(anna, "Stripe", "100.00 USD")
    await town.stripe.pay(town.stripe.newest(), webhook="now")
    await anna.sees("Зачислено")
    for number in (1, 2):
        await anna.taps("wm:card:")
        await anna.sees("последние четыре цифры")
        await anna.says(f"424{number} pt_1aB2cD3eF4")
        await anna.sees("проверяет человек")
    await boss.says("/withdrawals")
    await boss.sees("Никто не ждёт")
    await boss.taps("wx:1:v")
    await anna.sees("проверены")
    await anna.taps("wd:USD:1:5000:abcdefgh")
    await anna.sees("Заявка № 2")
    await boss.wait_for(lambda message: "Заявка на вывод № 2" in message.text, old=True)


async def settled(database_url: str) -> dict[str, str]:
    """The same twice: nothing is under way any more."""
    before = await kept(database_url)
    while (now := await kept(database_url)) != before:
        before = now
        await asyncio.sleep(0.2)
    return now


async def employ(town: Sandbox, database_url: str, role: Role | None, number: int) -> list[Person]:
    """So many with this role, or players, at the main menu."""
    first = 2000 + 100 * (0 if role is None else 1 + list(Role).index(role))
    if role is not None:
        connection = await asyncpg.connect(database_url)
        for telegram_id in range(first, first + number):
            await connection.execute(
                "INSERT INTO staff (telegram_id, role, granted_by) VALUES ($1, $2, 900)", telegram_id, role
            )
        await connection.close()
    return [await grown_up(town, telegram_id, f"Человек {telegram_id}") for telegram_id in range(first, first + number)]


def test_every_room_is_closed_to_players_and_open_to_owners() -> None:
    for event in ("message", "callback_query"):
        assert not rooms(event, frozenset(), opened=True)
        assert not rooms(event, rights(Role.OWNER), opened=False)


@pytest.mark.parametrize("role", WITHOUT)
def test_every_role_is_kept_out_of_something(role: Role | None) -> None:
    """Else the tests below would try nothing."""
    assert len(kinds(rights(role))) >= 10
    assert len(questions(rights(role))) >= 4
    assert commands(rights(role))


async def test_everybody_without_the_right_presses_every_button_in_vain(town: Sandbox, database_url: str) -> None:
    await furnish(town)
    shares: list[tuple[Person, list[str]]] = []
    for role in WITHOUT:
        everything = [data for kind in kinds(rights(role)) for data in buttons(kind)]
        crowd = await employ(town, database_url, role, -(-len(everything) // AT_ONCE))
        shares += [(person, everything[number :: len(crowd)]) for number, person in enumerate(crowd)]
    before = await settled(database_url)

    async def presses(person: Person, share: list[str]) -> None:
        for data in share:
            pressed = await person.taps(data)
            assert pressed.text, data
            assert "больше не действует" in pressed.text, f"{person.id} {data}: {pressed.text}"

    await asyncio.gather(*(presses(person, share) for person, share in shares))
    assert await settled(database_url) == before


async def test_everybody_without_the_right_says_every_command_in_vain(town: Sandbox, database_url: str) -> None:
    await furnish(town)
    crowd = [(role, (await employ(town, database_url, role, 1))[0]) for role in WITHOUT]
    before = await settled(database_url)
    assert "withdrawals" in commands(frozenset())

    async def says(role: Role | None, person: Person) -> None:
        for command in commands(rights(role)):
            for words in ("", " 1", " 1001"):
                await person.says(f"/{command}{words}")
                await person.sees("Такой команды нет")

    await asyncio.gather(*(says(role, person) for role, person in crowd))
    assert await settled(database_url) == before


async def test_everybody_without_the_right_answers_every_question_in_vain(town: Sandbox, database_url: str) -> None:
    """Who had another role yesterday may still have been asked something."""
    await furnish(town)
    crowd = [(role, (await employ(town, database_url, role, 1))[0]) for role in WITHOUT]
    before = await settled(database_url)
    connection = await asyncpg.connect(database_url)
    (key,) = [
        row["key"] for row in await connection.fetch("SELECT DISTINCT key FROM fsm_state WHERE key LIKE '%:1001:%'")
    ]
    for role, person in crowd:
        for state in questions(rights(role)):
            await connection.execute(
                """
                INSERT INTO fsm_state (key, state, data) VALUES ($1, $2, $3)
                  ON CONFLICT (key) DO UPDATE SET state = excluded.state, data = excluded.data, updated_at = now()
                """,
                key.replace("1001", str(person.id)),
                state,
                '{"operation": 2, "method": 2, "player": 1, "currency": "USD", "minor": 100, "item": 1}',
            )
            await person.says("reference-1")
            await person.sees("Я понимаю только команды и кнопки")
    await connection.close()
    assert await settled(database_url) == before


@pytest.mark.parametrize("role", list(Role))
async def test_nobody_is_shown_a_button_of_a_room_that_is_closed_to_them(
    town: Sandbox, database_url: str, role: Role
) -> None:
    """From the panel through everything that can be reached, each kind of button a few times."""
    await furnish(town)
    (person,) = await employ(town, database_url, role, 1)
    closed = {kind.__prefix__ for kind in kinds(rights(role))}
    closed -= {kind.__prefix__ for kind in kinds(rights(role), opened=True)}
    await person.says("/admin")
    await person.sees("Рабочий стол")
    pressed: Counter[str] = Counter()
    seen: set[str] = set()
    waiting = [(message, data) for message, data in shown(person) if data.startswith("d")]
    while waiting and len(seen) < MOST:
        message, data = waiting.pop(0)
        prefix = data.partition(":")[0]
        if data in seen or pressed[prefix] >= 2 or prefix in PLAYERS_OWN:
            continue
        seen.add(data)
        pressed[prefix] += 1
        answer = await person.taps(data, on=message)
        assert "больше не действует" not in (answer.text or ""), data
        assert "не разрешает" not in (answer.text or ""), data
        found = shown(person)
        assert not {other for _, other in found if other.partition(":")[0] in closed}, f"after {data}"
        waiting += found
    assert len(seen) > 5


def shown(person: Person) -> list[tuple[Message, str]]:
    """Every button in the chat."""
    return [(message, button.data) for message in person.shown for button in message.buttons if button.data]
