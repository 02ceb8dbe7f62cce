"""An admin writes to many: the message, whom it is for, a preview, and then how far it is."""

import secrets
from dataclasses import dataclass, replace

from aiogram import Bot, F, Router
from aiogram.enums import ButtonStyle
from aiogram.exceptions import TelegramBadRequest
from aiogram.filters import Command
from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message, User

from db.models import Broadcast, BroadcastState, BroadcastText, Language
from handlers import filters, keyboards
from handlers.admin.callbacks import (
    BroadcastDraft,
    BroadcastSwitch,
    DraftStep,
    OpenBroadcast,
    OpenBroadcasts,
    SwitchStep,
)
from handlers.broadcasts import deliver
from handlers.callbacks import Open, Place
from handlers.keyboards import button, rows, to_desk
from handlers.screen import Screen
from handlers.states import Typing
from handlers.texts import Translate
from services.broadcasts import Broadcasts, Progress, figures, read_button, read_words
from services.errors import DraftGone

_BAR = 12
_INACTIVE = (None, 7, 30, 90)
_EITHER = (None, True, False)
_WORD = {None: "any", True: "yes", False: "no"}


def create_router() -> Router:
    router = Router(name="desk-broadcasts")
    router.message.register(ask, Command("broadcast", ignore_case=True))
    router.callback_query.register(ask, OpenBroadcasts.filter())
    router.message.register(written, filters.Answer(Typing.broadcast))
    router.callback_query.register(tune, BroadcastDraft.filter(F.step == DraftStep.TUNE))
    router.callback_query.register(ask_button, BroadcastDraft.filter(F.step == DraftStep.BUTTON))
    router.callback_query.register(no_button, BroadcastDraft.filter(F.step == DraftStep.NO_BUTTON))
    router.message.register(button_written, filters.Answer(Typing.broadcast_button))
    router.callback_query.register(preview, BroadcastDraft.filter(F.step == DraftStep.PREVIEW))
    router.callback_query.register(send, BroadcastDraft.filter(F.step == DraftStep.SEND))
    router.callback_query.register(watch, OpenBroadcast.filter())
    router.callback_query.register(switch, BroadcastSwitch.filter())
    return router


async def ask(
    event: Message | CallbackQuery,
    screen: Screen,
    state: FSMContext,
    event_from_user: User,
    broadcasts: Broadcasts,
    t: Translate,
) -> None:
    known = await broadcasts.newest(event_from_user.id)
    await state.set_state(Typing.broadcast)
    await state.set_data({})
    opened = [[button(_title(t, one), OpenBroadcast(broadcast=one.id))] for one in known]
    await screen.show(t("admin-broadcast-ask"), rows(*opened, [_cancel(t), to_desk(t)]))


async def written(
    message: Message, screen: Screen, state: FSMContext, event_from_user: User, broadcasts: Broadcasts, t: Translate
) -> None:
    """The message itself. From here on there is no state, and what was sent stays in its data for the buttons, whose
    nonce names it."""
    entities = [
        entity.model_dump(mode="json", exclude_none=True)
        for entity in message.entities or message.caption_entities or ()
    ]
    photo = message.photo[-1].file_id if message.photo else None
    words = message.text or (message.caption if photo else None) or ""
    content = read_words(words, entities, photo)
    nonce = secrets.token_urlsafe(6)
    await _keep(state, nonce, content)
    await _show_draft(screen, t, broadcasts, event_from_user.id, BroadcastDraft(nonce=nonce), content)


async def tune(
    query: CallbackQuery,
    callback_data: BroadcastDraft,
    screen: Screen,
    state: FSMContext,
    event_from_user: User,
    broadcasts: Broadcasts,
    t: Translate,
) -> None:
    content = await _kept(state, callback_data)
    await _show_draft(screen, t, broadcasts, event_from_user.id, callback_data, content)


async def ask_button(
    query: CallbackQuery, callback_data: BroadcastDraft, screen: Screen, state: FSMContext, t: Translate
) -> None:
    await _kept(state, callback_data)
    await state.update_data({"asked": callback_data.pack()})
    await state.set_state(Typing.broadcast_button)
    await screen.show(t("admin-broadcast-button"), keyboards.cancel(t))


