"""Odd money, refunds, debts and the books, as two admins see them in the chat; and nobody else gets in."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from db.models import ProviderName
from handlers.admin.callbacks import (
    ConfirmRefund,
    CreditTo,
    Decision,
    GiveBack,
    GiveUpRefund,
    OpenBooks,
    OpenItem,
    OpenOdd,
    OpenReturned,
    Reconcile,
    SettleDebt,
    SettleItem,
)
from sandbox import Message, Person, Sandbox
from tests.chat.conftest import open_town
from tests.chat.people import asks_to_pay, grown_up, plain

LARGEST = 2**63 - 1


@pytest.fixture
async def office(database_url: str) -> AsyncIterator[Sandbox]:
    """A town with two admins."""
    async with open_town(database_url, ADMIN_IDS="900,901") as town:
        yield town


def admins(office: Sandbox) -> tuple[Person, Person]:
    return office.person(900, "Olga"), office.person(901, "Pavel", language_code="en")


async def pays(office: Sandbox, anna: Person, amount: int | None = None) -> str:
    """A deposit of 50 USD; the number of the deposit."""
    link = await asks_to_pay(anna, "Stripe", "50.00 USD")
    await office.stripe.pay(office.stripe.newest(), amount=amount)
    await anna.sees("ждали" if amount else "Зачислено")
    return link.text.rpartition(" ")[2]


async def spends(admin: Person, anna: Person, amount: str) -> None:
    """The player no longer has this money."""
    await admin.says(f"/player {anna.id}")
    await admin.sees("Игрок №")
    await admin.presses("Исправить баланс")
    await admin.presses("USD")
    await admin.sees("со знаком")
    await admin.says(amount)
    await admin.sees("Напишите причину")
    await admin.says("spent")
    await admin.sees("Доступно сейчас")
    await admin.presses("Подтвердить")
    await anna.sees("Исправление")


async def opens(admin: Person, words: str) -> Message:
    """From the news to what it is about, which stays below it."""
    news = await admin.wait_for(lambda message: words in message.text, old=True)
    await admin.presses(news.labels[0], on=news)
    shown = await admin.sees(re.compile("№|No."))
    assert shown.id != news.id
    return shown


async def test_an_odd_amount_is_credited_by_one_of_two_admins(office: Sandbox) -> None:
    olga, pavel = admins(office)
    anna = await grown_up(office)
    await pays(office, anna, amount=45_00)
    first, second = await opens(olga, "не сошлись с заявкой"), await opens(pavel, "не сошлись с заявкой")
    assert "45.00 USD" in plain(first.text)
    assert "50.00 USD" in plain(first.text)
    await olga.presses("Зачислить игроку операции")
    await olga.wait_for(lambda message: "Решено: зачислено" in message.text, old=True)
    credited = await anna.sees("Зачислено")
    assert "45.00 USD" in plain(credited.text)
    late = await pavel.presses("Credit the deposit's player", on=second)
    assert late.text
    assert "already decided: credited" in late.text
    await olga.says("/money")
    await olga.sees("Ничего не ждёт")


async def test_a_strangers_payment_is_credited_to_whom_an_admin_types(office: Sandbox) -> None:
    olga, _ = admins(office)
    anna = office.person(1001, "Анна", username="anna")
    await grown_up(office)
    await office.stripe.stray(77_00, "usd")
    await opens(olga, "не сошлись с заявкой")
    await olga.presses("Зачислить другому")
    await olga.sees("Чьи это деньги")
    await olga.says("@nobody_like_this")
    await olga.sees("Никого не нашлось")
    await olga.says("@anna")
    await olga.sees("Выберите игрока")
    await olga.presses("Анна")
    await olga.wait_for(lambda message: "Решено: зачислено" in message.text, old=True)
    assert "77.00 USD" in plain((await anna.sees("Нашёлся платёж")).text)
    await anna.says("/balance")
    assert "77.00 USD доступно" in plain((await anna.sees("доступно")).text)


async def test_money_in_suspense_is_sent_back_after_a_second_thought(office: Sandbox) -> None:
    olga, _ = admins(office)
    anna = await grown_up(office)
    await pays(office, anna, amount=45_00)
    await opens(olga, "не сошлись с заявкой")
    await olga.presses("Вернуть плательщику")
    await olga.sees("Отменить это потом нельзя")
    await olga.presses("Отмена")
    await olga.sees("Отложено")
    await olga.presses("Вернуть плательщику")
    await olga.sees("Отменить это потом нельзя")
    await olga.presses("Вернуть плательщику")
    await olga.sees("Состояние: сделан; проведён")
    assert "45.00 USD" in plain((await anna.sees("возвращён плательщику")).text)
    assert not office.stripe.taken().get("USD")


async def test_a_dispute_and_its_debt_from_the_bank_to_forgiveness(office: Sandbox) -> None:
    olga, pavel = admins(office)
    anna = await grown_up(office)
    await pays(office, anna)
    await spends(olga, anna, "-30")
    await office.stripe.dispute(office.stripe.newest())
    told = await anna.sees("Банк отозвал")
    assert "30.00 USD" in plain(told.text)
    debt = await opens(olga, "Спор о платеже")
    assert "долг 30.00 USD" in plain(debt.text)
    nothing = await olga.presses("Списать с баланса")
    assert nothing.text
    assert "нет денег" in nothing.text
    await pays(office, anna)
    await olga.says("/money")
    await olga.sees("Ничего не ждёт")
    await olga.presses("Долги: 1")
    await olga.sees("Долги игроков")
    await olga.presses("№ 1")
    await olga.sees("долг 30.00")
    await olga.presses("Списать с баланса")
    await anna.sees("с баланса списано")
    await olga.wait_for(lambda message: "долг 0.00" in message.text, old=True)
    await pavel.says("/money")
    await pavel.sees("Nothing waits")


async def test_a_debt_is_forgiven_after_a_second_thought(office: Sandbox) -> None:
    olga, _ = admins(office)
    anna = await grown_up(office)
    await pays(office, anna)
    await spends(olga, anna, "-50")
    await office.stripe.refund(office.stripe.newest(), 10_00)
    await anna.sees("остаётся долг 10.00")
    await opens(olga, "Возврат 10.00")
    await olga.presses("Простить долг")
    await olga.sees("Игрок узнает об этом")
    await olga.presses("Отмена")
    await olga.sees("долг 10.00")
    await olga.presses("Простить долг")
    sure = await olga.sees("Игрок узнает об этом")
    data = sure.buttons[0].data
    assert data
    await asyncio.gather(*(olga.taps(data, on=sure) for _ in range(5)))
    await olga.wait_for(lambda message: "прощено 10.00" in message.text, old=True)
    await anna.sees("платить его не нужно")


async def test_an_admin_gives_a_deposit_back_by_its_number(office: Sandbox) -> None:
    olga, pavel = admins(office)
    anna = await grown_up(office)
    number = await pays(office, anna)
    for odd in ("/refund", "/refund x", "/refund " + "9" * 30):
        await olga.says(odd)
        await olga.sees("Напишите номер пополнения")
    await olga.says("/refund 999999")
    await olga.sees("Меню")
    await olga.says(f"/refund {number}")
    await olga.sees("Сейчас можно вернуть до")
    await olga.says("сто")
    await olga.sees("не похоже на сумму")
    await olga.says("20")
    await olga.sees("Отменить это потом нельзя")
    button = (await olga.sees("Отменить это потом нельзя")).buttons[0].data
    assert button
    await asyncio.gather(*(olga.taps(button) for _ in range(5)))
    await olga.wait_for(lambda message: "Состояние: сделан" in message.text, old=True)
    assert "20.00 USD" in plain((await anna.sees("Возврат")).text)
    assert office.stripe.taken() == {"USD": 30_00}
    await pavel.says(f"/player #{number}")
    await pavel.sees("Player No.")
    await pavel.presses("Operations")
    await pavel.presses(f"№ {number}")
    await pavel.presses("Refund")
    await pavel.sees("Up to 30.00")
    await pavel.presses("Refund 30.00")
    await pavel.sees("State: done")
    assert not office.stripe.taken().get("USD")


async def test_the_books_are_proven_and_compared_in_the_chat(office: Sandbox) -> None:
    olga, pavel = admins(office)
    anna = await grown_up(office)
    await asks_to_pay(anna, "Stripe", "50.00 USD")
    await office.stripe.pay(office.stripe.newest(), webhook="never")
    await olga.says("/reconcile")
    await olga.sees("Последние сверки")
    await olga.presses("Stripe: 3")
    await olga.wait_for(lambda message: "просмотрено 1, проведено 1, расхождений 0" in message.text, old=True)
    await anna.sees("Зачислено")
    await pavel.says("/reconcile")
    books = await pavel.sees("By day (UTC)")
    assert "Stripe · 1 · 50.00 USD" in plain(books.text)
    assert "≠" not in books.text
    await pavel.presses("YooKassa: 35")
    await pavel.wait_for(lambda message: "0 seen, 0 booked, 0 differences" in message.text, old=True)
    await pavel.says("/verify")
    await pavel.wait_for(lambda message: "The books are sound" in message.text, old=True)


async def test_a_difference_is_closed_with_a_note_or_one_tap(office: Sandbox) -> None:
    olga, _ = admins(office)
    anna = await grown_up(office)
    await pays(office, anna)
    await pays(office, anna)
    for intent in office.stripe.intents.values():
        intent["amount_received"] -= 1_00
    await olga.says("/reconcile")
    await olga.presses("Stripe: 3")
    await olga.wait_for(lambda message: "расхождений 2" in message.text, old=True)
    await olga.presses("К списку")
    await olga.sees("Ждут решения")
    await olga.presses("№ 1")
    await olga.sees("49.00")
    await olga.presses("Закрыть с пометкой")
    await olga.sees("Напишите одной фразой")
    await olga.says("округление <b>у системы</b>")
    await olga.wait_for(
        lambda message: "округление <b>у системы</b>" in message.text and "Решено" in message.text, old=True
    )
    await olga.says("/money")
    await olga.sees("Ждут решения")
    await olga.presses("№ 2")
    await olga.sees("49.00")
    await olga.presses("Проверено, закрыть")
    await olga.sees("Решено: закрыто")


async def test_nobody_but_an_admin_gets_in(office: Sandbox) -> None:
    olga, _ = admins(office)
    anna = await grown_up(office)
    number = await pays(office, anna)
    await pays(office, anna, amount=45_00)
    await opens(olga, "не сошлись с заявкой")
    for command in ("/money", "/reconcile", "/verify", f"/refund {number}"):
        await anna.says(command)
        await anna.sees("Такой команды нет")
    buttons = [
        *(SettleItem(item=1, decision=decision, sure=True) for decision in Decision),
        *(OpenOdd(), OpenItem(item=1), CreditTo(item=1, player=1), OpenReturned(returned=1), OpenBooks()),
        *(SettleDebt(returned=1, owed=1), SettleDebt(returned=1, owed=1, forgive=True, sure=True)),
        *(GiveUpRefund(returned=1), GiveBack(operation=1), ConfirmRefund(operation=1, minor=1, nonce="abcdefgh")),
        Reconcile(provider=ProviderName.STRIPE, days=3),
    ]
    for button in buttons:
        pressed = await anna.taps(button.pack())
        assert pressed.text
        assert "больше не действует" in pressed.text
    for button in (
        OpenItem(item=LARGEST),
        OpenReturned(returned=LARGEST),
        SettleItem(item=LARGEST, decision=Decision.CREDIT),
        CreditTo(item=LARGEST, player=1),
        SettleDebt(returned=LARGEST, owed=LARGEST),
        GiveUpRefund(returned=LARGEST),
        GiveBack(operation=LARGEST),
        ConfirmRefund(operation=LARGEST, minor=LARGEST, nonce="abcdefgh"),
        SettleItem(item=LARGEST, decision=Decision.CLOSE),
    ):
        pressed = await olga.taps(button.pack())
        assert pressed.text
        assert "нет" in pressed.text
    await anna.says("/balance")
    assert "50.00 USD доступно" in plain((await anna.sees("доступно")).text)
