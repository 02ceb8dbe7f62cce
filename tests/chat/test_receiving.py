"""How updates come in: by polling and by webhook, one player's in order, nobody waiting for somebody else's trouble."""

import asyncio

import aiohttp

from sandbox import Fault, Sandbox
from tests.chat.conftest import SECRET, open_behind_webhook, open_town
from tests.chat.people import asks_to_pay, grown_up


async def test_in_webhook_mode_telegram_delivers_and_a_deposit_works(database_url: str) -> None:
    async with open_behind_webhook(database_url) as town:
        anna = await grown_up(town)
        await asks_to_pay(anna, "Stripe", "50.00 USD")
        await town.stripe.pay(town.stripe.newest())
        await anna.sees("Зачислено")
        assert town.calls["telegram", "getUpdates"] == 0


async def test_telegrams_door_opens_only_with_the_secret(database_url: str) -> None:
    async with open_behind_webhook(database_url) as town:
        header = "X-Telegram-Bot-Api-Secret-Token"
        async with aiohttp.ClientSession(f"{town.bot_url}/") as caller:
            for headers, body, status in (
                ({}, b'{"update_id": 1}', 401),
                ({header: "wrong"}, b'{"update_id": 1}', 401),
                ({header: "\u00e9"}, b'{"update_id": 1}', 401),
                ({header: SECRET}, b"", 400),
                ({header: SECRET}, b"[]", 400),
                ({header: SECRET}, b"{}", 400),
                ({header: SECRET}, b"\xff", 400),
                ({header: SECRET}, b"[" * 100_000, 400),
                ({header: SECRET}, b'{"update_id": 1}', 200),
            ):
                async with caller.post("telegram/webhook", data=body, headers=headers) as response:
                    assert response.status == status, body[:20]


async def test_nobody_waits_for_another_players_slow_provider(town: Sandbox) -> None:
    anna = await grown_up(town)
    ben = await grown_up(town, 1002, "Ben", language_code="en")
    town.faults.add("stripe", "POST /v1/checkout/sessions", Fault.HANG, times=None)
    await anna.says("/deposit")
    await anna.presses("Stripe")
    amounts = await anna.sees("Другая сумма")
    await anna.says("/deposit")  # a second screen, so that the first keyboard stays
    await anna.taps(next(button.data for button in amounts.buttons if button.data), on=amounts, timeout=15)
    await anna.sees("Готовлю ссылку")
    await ben.says("/balance")
    await ben.sees("Balance")
    assert not any("пока не отвечает" in message.text for message in anna.shown)  # she still waits
    town.faults.clear()


async def test_updates_that_came_while_the_bot_was_away_are_handled_in_order(database_url: str) -> None:
    async with open_town(database_url) as town:
        anna = await grown_up(town)
        town.faults.add("telegram", "getUpdates", Fault.ERROR, times=3)
        for command in ("/balance", "/history", "/help"):
            await anna.says(command)
        await anna.wait_for(lambda message: "Что умеет" in message.text)
        told = [message.text.split("\n")[0] for message in anna.shown[-3:]]
        assert told == ["Баланс", "История", "Что умеет Looseline"]


async def test_an_error_page_of_something_in_between_does_not_end_receiving_or_sending(town: Sandbox) -> None:
    anna = await grown_up(town)
    town.faults.add("telegram", "getUpdates", Fault.GARBAGE, times=2)
    await anna.says("/balance")
    await anna.sees("Баланс")
    await asks_to_pay(anna, "Stripe", "50.00 USD")
    town.faults.add("telegram", "sendMessage", Fault.GARBAGE, times=1)
    await town.stripe.pay(town.stripe.newest())
    await anna.sees("Зачислено", timeout=20)


async def test_what_a_newer_bot_api_has_brought_keeps_nobody_waiting(town: Sandbox) -> None:
    """Telegram gives what is not confirmed again and again, with everything that came after it."""
    anna = await grown_up(town)
    said = {"message_id": 1, "date": 1, "from": anna.user, "chat": anna.chat, "text": "5"}
    town.telegram.update("message", {**said, "forward_origin": {"type": "hologram", "date": 1}})
    town.telegram.update("message", {**said, "paid_media": {"star_count": 1, "paid_media": [{"type": "hologram"}]}})
    town.telegram.update("my_chat_member", {"hologram": True})
    await anna.says("/balance")
    await anna.sees("Баланс")


async def test_one_player_who_floods_keeps_nobody_else_waiting(town: Sandbox) -> None:
    ben = await grown_up(town, 1002, "Ben", language_code="en")
    mallory = await grown_up(town, 666, "Mallory", language_code="en")
    town.faults.add("stripe", "POST /v1/checkout/sessions", Fault.HANG, times=None)
    await mallory.says("/deposit")
    await mallory.presses("Stripe")
    amounts = await mallory.sees("Other amount")
    data = next(button.data for button in amounts.buttons if button.data)
    flood = [asyncio.create_task(mallory.taps(data, on=amounts, timeout=30)) for _ in range(150)]
    await ben.says("/balance")
    await ben.sees("Balance")
    town.faults.clear()
    await asyncio.gather(*flood)