async def no_button(
    query: CallbackQuery,
    callback_data: BroadcastDraft,
    screen: Screen,
    state: FSMContext,
    event_from_user: User,
    broadcasts: Broadcasts,
    t: Translate,
) -> None:
    content = await _kept(state, callback_data)
    content = replace(content, button=None)
    await _keep(state, callback_data.nonce, content)
    await _show_draft(screen, t, broadcasts, event_from_user.id, callback_data, content)


async def button_written(
    message: Message, screen: Screen, state: FSMContext, event_from_user: User, broadcasts: Broadcasts, t: Translate
) -> None:
    made = read_button(message.text or "")
    draft = BroadcastDraft.unpack((await state.get_data())["asked"])
    content = await _kept(state, draft)
    content = replace(content, button=made)
    await _keep(state, draft.nonce, content)
    await _show_draft(screen, t, broadcasts, event_from_user.id, draft, content)


async def preview(
    query: CallbackQuery,
    callback_data: BroadcastDraft,
    bot: Bot,
    screen: Screen,
    state: FSMContext,
    event_from_user: User,
    broadcasts: Broadcasts,
    t: Translate,
) -> None:
    """The message as players will see it, and below it the last question."""
    content = await _kept(state, callback_data)
    count = await broadcasts.count(event_from_user.id, callback_data.audience)
    try:
        await deliver(bot, event_from_user.id, content, t)
    except TelegramBadRequest:
        await screen.toast(t("admin-broadcast-refused"), alert=True)
        return
    screen.below()
    sure = callback_data.model_copy(update={"step": DraftStep.SEND})
    await screen.show(
        t("admin-broadcast-sure", count=count),
        rows(
            [button(t("button-broadcast"), sure, ButtonStyle.PRIMARY)] if count else [], [_back(t, sure)], [_cancel(t)]
        ),
    )


async def send(
    query: CallbackQuery,
    callback_data: BroadcastDraft,
    screen: Screen,
    state: FSMContext,
    event_from_user: User,
    broadcasts: Broadcasts,
    t: Translate,
) -> None:
    content = await _kept(state, callback_data)
    progress = await broadcasts.start(
        event_from_user.id,
        content,
        callback_data.audience,
        request_key=callback_data.nonce,
        message_id=query.message.message_id if isinstance(query.message, Message) else None,
    )
    await _show_progress(screen, t, broadcasts, event_from_user.id, progress)


async def watch(
    query: CallbackQuery,
    callback_data: OpenBroadcast,
    screen: Screen,
    event_from_user: User,
    broadcasts: Broadcasts,
    t: Translate,
) -> None:
    progress = await broadcasts.get(event_from_user.id, callback_data.broadcast)
    await _show_progress(screen, t, broadcasts, event_from_user.id, progress)


async def switch(
    query: CallbackQuery,
    callback_data: BroadcastSwitch,
    screen: Screen,
    event_from_user: User,
    broadcasts: Broadcasts,
    t: Translate,
) -> None:
    steps = {SwitchStep.PAUSE: broadcasts.pause, SwitchStep.RESUME: broadcasts.resume, SwitchStep.STOP: broadcasts.stop}
    progress = await steps[callback_data.step](event_from_user.id, callback_data.broadcast)
    await _show_progress(screen, t, broadcasts, event_from_user.id, progress)


@dataclass(frozen=True, slots=True)
class Shown:
    text: str
    reply_markup: InlineKeyboardMarkup


