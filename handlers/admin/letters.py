"""What was given up: deliveries not acted on, messages not sent. Each is looked at, tried again, or let go."""

from html import escape

from aiogram import F, Router
from aiogram.enums import ButtonStyle
from aiogram.filters import Command
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message, User

from db.models import DeadDelivery, DeadMessage, Page
from handlers.admin.callbacks import (
    LetDeliveryGo,
    LetMessageGo,
    OpenDeliveries,
    OpenDelivery,
    OpenMessage,
    OpenMessages,
    OpenPlayer,
    ReplayDelivery,
    ReplayMessage,
)
from handlers.keyboards import button, rows, to_desk
from handlers.screen import Screen
from handlers.texts import Translate
from services.letters import Letters
from services.staff import Right


def create_router() -> Router:
    router = Router(name="letters")
    router.message.register(inbox, Command("inbox", ignore_case=True))
    router.callback_query.register(deliveries, OpenDeliveries.filter())
    router.callback_query.register(delivery, OpenDelivery.filter())
    router.callback_query.register(replay_delivery, ReplayDelivery.filter())
    router.callback_query.register(ask_delivery, LetDeliveryGo.filter(~F.sure))
    router.callback_query.register(let_delivery_go, LetDeliveryGo.filter(F.sure))
    router.callback_query.register(messages, OpenMessages.filter())
    router.callback_query.register(message, OpenMessage.filter())
    router.callback_query.register(replay_message, ReplayMessage.filter())
    router.callback_query.register(ask_message, LetMessageGo.filter(~F.sure))
    router.callback_query.register(let_message_go, LetMessageGo.filter(F.sure))
    return router


async def inbox(message: Message, screen: Screen, letters: Letters, t: Translate) -> None:
    """Deliveries first: there may be money in them."""
    dead, unsent = await letters.count()
    if unsent and not dead:
        await _messages(screen, t, letters, OpenMessages())
    else:
        await _deliveries(screen, t, letters, OpenDeliveries())


# ---- deliveries


async def deliveries(
    query: CallbackQuery, callback_data: OpenDeliveries, screen: Screen, letters: Letters, t: Translate
) -> None:
    await _deliveries(screen, t, letters, callback_data)


async def _deliveries(screen: Screen, t: Translate, letters: Letters, asked: OpenDeliveries) -> None:
    dead, unsent = await letters.count()
    page = await letters.deliveries(**_keys(asked))
    lines = [
        t("admin-delivery-line", id=one.id, provider=one.source, kind=one.kind, at=one.received_at, error=one.error)
        for one in page.items
    ]
    text = "\n".join([t("admin-deliveries", count=dead), "", *lines]) if lines else t("admin-deliveries-none")
    await screen.show(text, _delivery_list(t, page, unsent))


async def delivery(
    query: CallbackQuery, callback_data: OpenDelivery, screen: Screen, letters: Letters, t: Translate
) -> None:
    if callback_data.below:
        screen.below()
    found, headers, says = await letters.delivery(callback_data.delivery)
    text = t(
        "admin-delivery",
        id=found.id,
        provider=found.source,
        kind=found.kind,
        payment=found.payment_ref or "—",
        remote=found.remote or "—",
        at=found.received_at,
        count=found.deliveries,
        attempts=found.attempts,
        replays=found.replays,
        error=found.error or "—",
    )
    unreadable = t("admin-delivery-unreadable", count=len(found.body))
    parts = [text, _block(headers), unreadable if says is None else _block(says)]
    await screen.show("\n".join(parts), _delivery(t, found))


def _block(text: str) -> str:
    return f"<pre>{escape(text)}</pre>"


async def replay_delivery(
    query: CallbackQuery,
    callback_data: ReplayDelivery,
    screen: Screen,
    event_from_user: User,
    letters: Letters,
    t: Translate,
) -> None:
    await letters.replay_delivery(event_from_user.id, callback_data.delivery, callback_data.replays)
    await screen.toast(t("admin-replayed"))
    await _deliveries(screen, t, letters, OpenDeliveries())


async def ask_delivery(
    query: CallbackQuery, callback_data: LetDeliveryGo, screen: Screen, letters: Letters, t: Translate
) -> None:
    found, _, _ = await letters.delivery(callback_data.delivery)
    sure = LetDeliveryGo(delivery=found.id, sure=True)
    await screen.show(
        t("admin-delivery-let-go", id=found.id, provider=found.source),
        rows(
            [button(t("button-let-go"), sure, ButtonStyle.DANGER)],
            [button(t("button-cancel"), OpenDelivery(delivery=found.id))],
        ),
    )


async def let_delivery_go(
    query: CallbackQuery,
    callback_data: LetDeliveryGo,
    screen: Screen,
    event_from_user: User,
    letters: Letters,
    t: Translate,
) -> None:
    await letters.let_delivery_go(event_from_user.id, callback_data.delivery)
    await screen.toast(t("admin-let-go"))
    await _deliveries(screen, t, letters, OpenDeliveries())


# ---- messages


async def messages(
    query: CallbackQuery, callback_data: OpenMessages, screen: Screen, letters: Letters, t: Translate
) -> None:
    await _messages(screen, t, letters, callback_data)


