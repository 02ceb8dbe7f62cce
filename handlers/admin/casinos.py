"""An admin looks at what casinos report: how much, what is odd, whose account is nobody's; and says whose it is."""

from collections.abc import Iterable

from aiogram import F, Router
from aiogram.enums import ButtonStyle
from aiogram.filters import Command
from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message, User

from db.models import CasinoEvent, CasinoEventKind, CasinoTotals, Page
from handlers import filters
from handlers.admin.callbacks import (
    ConfirmCasino,
    LinkCasino,
    OpenCasino,
    OpenCasinoEvent,
    OpenCasinoEvents,
    OpenPlayer,
    OpenStrangers,
    SeeOddEvents,
)
from handlers.keyboards import button, rows, to_desk
from handlers.screen import Screen
from handlers.states import Typing
from handlers.texts import Translate
from services.casinos import Case, Casinos
from services.players import Found, Players

_SAID = 300
"""Characters of what a postback said that are shown."""
_LABEL = 24


def create_router() -> Router:
    router = Router(name="admin-casinos")
    router.message.register(overview, Command("casino", ignore_case=True))
    router.callback_query.register(open_overview, OpenCasino.filter())
    router.callback_query.register(events, OpenCasinoEvents.filter())
    router.callback_query.register(see_odd, SeeOddEvents.filter())
    router.callback_query.register(event, OpenCasinoEvent.filter())
    router.callback_query.register(strangers, OpenStrangers.filter())
    router.callback_query.register(ask_player, LinkCasino.filter())
    router.message.register(choose_player, filters.Answer(Typing.casino_player))
    router.callback_query.register(ask_sure, ConfirmCasino.filter(~F.sure))
    router.callback_query.register(link, ConfirmCasino.filter(F.sure))
    return router


# ---- all together


async def overview(message: Message, screen: Screen, casinos: Casinos, t: Translate) -> None:
    await _overview(screen, t, casinos)


async def open_overview(
    query: CallbackQuery, callback_data: OpenCasino, screen: Screen, casinos: Casinos, t: Translate
) -> None:
    if callback_data.below:
        screen.below()
    await _overview(screen, t, casinos)


async def _overview(screen: Screen, t: Translate, casinos: Casinos) -> None:
    totals, odd = await casinos.totals(), await casinos.count_odd()
    blocks = [_totals(t, casinos.title(one.programme), one) for one in totals]
    await screen.show("\n\n".join([t("admin-casinos"), *(blocks or [t("casinos-none")])]), _rooms(t, casinos, odd))


def _totals(t: Translate, title: str, totals: CasinoTotals) -> str:
    head = t(
        "admin-casino-totals",
        title=title,
        clicks=totals.clicks,
        accounts=totals.accounts,
        strangers=totals.strangers,
        registrations=totals.counts.get(CasinoEventKind.REGISTRATION, 0),
    )
    sums = [
        t("admin-casino-sum", kind=kind, count=totals.counts[kind], amount=str(amount)) for kind, amount in totals.sums
    ]
    return "\n".join([head, *sums])


def _rooms(t: Translate, casinos: Casinos, odd: int) -> InlineKeyboardMarkup:
    programmes = [button(casinos.title(name), OpenCasinoEvents(scope=f"c{name}")) for name in casinos.programmes]
    return rows(
        [button(t("button-casino-odd", count=odd), OpenCasinoEvents(scope="o"))],
        [button(t("button-casino-strangers"), OpenStrangers())],
        [button(t("button-casino-all"), OpenCasinoEvents(scope="a"))],
        programmes if len(programmes) > 1 else [],
        [to_desk(t)],
    )


# ---- events


async def events(
    query: CallbackQuery, callback_data: OpenCasinoEvents, screen: Screen, casinos: Casinos, t: Translate
) -> None:
    await _events(screen, t, casinos, callback_data)


async def _events(screen: Screen, t: Translate, casinos: Casinos, asked: OpenCasinoEvents) -> None:
    scope, key = asked.scope, asked.key
    page = await casinos.events(
        programme=scope[1:] if scope[0] == "c" else None,
        player_id=int(scope[1:]) if scope[0] == "p" else None,
        odd=scope == "o",
        before=None if asked.newer else key,
        after=key if asked.newer else None,
    )
    lines = [line(t, casinos, one) for one in page.items] or [t("admin-casino-events-none")]
    title = t("admin-casino-events", scope={"a": "all", "o": "odd", "p": "player", "c": "casino"}[scope[0]])
    await screen.show("\n".join([title, "", *lines]), _event_list(t, asked, page))