def show(t: Translate, progress: Progress) -> Shown:
    """How far a broadcast is, and what can be done about it."""
    number, values = progress.broadcast.id, figures(progress)
    if progress.broadcast.ended_at is not None:
        return Shown(t("admin-broadcast-ended", **values), rows([button(t("button-broadcasts"), OpenBroadcasts())]))
    filled = _BAR * progress.percent // 100
    values |= {"bar": "▓" * filled + "░" * (_BAR - filled), "percent": progress.percent}
    match progress.broadcast.state:
        case BroadcastState.SENDING:
            ways = [button(t("button-pause"), BroadcastSwitch(broadcast=number, step=SwitchStep.PAUSE))]
        case BroadcastState.PAUSED:
            stop = BroadcastSwitch(broadcast=number, step=SwitchStep.STOP)
            ways = [
                button(
                    t("button-resume"), BroadcastSwitch(broadcast=number, step=SwitchStep.RESUME), ButtonStyle.SUCCESS
                ),
                button(t("button-stop"), stop, ButtonStyle.DANGER),
            ]
        case _:
            ways = []
    return Shown(
        t("admin-broadcast-progress", **values), rows(ways, [button(t("button-broadcasts"), OpenBroadcasts())])
    )


async def _show_progress(screen: Screen, t: Translate, broadcasts: Broadcasts, admin: int, progress: Progress) -> None:
    """The message in which it is shown is kept up to date from now on, for the admin who began it."""
    shown = show(t, progress)
    message_id = await screen.show(shown.text, shown.reply_markup)
    if message_id != progress.broadcast.message_id and progress.broadcast.ended_at is None:
        await broadcasts.show_in(admin, progress.broadcast.id, message_id)


async def _show_draft(
    screen: Screen, t: Translate, broadcasts: Broadcasts, admin: int, draft: BroadcastDraft, content: BroadcastText
) -> None:
    """Whom it is for: each button shows one choice, and pressed leads to the next."""
    count = await broadcasts.count(admin, draft.audience)
    draft = draft.model_copy(update={"step": DraftStep.TUNE})

    def following(field: str, choices: tuple[object, ...]) -> BroadcastDraft:
        at = choices.index(getattr(draft, field)) if getattr(draft, field) in choices else -1
        return draft.model_copy(update={field: choices[(at + 1) % len(choices)]})

    audience = [
        (t("admin-audience-language", chosen=draft.language or "any"), following("language", (None, *Language))),
        (t("admin-audience-deposited", chosen=_WORD[draft.deposited]), following("deposited", _EITHER)),
        (t("admin-audience-inactive", count=draft.inactive or 0), following("inactive", _INACTIVE)),
        (t("admin-audience-linked", chosen=_WORD[draft.linked]), following("linked", _EITHER)),
    ]
    label = content.button and f"{content.button[0]} → {content.button[1]}"
    await screen.show(
        t("admin-broadcast-draft", count=count, label=label or "—"),
        rows(
            *([button(text, draft_then)] for text, draft_then in audience),
            [
                button(t("button-broadcast-button"), draft.model_copy(update={"step": DraftStep.BUTTON}))
                if content.button is None
                else button(t("button-broadcast-no-button"), draft.model_copy(update={"step": DraftStep.NO_BUTTON}))
            ],
            [button(t("button-preview"), draft.model_copy(update={"step": DraftStep.PREVIEW}), ButtonStyle.PRIMARY)],
            [_cancel(t)],
        ),
    )


async def _keep(state: FSMContext, nonce: str, content: BroadcastText) -> None:
    await state.set_data(
        {
            "draft": nonce,
            "text": content.text,
            "entities": list(content.entities),
            "photo": content.photo,
            "button": content.button and list(content.button),
        }
    )
    await state.set_state(None)


async def _kept(state: FSMContext, draft: BroadcastDraft) -> BroadcastText:
    """What was written for this draft. Raises DraftGone: something else was begun since."""
    data = await state.get_data()
    if data.get("draft") != draft.nonce:
        raise DraftGone
    made = data["button"]
    return BroadcastText(data["text"], data["entities"], data["photo"], (made[0], made[1]) if made else None)


def _back(t: Translate, draft: BroadcastDraft) -> InlineKeyboardButton:
    return button(t("button-back"), draft.model_copy(update={"step": DraftStep.TUNE}))


def _cancel(t: Translate) -> InlineKeyboardButton:
    return button(t("button-cancel"), Open(place=Place.MENU))


def _title(t: Translate, broadcast: Broadcast) -> str:
    return t("admin-broadcast-title", id=broadcast.id, state=broadcast.state, count=broadcast.total)
