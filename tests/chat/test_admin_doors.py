"""Every button, command and question of the admins' rooms, tried by who is none: nothing opens, nothing moves."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from enum import Enum
from itertools import islice, product
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, get_args, get_origin

import asyncpg
import pytest
from aiogram import Router
from aiogram.filters import Command, StateFilter
from aiogram.filters.callback_data import CallbackData, CallbackQueryFilter
from aiogram.fsm.state import State
from pydantic import TypeAdapter, ValidationError

from handlers.admin import router as admin
from sandbox import Person, Sandbox
from tests.chat.conftest import open_town
from tests.chat.people import asks_to_pay, grown_up

CROWD = 8
"""Who presses too fast is answered with a pause, so several press."""
VALUES = ("abcdefgh", "USD", "stripe", "a", "1", "7d")
"""What a text in a button may be; the first that its type takes is tried."""


@pytest.fixture
async def town(database_url: str) -> AsyncIterator[Sandbox]:
    async with open_town(database_url, ADMIN_IDS="900,901", METHOD_COOLING_HOURS="0") as world:
        yield world


def routers(router: Router) -> Iterator[Router]:
    yield router
    for inner in router.sub_routers:
        yield from routers(inner)


def filters(event: str, kind: type[Any]) -> list[Any]:
    """All filters of a kind before the admins' handlers of an event."""
    return [
        filter_.callback
        for router in routers(admin.create_router())
        for handler in router.observers[event].handlers
        for filter_ in handler.filters or []
        if isinstance(filter_.callback, kind)
    ]


def kinds() -> list[type[CallbackData]]:
    found = {filter_.callback_data for filter_ in filters("callback_query", CallbackQueryFilter)}
    return sorted(found, key=lambda kind: kind.__prefix__)


def commands() -> list[str]:
    found = {str(name) for filter_ in filters("message", Command) for name in filter_.commands}
    return sorted(found | set(admin.COMMANDS))


def questions() -> list[str]:
    states = [state for filter_ in filters("message", StateFilter) for state in filter_.states]
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
    for chosen in islice(product(*fields), 60):
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


async def test_a_player_presses_every_button_of_the_admins_in_vain(town: Sandbox, database_url: str) -> None:
    await furnish(town)
    everything = [data for kind in kinds() for data in buttons(kind)]
    assert len(kinds()) >= 10
    crowd = [await grown_up(town, 2000 + number, f"Игрок {number}") for number in range(CROWD)]
    before = await settled(database_url)

    async def presses(person: Person, share: list[str]) -> None:
        for data in share:
            pressed = await person.taps(data)
            assert pressed.text, data
            assert "больше не действует" in pressed.text, f"{data}: {pressed.text}"
            await asyncio.sleep(0.05)

    await asyncio.gather(*(presses(person, everything[number::CROWD]) for number, person in enumerate(crowd)))
    assert await settled(database_url) == before


async def test_a_player_says_every_command_of_the_admins_in_vain(town: Sandbox, database_url: str) -> None:
    await furnish(town)
    ben = await grown_up(town, 1002, "Бен")
    before = await settled(database_url)
    assert "withdrawals" in commands()
    for command in commands():
        for words in ("", " 1", " 1001"):
            await ben.says(f"/{command}{words}")
            await ben.sees("Такой команды нет")
    assert await settled(database_url) == before


async def test_a_player_who_stands_at_an_admins_question_answers_it_in_vain(town: Sandbox, database_url: str) -> None:
    """Who was an admin yesterday may still have been asked something."""
    await furnish(town)
    ben = await grown_up(town, 1002, "Бен")
    before = await settled(database_url)
    connection = await asyncpg.connect(database_url)
    (key,) = [
        row["key"] for row in await connection.fetch("SELECT DISTINCT key FROM fsm_state WHERE key LIKE '%:1001:%'")
    ]
    assert len(questions()) >= 4
    for state in questions():
        await connection.execute(
            """
            INSERT INTO fsm_state (key, state, data) VALUES ($1, $2, $3)
              ON CONFLICT (key) DO UPDATE SET state = excluded.state, data = excluded.data, updated_at = now()
            """,
            key.replace("1001", "1002"),
            state,
            '{"operation": 2, "method": 2, "player": 1, "currency": "USD", "minor": 100, "item": 1}',
        )
        await ben.says("reference-1")
        await ben.sees("Я понимаю только команды и кнопки")
    await connection.close()
    assert await settled(database_url) == before
