"""Who may do what: owners see everybody with a role, give one to somebody, change it and take it away."""

from aiogram import Bot, F, Router
from aiogram.enums import ButtonStyle
from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message, MessageOriginUser, User

from db.models import Member, Role
from handlers import filters
from handlers.admin.callbacks import Grant, NameMember, OpenMember, OpenStaff, Revoke
from handlers.commands import list_commands
from handlers.keyboards import button, rows, to_desk
from handlers.screen import Screen
from handlers.states import Typing
from handlers.texts import Texts, Translate, Value
from services.desk import Desk
from services.signals import Signals
from services.staff import rights

_LABEL = 24
_PAGE = 10
"""Characters of a name that fit on a button."""


def create_router() -> Router:
    router = Router(name="staff")
    router.callback_query.register(everybody, OpenStaff.filter())
    router.callback_query.register(ask_who, NameMember.filter())
    router.message.register(name, filters.Answer(Typing.admin_member))
    router.callback_query.register(member, OpenMember.filter())
    router.callback_query.register(ask_grant, Grant.filter(~F.sure))
    router.callback_query.register(grant, Grant.filter(F.sure))
    router.callback_query.register(ask_revoke, Revoke.filter(~F.sure))
    router.callback_query.register(revoke, Revoke.filter(F.sure))
    return router


async def everybody(query: CallbackQuery, callback_data: OpenStaff, screen: Screen, desk: Desk, t: Translate) -> None:
    members = await desk.members()
    shown = members[callback_data.page * _PAGE : (callback_data.page + 1) * _PAGE]
    lines = [t("admin-member-line", **_who(one)) for one in shown] or [t("admin-staff-none")]
    turn = []
    if len(members) > _PAGE:  # the last leads back to the first
        last = (callback_data.page + 1) * _PAGE >= len(members)
        turn = [button(t("button-next-page"), OpenStaff(page=0 if last else callback_data.page + 1))]
    await screen.show("\n".join([t("admin-staff"), "", *lines]), _everybody(t, shown, turn))


def _who(one: Member) -> dict[str, Value]:
    return {
        "telegram": one.telegram_id,
        "name": one.name or "—",
        "username": f"@{one.username}" if one.username else "—",
        "role": one.role or "none",
        "source": "settings" if one.in_settings else "granted",
    }


async def ask_who(query: CallbackQuery, screen: Screen, state: FSMContext, t: Translate) -> None:
    await state.set_state(Typing.admin_member)
    await screen.show(t("admin-member-ask"), rows([button(t("button-cancel"), OpenStaff())]))


async def name(message: Message, screen: Screen, state: FSMContext, desk: Desk, t: Translate) -> None:
    named = await desk.named(_named(message))
    await state.clear()
    await _show(screen, t, named)


def _named(message: Message) -> str:
    """Whom a message is about: its number, a forwarded message of that person, or a contact."""
    if isinstance(message.forward_origin, MessageOriginUser):
        return str(message.forward_origin.sender_user.id)
    if message.contact is not None:
        return str(message.contact.user_id or "")
    return message.text or ""


async def member(query: CallbackQuery, callback_data: OpenMember, screen: Screen, desk: Desk, t: Translate) -> None:
    await _show(screen, t, await desk.member(callback_data.telegram))


async def _show(screen: Screen, t: Translate, one: Member) -> None:
    parts = [t("admin-member", **_who(one))]
    if one.in_settings:
        parts.append(t("admin-member-in-settings"))
    elif one.granted_at is not None:
        parts.append(t("admin-member-granted", at=one.granted_at, admin=one.granted_by or 0))
    if one.player_id is None:
        parts.append(t("admin-member-unknown"))
    await screen.show("\n".join(parts), _member(t, one))


async def ask_grant(
    query: CallbackQuery,
    callback_data: Grant,
    screen: Screen,
    event_from_user: User,
    desk: Desk,
    t: Translate,
) -> None:
    one = await desk.member(callback_data.telegram)
    asked = Grant(telegram=one.telegram_id, role=callback_data.role, sure=True)
    words = {**_who(one), "role": callback_data.role, "own": _own(one, event_from_user)}
    await screen.show(
        t("admin-grant-sure", **words),
        rows(
            [button(t("button-grant", role=callback_data.role), asked, ButtonStyle.DANGER)],
            [button(t("button-cancel"), OpenMember(telegram=one.telegram_id))],
        ),
    )


def _own(one: Member, user: User) -> str:
    """Who gives up what is one's own is told so."""
    return "yes" if one.telegram_id == user.id else "no"


async def grant(
    query: CallbackQuery,
    callback_data: Grant,
    screen: Screen,
    event_from_user: User,
    bot: Bot,
    texts: Texts,
    desk: Desk,
    signals: Signals,
    t: Translate,
) -> None:
    granted = await desk.grant(event_from_user.id, callback_data.telegram, callback_data.role)
    await _list_commands(bot, texts, granted, signals)
    await _show(screen, t, granted)


async def _list_commands(bot: Bot, texts: Texts, one: Member, signals: Signals) -> None:
    spoken = texts.translator(one.language)
    await list_commands(bot, one.telegram_id, spoken, rights(one.role), casinos=bool(signals.casinos))


async def ask_revoke(
    query: CallbackQuery,
    callback_data: Revoke,
    screen: Screen,
    event_from_user: User,
    desk: Desk,
    t: Translate,
) -> None:
    one = await desk.member(callback_data.telegram)
    await screen.show(
        t("admin-revoke-sure", **_who(one), own=_own(one, event_from_user)),
        rows(
            [button(t("button-revoke"), Revoke(telegram=one.telegram_id, sure=True), ButtonStyle.DANGER)],
            [button(t("button-cancel"), OpenMember(telegram=one.telegram_id))],
        ),
    )


async def revoke(
    query: CallbackQuery,
    callback_data: Revoke,
    screen: Screen,
    event_from_user: User,
    bot: Bot,
    texts: Texts,
    desk: Desk,
    signals: Signals,
    t: Translate,
) -> None:
    revoked = await desk.revoke(event_from_user.id, callback_data.telegram)
    await _list_commands(bot, texts, revoked, signals)
    await _show(screen, t, revoked)


# ---- the buttons


def _everybody(t: Translate, members: list[Member], turn: list[InlineKeyboardButton]) -> InlineKeyboardMarkup:
    opened = [
        [
            button(
                f"{one.name[:_LABEL] or one.telegram_id} · {t('role', role=str(one.role))}",
                OpenMember(telegram=one.telegram_id),
            )
        ]
        for one in members
        if not one.in_settings
    ]
    return rows(*opened, turn, [button(t("button-add-member"), NameMember())], [to_desk(t)])


def _member(t: Translate, one: Member) -> InlineKeyboardMarkup:
    back = [button(t("button-desk-staff"), OpenStaff()), to_desk(t)]
    if one.in_settings:
        return rows(back)
    others = [
        button(t("role", role=role), Grant(telegram=one.telegram_id, role=role))
        for role in Role
        if role is not one.role
    ]
    taken = [button(t("button-revoke"), Revoke(telegram=one.telegram_id), ButtonStyle.DANGER)] if one.role else []
    return rows(others[:2], others[2:], taken, back)
