"""The admins' desk in the chat: the panel, what was given up, the staff, maintenance, health; in both languages."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import aiohttp
import asyncpg
import pytest

from db.models import Role
from handlers.admin.callbacks import (
    Grant,
    LetDeliveryGo,
    LetMessageGo,
    Maintenance,
    NameMember,
    OpenDelivery,
    OpenMessage,
    ReplayDelivery,
    ReplayMessage,
    Revoke,
)
from sandbox import Person, Sandbox
from tests.chat.conftest import open_town
from tests.chat.people import asks_to_pay, grown_up, plain


@pytest.fixture
async def office(database_url: str) -> AsyncIterator[Sandbox]:
    async with open_town(database_url, ADMIN_IDS="900,901") as town:
        yield town


async def becomes(office: Sandbox, boss: Person, person: Person, role: str) -> None:
    """An owner gives somebody a role by hand."""
    await boss.says("/admin")
    await boss.presses("Сотрудники")
    await boss.presses("Добавить")
    await boss.sees("Кому дать роль")
    await boss.says(str(person.id))
    await boss.sees(f"Telegram {person.id}")
    await boss.presses(role)
    await boss.sees("Назначить роль")
    await boss.presses(f"Назначить: {role}")
    await boss.sees(f"Сейчас: {role}")


def menu_of(office: Sandbox, person: Person) -> list[dict[str, str]]:
    """What Telegram's menu lists in somebody's own chat."""
    scopes = office.telegram.commands.items()
    return next((commands for scope, commands in scopes if str(person.id) in str(scope)), [])


def listed(office: Sandbox, person: Person) -> list[str]:
    return [command["command"] for command in menu_of(office, person)]


async def test_the_panel_shows_what_waits_and_leads_everywhere_and_back(office: Sandbox) -> None:
    olga = await grown_up(office, 900, "Ольга")
    anna = await grown_up(office)
    await asks_to_pay(anna, "Stripe", "50.00 USD")
    await office.stripe.pay(office.stripe.newest())
    await anna.sees("Зачислено")
    await anna.taps("wm:card:")
    await anna.sees("последние четыре цифры")
    await anna.says("4241 pt_1aB2cD3eF4")
    await anna.sees("проверяет человек")

    await olga.says("/menu")
    await olga.presses("Рабочий стол")
    panel = await olga.sees("Ждут решения: 1")
    assert "Реквизиты: 1" in panel.labels
    assert "Выводы" in panel.labels
    for label in panel.labels:
        if label.startswith(("Меню", "Закрыть")):
            continue
        await olga.says("/admin")
        await olga.sees("Ждут решения")
        await olga.presses(label)
        shown = await olga.sees("Рабочий стол")
        assert "Рабочий стол" in shown.labels, label
        await olga.presses("Рабочий стол")
        await olga.sees("Ждут решения")


async def test_the_panel_speaks_english(office: Sandbox) -> None:
    olga = await grown_up(office, 900, "Olga", language_code="en")
    await olga.says("/admin")
    panel = await olga.sees("Nothing waits for a decision")
    assert {"Withdrawals", "Reconciliation", "Not sent", "Staff", "Close the bot for maintenance"} <= set(panel.labels)
    assert not any(letter in "абвгдежзийклмнопрстуфхцчшщъыьэюя" for label in panel.labels for letter in label.lower())
    await olga.presses("Staff")
    await olga.sees("owner, from the settings")
    await olga.presses("Desk")
    await olga.presses("Close the bot")
    await olga.sees("Close the bot for maintenance?")
    await olga.presses("Cancel")
    await olga.sees("Nothing waits")
    await olga.says("/settings")
    await olga.presses("Русский")
    await olga.sees("Настройки")
    await olga.says("/admin")  # after that the press is done with
    await olga.sees("Ничего не ждёт")
    described = {str(command["description"]) for command in menu_of(office, olga)}
    assert "Рабочий стол: что ждёт решения" in described


async def test_a_person_is_named_by_a_forwarded_message_or_a_contact(office: Sandbox) -> None:
    olga, ben = await grown_up(office, 900, "Ольга"), await grown_up(office, 1002, "Бен")
    forwarded = {"type": "user", "sender_user": ben.user, "date": 1}
    hidden = {"type": "hidden_user", "sender_user_name": "Бен", "date": 1}
    await olga.says("/admin")
    await olga.presses("Сотрудники")
    for sent, words in (
        ({"text": "1003", "forward_origin": hidden}, "Telegram 1003"),
        ({"text": "привет", "forward_origin": hidden}, "не Telegram id"),
        ({"text": "привет", "forward_origin": forwarded}, "Telegram 1002"),
        ({"contact": {"phone_number": "+79120000000", "first_name": "Бен", "user_id": 1002}}, "Telegram 1002"),
        ({"contact": {"phone_number": "+79120000000", "first_name": "Бен"}}, "не Telegram id"),
    ):
        await olga.taps(NameMember().pack())
        await olga.sees("Кому дать роль")
        sends(office, olga, sent)
        await olga.sees(words)


def sends(office: Sandbox, person: Person, content: Mapping[str, object]) -> None:
    """A message that is more than typed words."""
    raw = {"message_id": office.telegram.next_message_id(), "from": person.user, "chat": person.chat, "date": 1}
    office.telegram.update("message", {**raw, **content})


async def test_a_player_sees_no_desk(office: Sandbox) -> None:
    anna = await grown_up(office)
    await anna.says("/menu")
    menu = await anna.sees("Главное меню")
    assert "Рабочий стол" not in menu.labels
    for words in ("/admin", "/inbox"):
        await anna.says(words)
        await anna.sees("Такой команды нет")


@pytest.mark.parametrize(
    ("role", "label", "missing"),
    [
        ("кассир", "Выводы", ("Сотрудники", "Неотправленное", "Сигналы", "Рассылки", "Закрыть")),
        ("поддержка", "Неотправленное", ("Выводы", "Ничьи деньги", "Сотрудники", "Сигналы", "Закрыть")),
        ("редактор", "Рассылки", ("Выводы", "Игроки", "Неотправленное", "Состояние", "Сотрудники", "Закрыть")),
    ],
)
async def test_a_role_is_granted_told_listed_and_taken_away(
    office: Sandbox, role: str, label: str, missing: tuple[str, ...]
) -> None:
    olga, ben = await grown_up(office, 900, "Ольга"), await grown_up(office, 1002, "Бен")
    await becomes(office, olga, ben, role)
    await ben.sees(f"Вам дали роль: {role}")
    await ben.presses("Рабочий стол")
    panel = await ben.sees("Ничего не ждёт")
    assert any(shown.startswith(label) for shown in panel.labels)
    assert not [shown for shown in panel.labels for word in missing if shown.startswith(word)]
    assert "admin" in listed(office, ben)
    assert ("withdrawals" in listed(office, ben)) == (role == "кассир")
    await ben.says("/help")
    told = await ben.sees("/admin")
    assert ("/inbox" in told.text) == (role == "поддержка")

    await olga.presses("Забрать роль")
    await olga.sees("Забрать роль «")
    await asyncio.gather(*(olga.taps(Revoke(telegram=1002, sure=True).pack()) for _ in range(3)))
    await olga.sees("Сейчас: без роли")
    await ben.sees("у вас забрали")
    assert not any("у вас забрали" in message.text for message in ben.shown[:-1])
    assert listed(office, ben) == []
    await ben.says("/admin")
    await ben.sees("Такой команды нет")


async def test_whoever_never_wrote_may_get_a_role_and_an_owner_of_the_settings_keeps_it(office: Sandbox) -> None:
    olga = await grown_up(office, 900, "Ольга")
    stranger = office.person(1003, "Вера")
    stranger.started = False
    await becomes(office, olga, stranger, "редактор")
    await olga.sees("ещё не писал боту")
    await olga.presses("Сотрудники")
    listing = await olga.sees("из настроек")
    assert "901" in listing.text
    assert not any("901" in label for label in listing.labels)
    for data in (Grant(telegram=901, role=Role.EDITOR, sure=True).pack(), Revoke(telegram=901, sure=True).pack()):
        refused = await olga.taps(data)
        assert refused.text
        assert "ADMIN_IDS" in refused.text
    await stranger.says("/start")
    await stranger.sees("18")
    await stranger.presses("a")
    assert "Рабочий стол" in (await stranger.sees("Вера")).labels
    assert "admin" in listed(office, stranger)


async def test_whatever_is_typed_for_a_person_is_answered(office: Sandbox) -> None:
    olga = await grown_up(office, 900, "Ольга")
    await olga.says("/admin")
    await olga.presses("Сотрудники")
    await olga.presses("Добавить")
    await olga.sees("Кому дать роль")
    for words in ("0", "-5", "9" * 400, "٣٤", "@anna", "<b>", "4503599627370496"):
        await olga.says(words)
        await olga.sees("не Telegram id")
    await olga.presses("Отмена")
    await olga.sees("Главное меню")


async def test_an_owner_by_grant_steps_down_only_when_sure(office: Sandbox) -> None:
    olga, ben = await grown_up(office, 900, "Ольга"), await grown_up(office, 1002, "Бен")
    await becomes(office, olga, ben, "владелец")
    await ben.sees("Вам дали роль")
    await ben.presses("Рабочий стол")
    await ben.presses("Сотрудники")
    await ben.presses("Бен")
    await ben.presses("Забрать роль")
    await ben.sees("Это вы сами")
    await ben.presses("Отмена")
    await ben.sees("Сейчас: владелец")
    await ben.presses("Забрать роль")
    await ben.sees("Это вы сами")
    await ben.presses("Забрать роль")
    await ben.sees("Сейчас: без роли")
    await ben.says("/admin")
    await ben.sees("Такой команды нет")


async def test_a_closed_house_asks_players_to_come_back_and_lets_money_and_staff_in(office: Sandbox) -> None:
    olga, anna = await grown_up(office, 900, "Ольга"), await grown_up(office)
    await asks_to_pay(anna, "Stripe", "50.00 USD")
    await anna.says("/deposit")
    await anna.presses("Stripe")
    await anna.presses("Другая сумма")
    await anna.sees("одним числом")

    await olga.says("/admin")
    await olga.presses("Закрыть бота")
    await olga.sees("Закрыть бота на обслуживание?")
    await asyncio.gather(*(olga.taps(Maintenance(close=True, sure=True).pack()) for _ in range(3)))
    panel = await olga.sees("Бот закрыт для игроков")
    assert "Открыть бота для игроков" in panel.labels

    await anna.says("100")  # what was being typed is not taken
    await anna.sees("технические работы")
    for words in ("/start", "/balance", "/start paid_1", "что случилось?", "/admin"):
        await anna.says(words)
        await anna.sees("технические работы")
    pressed = await anna.taps("o:balance:0")
    assert pressed.text
    assert "Деньги на месте" in pressed.text
    ben = office.person(1002, "Ben", language_code="en")
    await ben.says("/start")
    await ben.sees("Maintenance is under way")
    async with aiohttp.ClientSession() as session, session.get(f"{office.bot_url}/health") as response:
        assert response.status == 200
        assert (await response.json())["maintenance"] is True

    await office.stripe.pay(office.stripe.newest(), webhook="now")  # money goes on
    await anna.sees("Зачислено")
    await olga.says("/balance")
    await olga.sees("Пока пусто")

    await olga.says("/admin")
    await olga.presses("Открыть бота")
    await olga.sees("Открыть бота для игроков?")
    await olga.presses("Открыть бота")
    await olga.sees("Ничего не ждёт")
    await anna.says("100")
    await anna.sees("Я понимаю только команды")
    await anna.says("/balance")
    balance = await anna.sees("доступно")
    assert "50.00 USD" in plain(balance.text)
    async with aiohttp.ClientSession() as session, session.get(f"{office.bot_url}/health") as response:
        assert (await response.json())["maintenance"] is False


async def test_the_state_of_things_is_told(office: Sandbox) -> None:
    olga, anna = await grown_up(office, 900, "Olga", language_code="en"), await grown_up(office)
    await asks_to_pay(anna, "Stripe", "50.00 USD")
    await office.stripe.pay(office.stripe.newest(), webhook="now")
    await anna.sees("Зачислено")
    await olga.says("/admin")
    await olga.presses("Health")
    health = await olga.sees("Database: answers")
    assert "stripe: last notification" in health.text.lower()
    assert "yookassa: nothing came" in health.text.lower()


async def given_up(office: Sandbox, database_url: str) -> None:
    """A delivery and a message that were tried too often, with what must not be seen in them."""
    anna = await grown_up(office, 1001, "Anna")
    await asks_to_pay(anna, "Stripe", "50.00 USD")
    session = office.stripe.newest()
    await office.stripe.pay(session, webhook="never")
    (raw,) = (event for event in office.stripe.events(session) if b"checkout.session.completed" in event.body)
    address = f"{office.bot_url}/api/webhook/stripe"
    async with aiohttp.ClientSession() as client, client.post(address, data=raw.body, headers=raw.headers) as answer:
        assert answer.status == 200
    await anna.sees("Зачислено")
    books = await asyncpg.connect(database_url)
    try:
        await books.execute(
            "UPDATE webhook_inbox SET state = 'dead', attempts = 12, last_error = 'KeyError', done_at = NULL"
        )
        await books.execute(
            "INSERT INTO outbox (dedupe_key, chat_id, text_id, arguments, state, attempts, last_error) VALUES"
            """ ('odd', 1001, 'account-unfrozen', '{"admin": 0, "email": "a@b.ru"}', 'dead', 3, 'TelegramBadRequest')"""
        )
    finally:
        await books.close()


@pytest.mark.parametrize("language", ["ru", "en"])
async def test_what_was_given_up_is_looked_at_and_tried_again(
    office: Sandbox, database_url: str, language: str
) -> None:
    olga = await grown_up(office, 900, "Olga", language_code=language)
    await given_up(office, database_url)
    again, unsent = ("Попробовать ещё раз", "Неотправленное") if language == "ru" else ("Try again", "Not sent")
    await olga.says("/inbox")
    await olga.sees("KeyError")
    await olga.presses("№ 1")
    page = await olga.sees("checkout.session.completed")
    assert "•••" in page.text
    assert office.stripe_webhook_secret not in page.text
    assert '"stripe-signature": "•••"' in page.text
    await asyncio.gather(*(olga.taps(ReplayDelivery(delivery=1, replays=0).pack()) for _ in range(3)))
    listing = await olga.sees(f"{unsent}: 1")
    assert "KeyError" not in listing.text
    late = await olga.taps(OpenDelivery(delivery=1).pack())
    assert late.text

    await olga.presses(unsent)
    await olga.sees("TelegramBadRequest")
    await olga.presses("№")
    page = await olga.sees("account-unfrozen")
    assert "a@b.ru" not in page.text
    anna = office.person(1001, "Anna")
    await olga.presses(again)
    await anna.wait_for(lambda message: "снова доступны" in message.text, old=True)
    books = await asyncpg.connect(database_url)
    try:
        lines = await books.fetch("SELECT action, status FROM audit_log WHERE actor = 'admin:900' ORDER BY log_id")
        assert [tuple(line) for line in lines] == [("delivery", "replayed"), ("message", "replayed")]
        assert await books.fetchval("SELECT count(*) FROM ledger_journal WHERE kind = 'deposit'") == 1
    finally:
        await books.close()


async def test_what_was_given_up_is_let_go(office: Sandbox, database_url: str) -> None:
    olga = await grown_up(office, 900, "Ольга")
    await given_up(office, database_url)
    await olga.says("/admin")
    panel = await olga.sees("Ждут решения: 2")
    assert {"Необработанное: 1", "Неотправленное: 1"} <= set(panel.labels)
    await olga.presses("Необработанное")
    await olga.presses("№ 1")
    await olga.presses("Больше не пробовать")
    await olga.sees("Больше не обрабатывать")
    await asyncio.gather(*(olga.taps(LetDeliveryGo(delivery=1, sure=True).pack()) for _ in range(3)))
    await olga.sees("Все уведомления обработаны")
    await olga.presses("Неотправленное")
    await olga.presses("№")
    await olga.presses("Больше не пробовать")
    await olga.presses("Больше не пробовать")
    await olga.sees("Все сообщения отправлены")
    number = 10**6
    for data in (
        OpenMessage(message=number).pack(),
        ReplayMessage(message=number, replays=0).pack(),
        LetMessageGo(message=number).pack(),
        ReplayDelivery(delivery=1, replays=0).pack(),
    ):
        answered = await olga.taps(data)
        assert answered.text, data
    await olga.says("/admin")
    await olga.sees("Ничего не ждёт")