async def _messages(screen: Screen, t: Translate, letters: Letters, asked: OpenMessages) -> None:
    dead, unsent = await letters.count()
    page = await letters.messages(**_keys(asked))
    lines = [
        t("admin-message-line", id=one.id, kind=one.text_id, telegram=one.chat_id, at=one.created_at, error=one.error)
        for one in page.items
    ]
    text = "\n".join([t("admin-messages", count=unsent), "", *lines]) if lines else t("admin-messages-none")
    await screen.show(text, _message_list(t, page, dead))


async def message(
    query: CallbackQuery,
    callback_data: OpenMessage,
    screen: Screen,
    rights: frozenset[Right],
    letters: Letters,
    t: Translate,
) -> None:
    found, values = await letters.message(callback_data.message)
    text = t(
        "admin-message",
        id=found.id,
        kind=found.text_id,
        telegram=found.chat_id,
        player=found.player_id or "—",
        at=found.created_at,
        attempts=found.attempts,
        replays=found.replays,
        error=found.error or "—",
    )
    await screen.show(f"{text}\n{_block(values)}", _message(t, found, rights))


async def replay_message(
    query: CallbackQuery,
    callback_data: ReplayMessage,
    screen: Screen,
    event_from_user: User,
    letters: Letters,
    t: Translate,
) -> None:
    await letters.replay_message(event_from_user.id, callback_data.message, callback_data.replays)
    await screen.toast(t("admin-replayed"))
    await _messages(screen, t, letters, OpenMessages())


async def ask_message(
    query: CallbackQuery, callback_data: LetMessageGo, screen: Screen, letters: Letters, t: Translate
) -> None:
    found, _ = await letters.message(callback_data.message)
    sure = LetMessageGo(message=found.id, sure=True)
    await screen.show(
        t("admin-message-let-go", id=found.id, telegram=found.chat_id),
        rows(
            [button(t("button-let-go"), sure, ButtonStyle.DANGER)],
            [button(t("button-cancel"), OpenMessage(message=found.id))],
        ),
    )


async def let_message_go(
    query: CallbackQuery,
    callback_data: LetMessageGo,
    screen: Screen,
    event_from_user: User,
    letters: Letters,
    t: Translate,
) -> None:
    await letters.let_message_go(event_from_user.id, callback_data.message)
    await screen.toast(t("admin-let-go"))
    await _messages(screen, t, letters, OpenMessages())


# ---- the buttons


def opens_below(t: Translate, delivery_id: int) -> InlineKeyboardMarkup:
    """Under a message that tells of a delivery."""
    return rows([button(t("button-look"), OpenDelivery(delivery=delivery_id, below=True))])


def _keys(asked: OpenDeliveries | OpenMessages) -> dict[str, int | None]:
    return {"after": asked.key} if asked.newer else {"before": asked.key}


def _delivery_list(t: Translate, page: Page[DeadDelivery], unsent: int) -> InlineKeyboardMarkup:
    opened = [button(f"№ {one.id}", OpenDelivery(delivery=one.id)) for one in page.items]
    turns = []
    if page.newer is not None:
        turns.append(button(t("button-newer"), OpenDeliveries(key=page.newer, newer=True)))
    if page.older is not None:
        turns.append(button(t("button-older"), OpenDeliveries(key=page.older)))
    other = button(t("button-messages", count=unsent), OpenMessages())
    return rows(opened[:3], opened[3:], turns, [other], [to_desk(t)])


def _delivery(t: Translate, found: DeadDelivery) -> InlineKeyboardMarkup:
    replay = ReplayDelivery(delivery=found.id, replays=found.replays)
    return rows(
        [
            button(t("button-replay"), replay, ButtonStyle.SUCCESS),
            button(t("button-let-go"), LetDeliveryGo(delivery=found.id), ButtonStyle.DANGER),
        ],
        [button(t("button-back"), OpenDeliveries()), to_desk(t)],
    )


def _message_list(t: Translate, page: Page[DeadMessage], dead: int) -> InlineKeyboardMarkup:
    opened = [button(f"№ {one.id}", OpenMessage(message=one.id)) for one in page.items]
    turns = []
    if page.newer is not None:
        turns.append(button(t("button-newer"), OpenMessages(key=page.newer, newer=True)))
    if page.older is not None:
        turns.append(button(t("button-older"), OpenMessages(key=page.older)))
    other = button(t("button-deliveries", count=dead), OpenDeliveries())
    return rows(opened[:3], opened[3:], turns, [other], [to_desk(t)])


def _message(t: Translate, found: DeadMessage, rights: frozenset[Right]) -> InlineKeyboardMarkup:
    replay = ReplayMessage(message=found.id, replays=found.replays)
    player: list[InlineKeyboardButton] = []
    if found.player_id is not None and Right.PLAYERS in rights:
        player.append(button(t("button-to-player"), OpenPlayer(player=found.player_id)))
    return rows(
        [
            button(t("button-replay"), replay, ButtonStyle.SUCCESS),
            button(t("button-let-go"), LetMessageGo(message=found.id), ButtonStyle.DANGER),
        ],
        player,
        [button(t("button-back"), OpenMessages()), to_desk(t)],
    )