def line(t: Translate, casinos: Casinos, one: CasinoEvent) -> str:
    """One event in a list."""
    text = t(
        "admin-casino-line",
        id=one.id,
        at=one.occurred_at,
        title=casinos.title(one.programme),
        kind=one.kind,
        amount=f" {one.amount}" if one.amount else "",
        account=one.casino_id or "—",
        player=one.player_id or "—",
    )
    return text if one.problem is None else f"{text}\n{t('admin-casino-problem', problem=one.problem)}"


def _event_list(t: Translate, asked: OpenCasinoEvents, page: Page[CasinoEvent]) -> InlineKeyboardMarkup:
    turns = []
    if page.newer is not None:
        turns.append(button(t("button-newer"), OpenCasinoEvents(scope=asked.scope, key=page.newer, newer=True)))
    if page.older is not None:
        turns.append(button(t("button-older"), OpenCasinoEvents(scope=asked.scope, key=page.older)))
    seen = []
    if asked.scope == "o" and page.items and page.newer is None:
        seen = [button(t("button-casino-seen"), SeeOddEvents(newest=page.items[0].id))]
    back = OpenPlayer(player=int(asked.scope[1:])) if asked.scope[0] == "p" else None
    return rows(
        *opened(page.items),
        turns,
        seen,
        [button(t("button-to-player"), back)] if back else [_to_casinos(t)],
        [to_desk(t)],
    )


def opened(items: Iterable[CasinoEvent]) -> list[list[InlineKeyboardButton]]:
    """A number for each event of a page."""
    numbers = [button(f"№ {one.id}", OpenCasinoEvent(event=one.id)) for one in items]
    return [numbers[:4], numbers[4:]]


async def see_odd(
    query: CallbackQuery,
    callback_data: SeeOddEvents,
    screen: Screen,
    event_from_user: User,
    casinos: Casinos,
    t: Translate,
) -> None:
    await casinos.see_odd(event_from_user.id, callback_data.newest)
    await _overview(screen, t, casinos)


async def event(
    query: CallbackQuery, callback_data: OpenCasinoEvent, screen: Screen, casinos: Casinos, t: Translate
) -> None:
    case = await casinos.case(callback_data.event)
    await screen.show(_told(t, case), _event(t, case))


def _told(t: Translate, case: Case) -> str:
    one = case.event
    text = t(
        "admin-casino-event",
        id=one.id,
        title=case.title,
        kind=one.kind,
        amount=str(one.amount or "—"),
        words=", ".join(one.words) or "—",
        told="weak" if one.weak else "strong",
        account=one.casino_id or "—",
        click=one.click_id or "—",
        player=one.player_id or "—",
        country=one.country or "—",
        at=one.occurred_at,
        received=one.received_at,
        delivery=one.delivery_id or 0,
    )
    blocks = [text]
    if one.problem is not None:
        blocks.append(t("admin-casino-problem", problem=one.problem))
    if case.owner is not None and case.owner != one.player_id:
        blocks.append(t("admin-casino-owner", player=case.owner))
    if case.said:
        said = "&".join(f"{name}={value}" for name, value in case.said.items())
        blocks.append(t("admin-casino-said", said=said[:_SAID]))
    return "\n\n".join(blocks)


def _event(t: Translate, case: Case) -> InlineKeyboardMarkup:
    one = case.event
    waits = one.casino_id is not None and case.owner is None
    return rows(
        [button(t("button-casino-link"), LinkCasino(event=one.id))] if waits else [],
        [button(t("button-to-player"), OpenPlayer(player=one.player_id))] if one.player_id else [],
        [button(t("button-casino-of-player"), OpenCasinoEvents(scope=f"p{one.player_id}"))] if one.player_id else [],
        [_to_casinos(t), to_desk(t)],
    )


# ---- whose account it is


