"""An admin decides about withdrawals: the queue, one with all that is known of its player, and each step to its end."""

from collections.abc import Mapping, Sequence

from aiogram import F, Router
from aiogram.enums import ButtonStyle
from aiogram.filters import Command
from aiogram.fsm.context import FSMContext
from aiogram.fsm.state import State
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message, User

from db.models import OperationStatus, Withdrawal
from handlers import filters
from handlers.admin.callbacks import DecideWithdrawal, OpenNewMethods, OpenPlayer, OpenQueue, OpenWithdrawal, Step
from handlers.keyboards import button, rows, to_desk
from handlers.screen import Screen
from handlers.states import Typing
from handlers.texts import Translate
from services.withdrawals import Case, Queue, Withdrawals


def create_router() -> Router:
    router = Router(name="admin-withdrawals")
    router.message.register(first_page, Command("withdrawals", ignore_case=True))
    router.callback_query.register(page, OpenQueue.filter())
    router.callback_query.register(card, OpenWithdrawal.filter())
    router.callback_query.register(approve, DecideWithdrawal.filter(F.step == Step.APPROVE))
    router.callback_query.register(destination, DecideWithdrawal.filter(F.step == Step.DESTINATION))
    router.callback_query.register(ask_reason, DecideWithdrawal.filter(F.step == Step.REJECT))
    router.callback_query.register(ask_reference, DecideWithdrawal.filter(F.step == Step.SENT))
    router.callback_query.register(ask_what_failed, DecideWithdrawal.filter(F.step == Step.FAILED))
    router.message.register(reject, filters.Answer(Typing.admin_rejection))
    router.message.register(sent, filters.Answer(Typing.admin_reference))
    router.message.register(failed, filters.Answer(Typing.admin_failure))
    return router


async def first_page(message: Message, screen: Screen, withdrawals: Withdrawals, t: Translate) -> None:
    await _page(screen, t, await withdrawals.queue(), first=True)


async def page(
    query: CallbackQuery, callback_data: OpenQueue, screen: Screen, withdrawals: Withdrawals, t: Translate
) -> None:
    after = callback_data.after
    await _page(screen, t, await withdrawals.queue(after or 0), first=after is None)


async def _page(screen: Screen, t: Translate, queue: Queue, *, first: bool) -> None:
    lines = [
        t("admin-withdrawals-line", id=each.id, amount=each.amount, status=each.status, at=each.created_at)
        for each in queue.withdrawals
    ] or [t("admin-withdrawals-none")]
    await screen.show("\n".join([t("admin-withdrawals", count=queue.count), *lines]), _queue(t, queue, first=first))


async def card(
    query: CallbackQuery, callback_data: OpenWithdrawal, screen: Screen, withdrawals: Withdrawals, t: Translate
) -> None:
    if callback_data.below:
        screen.below()
    await _card(screen, t, withdrawals, callback_data.operation)


async def _card(screen: Screen, t: Translate, withdrawals: Withdrawals, withdrawal_id: int) -> None:
    case = await withdrawals.case(withdrawal_id)
    await screen.show("\n\n".join(_told(t, case)), _decisions(t, case.withdrawal))


def _told(t: Translate, case: Case) -> list[str]:
    withdrawal, standing = case.withdrawal, case.standing
    parts = [
        t(
            "admin-withdrawal",
            id=withdrawal.id,
            amount=withdrawal.amount,
            status=withdrawal.status,
            method=withdrawal.method,
            at=withdrawal.created_at,
            comment=withdrawal.comment or "—",
            agreed=len(withdrawal.approvals),
            needed=case.approvals_needed,
            admins=", ".join(map(str, withdrawal.approvals)) or "—",
        ),
        t(
            "admin-withdrawal-player",
            player=withdrawal.player_id,
            telegram=standing.telegram_id,
            name=standing.name or "—",
            username=f"@{standing.username}" if standing.username else "—",
            since=standing.since,
            available=standing.available,
            held=standing.held,
            deposited=standing.deposited,
            withdrawn=standing.withdrawn,
            bet=standing.bet,
            won=standing.won,
            count=standing.paid_out,
            added=standing.method_since,
        ),
    ]
    if case.risks:
        marks = [
            t(f"admin-risk-{risk}", note=standing.frozen_reason or "—", debt=standing.owed, sum=standing.last_day)
            for risk in case.risks
        ]
        parts.append("\n".join([t("admin-risks"), *marks]))
    if withdrawal.note is not None:
        parts.append(t("admin-withdrawal-note", note=withdrawal.note))
    if withdrawal.reference is not None:
        parts.append(t("admin-withdrawal-reference", reference=withdrawal.reference))
    return parts


async def approve(
    query: CallbackQuery,
    callback_data: DecideWithdrawal,
    screen: Screen,
    event_from_user: User,
    withdrawals: Withdrawals,
    t: Translate,
) -> None:
    await withdrawals.approve(event_from_user.id, callback_data.operation)
    await _card(screen, t, withdrawals, callback_data.operation)


async def destination(
    query: CallbackQuery,
    callback_data: DecideWithdrawal,
    screen: Screen,
    event_from_user: User,
    withdrawals: Withdrawals,
    t: Translate,
) -> None:
    fields = await withdrawals.destination(event_from_user.id, callback_data.operation)
    withdrawal = (await withdrawals.case(callback_data.operation)).withdrawal
    head = t("admin-withdrawal-pay", id=withdrawal.id, amount=withdrawal.amount)
    await screen.show("\n".join([head, *destination_lines(t, fields)]), _paying(t, withdrawal))


