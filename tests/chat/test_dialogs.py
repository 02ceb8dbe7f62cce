"""What a player was asked is kept in the database: across restarts, for a day, for each chat by itself."""

from aiogram.fsm.storage.base import StorageKey

from bot.fsm import PgStorage
from db.database import Database
from handlers.states import Typing

ANNA = StorageKey(bot_id=42, chat_id=1001, user_id=1001)
BEN = StorageKey(bot_id=42, chat_id=1002, user_id=1002)


async def test_a_question_is_remembered_until_it_is_answered(database: Database) -> None:
    await PgStorage(database).set_state(ANNA, Typing.amount)
    await PgStorage(database).set_data(ANNA, {"provider": "stripe", "currency": "USD"})
    restarted = PgStorage(database)
    assert await restarted.get_state(ANNA) == Typing.amount.state
    assert await restarted.get_data(ANNA) == {"provider": "stripe", "currency": "USD"}
    assert await restarted.update_data(ANNA, {"currency": "EUR"}) == {"provider": "stripe", "currency": "EUR"}
    await restarted.set_state(ANNA, None)
    await restarted.set_data(ANNA, {})
    assert await restarted.get_state(ANNA) is None
    assert await restarted.get_data(ANNA) == {}


async def test_everybody_has_a_question_of_their_own(database: Database) -> None:
    storage = PgStorage(database)
    await storage.set_state(ANNA, Typing.amount)
    assert await storage.get_state(BEN) is None
    assert await storage.get_state(StorageKey(bot_id=43, chat_id=1001, user_id=1001)) is None
    assert await storage.get_state(StorageKey(bot_id=42, chat_id=1001, user_id=1001, thread_id=5)) is None
    assert await storage.get_state(StorageKey(bot_id=42, chat_id=1001, user_id=1001, destiny="other")) is None


async def test_a_question_of_yesterday_is_forgotten_with_all_that_belonged_to_it(database: Database) -> None:
    storage = PgStorage(database)
    for later in ("get", "state", "data", "update"):
        await storage.set_state(ANNA, Typing.amount)
        await storage.set_data(ANNA, {"provider": "stripe"})
        async with database.connection() as tx:
            await tx.execute("UPDATE fsm_state SET updated_at = now() - interval '25 hours'")
        match later:
            case "state":
                await storage.set_state(ANNA, Typing.amount)
                assert await storage.get_data(ANNA) == {}
            case "data":
                await storage.set_data(ANNA, {"currency": "USD"})
                assert await storage.get_state(ANNA) is None
            case "update":
                assert await storage.update_data(ANNA, {"currency": "USD"}) == {"currency": "USD"}
                assert await storage.get_state(ANNA) is None
            case _:
                assert await storage.get_state(ANNA) is None
                assert await storage.get_data(ANNA) == {}