async def strangers(
    query: CallbackQuery, callback_data: OpenStrangers, screen: Screen, casinos: Casinos, t: Translate
) -> None:
    key = callback_data.key
    page = await casinos.strangers(**{"after" if callback_data.newer else "before": key})
    lines = [
        t(
            "admin-casino-stranger",
            title=casinos.title(one.programme),
            account=one.casino_id,
            count=one.events,
            at=one.newest_at,
        )
        for one in page.items
    ] or [t("admin-casino-strangers-none")]
    turns = []
    if page.newer is not None:
        turns.append(button(t("button-newer"), OpenStrangers(key=page.newer, newer=True)))
    if page.older is not None:
        turns.append(button(t("button-older"), OpenStrangers(key=page.older)))
    links = [[button(one.casino_id[:_LABEL], LinkCasino(event=one.newest_id))] for one in page.items]
    await screen.show(
        "\n".join([t("admin-casino-strangers"), "", *lines]), rows(*links, turns, [_to_casinos(t), to_desk(t)])
    )


async def ask_player(
    query: CallbackQuery,
    callback_data: LinkCasino,
    screen: Screen,
    state: FSMContext,
    casinos: Casinos,
    t: Translate,
) -> None:
    case = await casinos.case(callback_data.event)
    await state.set_state(Typing.casino_player)
    await state.set_data({"event": case.event.id})
    text = t("admin-casino-link-ask", title=case.title, account=case.event.casino_id or "—")
    await screen.show(text, _cancel(t, case.event.id))


async def choose_player(
    message: Message, screen: Screen, state: FSMContext, casinos: Casinos, players: Players, t: Translate
) -> None:
    asked = await state.get_data()
    hits = await players.find(message.text or "")
    await state.clear()
    event_id = asked["event"]
    if len(hits) == 1:
        await _sure(screen, t, await casinos.case(event_id), hits[0])
    else:
        found = [
            [button(f"№ {hit.profile.player.id} · {hit.profile.name[:_LABEL]}", _link(event_id, hit))] for hit in hits
        ]
        await screen.show(t("admin-player-several"), rows(*found, *_cancel(t, event_id).inline_keyboard))


def _link(event_id: int, hit: Found) -> ConfirmCasino:
    return ConfirmCasino(event=event_id, player=hit.profile.player.id)


async def ask_sure(
    query: CallbackQuery,
    callback_data: ConfirmCasino,
    screen: Screen,
    casinos: Casinos,
    players: Players,
    t: Translate,
) -> None:
    case = await casinos.case(callback_data.event)
    await _sure(screen, t, case, Found(await players.profile(callback_data.player), "player"))


async def _sure(screen: Screen, t: Translate, case: Case, hit: Found) -> None:
    username = hit.profile.player.username
    text = t(
        "admin-casino-link-sure",
        title=case.title,
        account=case.event.casino_id or "—",
        player=hit.profile.player.id,
        name=hit.profile.name or "—",
        username=f"@{username}" if username else "—",
        telegram=hit.profile.player.telegram_id,
    )
    sure = _link(case.event.id, hit).model_copy(update={"sure": True})
    await screen.show(
        text,
        rows(
            [button(t("button-casino-link-sure"), sure, ButtonStyle.PRIMARY)],
            *_cancel(t, case.event.id).inline_keyboard,
        ),
    )


async def link(
    query: CallbackQuery,
    callback_data: ConfirmCasino,
    screen: Screen,
    event_from_user: User,
    casinos: Casinos,
    t: Translate,
) -> None:
    account = await casinos.link(event_from_user.id, callback_data.event, callback_data.player)
    await screen.show(
        t(
            "admin-casino-linked",
            title=casinos.title(account.programme),
            account=account.casino_id,
            player=account.player_id,
        ),
        rows([button(t("button-to-player"), OpenPlayer(player=account.player_id))], [_to_casinos(t), to_desk(t)]),
    )


def _cancel(t: Translate, event_id: int) -> InlineKeyboardMarkup:
    return rows([button(t("button-cancel"), OpenCasinoEvent(event=event_id))])


def _to_casinos(t: Translate) -> InlineKeyboardButton:
    return button(t("button-casinos"), OpenCasino())


def odd_below(t: Translate) -> InlineKeyboardMarkup:
    """Under the news that something odd came."""
    return rows([button(t("button-casinos"), OpenCasino(below=True))])