def destination_lines(t: Translate, fields: Mapping[str, str]) -> list[str]:
    """A destination in full, each part to be copied with one tap."""
    return [t("admin-destination-part", part=name, value=value) for name, value in fields.items()]


async def ask_reason(
    query: CallbackQuery, callback_data: DecideWithdrawal, screen: Screen, state: FSMContext, t: Translate
) -> None:
    await _ask(screen, t, state, Typing.admin_rejection, "admin-withdrawal-why", callback_data.operation)


async def ask_reference(
    query: CallbackQuery, callback_data: DecideWithdrawal, screen: Screen, state: FSMContext, t: Translate
) -> None:
    await _ask(screen, t, state, Typing.admin_reference, "admin-withdrawal-which", callback_data.operation)


async def ask_what_failed(
    query: CallbackQuery, callback_data: DecideWithdrawal, screen: Screen, state: FSMContext, t: Translate
) -> None:
    await _ask(screen, t, state, Typing.admin_failure, "admin-withdrawal-what-failed", callback_data.operation)


async def _ask(
    screen: Screen, t: Translate, state: FSMContext, question: State, text_id: str, withdrawal_id: int
) -> None:
    await state.set_state(question)
    await state.set_data({"operation": withdrawal_id})
    back = button(t("button-cancel"), OpenWithdrawal(operation=withdrawal_id))
    await screen.show(t(text_id, id=withdrawal_id), rows([back]))


async def reject(
    message: Message,
    screen: Screen,
    state: FSMContext,
    event_from_user: User,
    withdrawals: Withdrawals,
    t: Translate,
) -> None:
    asked = await state.get_data()
    await withdrawals.reject(event_from_user.id, asked["operation"], message.text or "")
    await _card(screen, t, withdrawals, asked["operation"])
    await state.clear()


async def sent(
    message: Message,
    screen: Screen,
    state: FSMContext,
    event_from_user: User,
    withdrawals: Withdrawals,
    t: Translate,
) -> None:
    asked = await state.get_data()
    await withdrawals.sent(event_from_user.id, asked["operation"], message.text or "")
    await _card(screen, t, withdrawals, asked["operation"])
    await state.clear()


async def failed(
    message: Message,
    screen: Screen,
    state: FSMContext,
    event_from_user: User,
    withdrawals: Withdrawals,
    t: Translate,
) -> None:
    asked = await state.get_data()
    await withdrawals.fail(event_from_user.id, asked["operation"], message.text or "")
    await _card(screen, t, withdrawals, asked["operation"])
    await state.clear()


# ---- the buttons


def opens_below(t: Translate, withdrawal_id: int) -> InlineKeyboardMarkup:
    """Under a message that tells of a withdrawal."""
    return rows([button(t("button-open"), OpenWithdrawal(operation=withdrawal_id, below=True))])


def _queue(t: Translate, queue: Queue, *, first: bool) -> InlineKeyboardMarkup:
    opens: Sequence[Withdrawal] = queue.withdrawals
    turns = [] if first else [button(t("button-first-page"), OpenQueue())]
    if queue.next is not None:
        turns.append(button(t("button-next-page"), OpenQueue(after=queue.next)))
    new = [button(t("button-new-methods", count=queue.methods), OpenNewMethods())] if queue.methods else []
    return rows(
        *([button(f"№ {each.id} · {each.amount}", OpenWithdrawal(operation=each.id))] for each in opens),
        turns,
        new,
        [to_desk(t)],
    )


def _decisions(t: Translate, withdrawal: Withdrawal) -> InlineKeyboardMarkup:
    approving = _step(t, "button-approve", withdrawal, Step.APPROVE, ButtonStyle.SUCCESS)
    rejecting = _step(t, "button-reject", withdrawal, Step.REJECT, ButtonStyle.DANGER)
    choices = {
        OperationStatus.REVIEW: [[approving, rejecting]],
        OperationStatus.APPROVED: [[rejecting]],
        OperationStatus.SENDING: _ends(t, withdrawal),
        OperationStatus.UNKNOWN: _ends(t, withdrawal),
    }.get(withdrawal.status, [])
    return rows(
        *choices,
        [
            button(t("button-to-player"), OpenPlayer(player=withdrawal.player_id)),
            button(t("button-queue"), OpenQueue()),
        ],
    )


def _ends(t: Translate, withdrawal: Withdrawal) -> list[list[InlineKeyboardButton]]:
    return [
        [_step(t, "button-destination", withdrawal, Step.DESTINATION, ButtonStyle.PRIMARY)],
        [
            _step(t, "button-sent", withdrawal, Step.SENT, ButtonStyle.SUCCESS),
            _step(t, "button-failed", withdrawal, Step.FAILED, ButtonStyle.DANGER),
        ],
    ]


def _paying(t: Translate, withdrawal: Withdrawal) -> InlineKeyboardMarkup:
    """The destination stays in the chat no longer than it is looked at."""
    return rows(
        _ends(t, withdrawal)[1],
        [button(t("button-hide"), OpenWithdrawal(operation=withdrawal.id))],
    )


def _step(t: Translate, text_id: str, withdrawal: Withdrawal, step: Step, style: ButtonStyle) -> InlineKeyboardButton:
    return button(t(text_id), DecideWithdrawal(operation=withdrawal.id, step=step), style)
