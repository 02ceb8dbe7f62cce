"""When Telegram stumbles or somebody writes faster than a person can."""

import asyncio
import logging
import re

import pytest

from sandbox import Fault, Sandbox
from tests.chat.people import grown_up
from tests.conftest import statement


@pytest.mark.parametrize("fault", [Fault.TOO_MANY(retry_after=1), Fault.ERROR, Fault.RESET])
async def test_an_answer_that_telegram_did_not_take_is_sent_again(town: Sandbox, fault: Fault) -> None:
    anna = await grown_up(town)
    town.faults.add("telegram", "sendMessage", fault, times=1)
    await anna.says("/balance")
    await anna.sees("Пока пусто")
    town.faults.add("telegram", "editMessageText", fault, times=1)
    await anna.presses("Меню")
    await anna.sees("Главное меню")


async def test_a_flood_is_answered_once_and_passes(town: Sandbox) -> None:
    anna, ben = await grown_up(town), await grown_up(town, 1002, "Бен")
    await asyncio.gather(*(anna.says("/menu") for _ in range(150)))
    await anna.sees("Слишком быстро")
    pressed = await anna.taps("o:menu:0")
    assert pressed.text
    assert "паузу" in pressed.text
    await ben.says("/menu")
    await ben.sees("Главное меню")
    assert sum("Слишком быстро" in message.text for message in anna.shown) == 1


async def test_who_blocks_the_bot_may_come_back(town: Sandbox) -> None:
    anna = await grown_up(town)
    await anna.blocks()
    await anna.unblocks()
    await anna.says("/menu")
    await anna.sees("Главное меню")


async def test_the_menu_of_commands_is_told_to_telegram_in_both_languages(town: Sandbox) -> None:
    await grown_up(town)
    assert town.calls["telegram", "setMyCommands"] >= 2


async def test_a_bug_gets_a_code_that_is_found_in_the_log_and_no_details(
    town: Sandbox, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    anna = await grown_up(town)
    await statement(database_url, "ALTER TABLE wallet RENAME TO nobody_finds_this")
    with caplog.at_level(logging.ERROR):
        await anna.presses("Баланс")
        told = (await anna.sees("Что-то пошло не так")).text
    await statement(database_url, "ALTER TABLE nobody_finds_this RENAME TO wallet")
    code = re.findall(r"кодом ([0-9a-f]{8})", told)
    logged = [record for record in caplog.records if getattr(record, "incident", None) in code]
    assert len(logged) == 1
    assert logged[0].exc_info
    assert not re.search("wallet|Error|Traceback|relation", told)
    assert anna.shown[0].labels, "the screen that was there is still there"
