"""An admin looks at a player: found by a number or a name, seen from all sides, frozen and unfrozen."""

from aiogram import F, Router
from aiogram.filters import Command, CommandObject
from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, Message, User

from db.models import AuditLine, Movement, OperationLine, PaymentMethod, Profile, Wallet, WithdrawalMethod
from handlers import filters
from handlers.admin import casinos as casino_events
from handlers.admin import corrections, keyboards
from handlers.admin.callbacks import FindPlayer, Freeze, OpenOperation, OpenPlayer, Section, Unfreeze
from handlers.screen import Screen
from handlers.states import Typing
from handlers.texts import Translate, Value, signed
from services.adjustments import Adjustments
from services.casinos import Casinos
from services.players import Dossier, Found, Players
from services.staff import Right

_DETAILS = 120
"""Characters of an audit line's details that are shown."""


def create_router() -> Router:
    router = Router(name="desk-players")
    router.message.register(look_for, Command("player", ignore_case=True))
    router.callback_query.register(ask, FindPlayer.filter())
    router.message.register(typed_query, filters.Answer(Typing.admin_player))
    router.callback_query.register(card, OpenPlayer.filter(F.section == Section.CARD))
    router.callback_query.register(operations, OpenPlayer.filter(F.section == Section.OPERATIONS))
    router.callback_query.register(movements, OpenPlayer.filter(F.section == Section.MOVEMENTS))
    router.callback_query.register(methods, OpenPlayer.filter(F.section == Section.METHODS))
    router.callback_query.register(casino, OpenPlayer.filter(F.section == Section.CASINO))
    router.callback_query.register(audit, OpenPlayer.filter(F.section == Section.AUDIT))
    router.callback_query.register(operation, OpenOperation.filter())
    router.callback_query.register(ask_why, Freeze.filter())
    router.message.register(freeze, filters.Answer(Typing.admin_freeze))
    router.callback_query.register(ask_sure, Unfreeze.filter(~F.sure))
    router.callback_query.register(unfreeze, Unfreeze.filter(F.sure))
    return router


async def look_for(
    message: Message,
    command: CommandObject,
    screen: Screen,
    state: FSMContext,
    event_from_user: User,
    rights: frozenset[Right],
    players: Players,
    adjustments: Adjustments,
    t: Translate,
) -> None:
    if command.args:
        await _search(screen, t, rights, players, event_from_user.id, command.args)
    else:
        await _ask(screen, t, rights, state, adjustments)


async def ask(
    query: CallbackQuery,
    screen: Screen,
    state: FSMContext,
    rights: frozenset[Right],
    adjustments: Adjustments,
    t: Translate,
) -> None:
    await _ask(screen, t, rights, state, adjustments)


async def _ask(
    screen: Screen, t: Translate, rights: frozenset[Right], state: FSMContext, adjustments: Adjustments
) -> None:
    await state.set_state(Typing.admin_player)
    await screen.show(t("admin-player-ask"), keyboards.ask(t, rights, await adjustments.count_waiting()))


async def typed_query(
    message: Message,
    screen: Screen,
    state: FSMContext,
    event_from_user: User,
    rights: frozenset[Right],
    players: Players,
    t: Translate,
) -> None:
    await _search(screen, t, rights, players, event_from_user.id, message.text or "")
    await state.clear()


async def _search(
    screen: Screen, t: Translate, rights: frozenset[Right], players: Players, admin: int, query: str
) -> None:
    hits = await players.find(query)
    if len(hits) == 1:
        await _show(screen, t, rights, await players.dossier(admin, hits[0].profile.player.id))
    else:
        lines = [_hit(t, hit) for hit in hits]
        await screen.show("\n\n".join([t("admin-player-several"), *lines]), keyboards.found(t, hits))


def _hit(t: Translate, hit: Found) -> str:
    return t("admin-player-hit", by=hit.by, **_who(hit.profile))


def _who(profile: Profile) -> dict[str, Value]:
    username = profile.player.username
    return {
        "player": profile.player.id,
        "telegram": profile.player.telegram_id,
        "name": profile.name or "—",
        "username": f"@{username}" if username else "—",
    }


async def card(
    query: CallbackQuery,
    callback_data: OpenPlayer,
    screen: Screen,
    event_from_user: User,
    rights: frozenset[Right],
    players: Players,
    t: Translate,
) -> None:
    await _show(screen, t, rights, await players.dossier(event_from_user.id, callback_data.player))


async def _show(screen: Screen, t: Translate, rights: frozenset[Right], dossier: Dossier) -> None:
    profile = dossier.profile
    head = [
        t(
            "admin-player",
            **_who(profile),
            language=t(f"language-{profile.player.language}"),
            since=profile.since,
            accepted=profile.player.accepted_at or "—",
        )
    ]
    if profile.blocked_at is not None:
        head.append(t("admin-player-blocked", at=profile.blocked_at))
    if profile.player.frozen_at is not None:
        head.append(t("admin-player-frozen", at=profile.player.frozen_at, note=profile.reason or "—"))
    money = [_wallet(t, wallet) for wallet in dossier.wallets] or [t("admin-player-no-wallets")]
    money += [t("admin-player-debt", amount=debt) for debt in dossier.debts]
    counts = [
        t("admin-player-count", kind=kind, status=status, count=count) for kind, status, count in dossier.operations
    ]
    waiting = [corrections.line(t, adjustment) for adjustment in dossier.waiting]
    blocks = ["\n".join(block) for block in (head, money, counts, waiting) if block]
    await screen.show("\n\n".join(blocks), keyboards.player(t, rights, dossier))


def _wallet(t: Translate, wallet: Wallet) -> str:
    return t(
        "admin-player-wallet",
        available=wallet.available,
        in_bets=wallet.in_bets,
        in_withdrawals=wallet.in_withdrawals,
        deposited=wallet.deposited,
        withdrawn=wallet.withdrawn,
    )


def _keys(callback_data: OpenPlayer) -> dict[str, int | None]:
    key = callback_data.key
    return {"after": key} if callback_data.newer else {"before": key}


async def operations(
    query: CallbackQuery, callback_data: OpenPlayer, screen: Screen, players: Players, t: Translate
) -> None:
    page = await players.operations(callback_data.player, **_keys(callback_data))
    lines = [_operation_line(t, line) for line in page.items]
    await screen.show(
        _titled(t("admin-player-operations", player=callback_data.player), lines, t),
        keyboards.section(t, callback_data.player, Section.OPERATIONS, page, page.items),
    )


def _titled(title: str, lines: list[str], t: Translate) -> str:
    return "\n".join([title, "", *(lines or [t("admin-player-nothing")])])


def _operation_line(t: Translate, line: OperationLine) -> str:
    return t(
        "admin-operation-line",
        id=line.id,
        at=line.created_at,
        kind=line.kind,
        amount=line.amount,
        status=line.status,
        provider=line.provider,
        reference=line.provider_ref or "—",
    )


async def operation(
    query: CallbackQuery,
    callback_data: OpenOperation,
    screen: Screen,
    rights: frozenset[Right],
    players: Players,
    t: Translate,
) -> None:
    line, story = await players.operation(callback_data.operation)
    text = t(
        "admin-operation",
        id=line.id,
        player=line.player_id,
        kind=line.kind,
        amount=line.amount,
        status=line.status,
        provider=line.provider,
        reference=line.provider_ref or "—",
        payment=line.payment_ref or "—",
        received=line.received or "—",
        asked=line.created_at,
        completed=line.completed_at or "—",
        why=line.reason or "—",
        method=line.method or "—",
        comment=line.comment or "—",
        note=line.note or "—",
    )
    told = [t("admin-operation-step", at=step.at, status=step.status, actor=step.actor) for step in story]
    await screen.show("\n".join([text, "", *told]), keyboards.operation(t, rights, line))


async def movements(
    query: CallbackQuery, callback_data: OpenPlayer, screen: Screen, players: Players, t: Translate
) -> None:
    page = await players.movements(callback_data.player, **_keys(callback_data))
    lines = [_movement(t, movement) for movement in page.items]
    await screen.show(
        _titled(t("admin-player-movements", player=callback_data.player), lines, t),
        keyboards.section(t, callback_data.player, Section.MOVEMENTS, page),
    )


def _movement(t: Translate, movement: Movement) -> str:
    return t(
        "admin-movement",
        id=movement.journal_id,
        at=movement.at,
        kind=movement.kind,
        provider=movement.provider or "none",
        amount=signed(movement.amount),
        locked=signed(movement.locked),
        after=movement.after,
    )


async def methods(
    query: CallbackQuery, callback_data: OpenPlayer, screen: Screen, players: Players, t: Translate
) -> None:
    cards, destinations = await players.methods(callback_data.player)
    lines = [*(_card(t, kept) for kept in cards), *(_destination(t, method) for method in destinations)]
    await screen.show(
        _titled(t("admin-player-methods", player=callback_data.player), lines, t),
        keyboards.section(t, callback_data.player, Section.METHODS, None),
    )


def _card(t: Translate, kept: PaymentMethod) -> str:
    dated = kept.exp_month is not None and kept.exp_year is not None
    return t(
        "admin-card",
        id=kept.id,
        provider=kept.provider,
        brand=kept.brand or kept.payment_type,
        last4=kept.last4 or "—",
        expiry=f"{kept.exp_month:02}/{kept.exp_year}" if dated else "—",
    )


def _destination(t: Translate, method: WithdrawalMethod) -> str:
    return t(
        "admin-destination",
        id=method.id,
        kind=method.kind,
        network=method.network or "—",
        masked=method.masked,
        status=method.verification,
        at=method.usable_at,
    )


async def casino(
    query: CallbackQuery,
    callback_data: OpenPlayer,
    screen: Screen,
    casinos: Casinos,
    rights: frozenset[Right],
    t: Translate,
) -> None:
    player = callback_data.player
    key = callback_data.key
    page = await casinos.events(
        player_id=player,
        before=None if callback_data.newer else key,
        after=key if callback_data.newer else None,
    )
    accounts = [
        t(
            "admin-casino-account",
            title=casinos.title(one.programme),
            account=one.casino_id,
            at=one.bound_at,
            actor=one.bound_by,
        )
        for one in await casinos.accounts(player)
    ]
    lines = [casino_events.line(t, casinos, one) for one in page.items]
    blocks = [*accounts, "", *lines] if accounts and lines else [*accounts, *lines]
    await screen.show(
        _titled(t("admin-player-casino", player=player), blocks, t),
        keyboards.section(t, player, Section.CASINO, page, events=Right.CASINO in rights),
    )


async def audit(
    query: CallbackQuery, callback_data: OpenPlayer, screen: Screen, players: Players, t: Translate
) -> None:
    page = await players.audit(callback_data.player, **_keys(callback_data))
    lines = [_audit_line(t, line) for line in page.items]
    await screen.show(
        _titled(t("admin-player-audit", player=callback_data.player), lines, t),
        keyboards.section(t, callback_data.player, Section.AUDIT, page),
    )


def _audit_line(t: Translate, line: AuditLine) -> str:
    """`details` are ours and short, but what somebody typed may be in them."""
    details = ", ".join(f"{name}: {value}" for name, value in line.details.items() if value is not None)
    return t(
        "admin-audit-line",
        at=line.at,
        actor=line.actor,
        action=line.action,
        entity=f" {line.entity_id}" if line.entity_id is not None else "",
        status=line.status,
        amount=f" · {line.amount}" if line.amount is not None else "",
        details=f" · {details[:_DETAILS]}" if details else "",
    )


async def ask_why(
    query: CallbackQuery, callback_data: Freeze, screen: Screen, state: FSMContext, players: Players, t: Translate
) -> None:
    profile = await players.profile(callback_data.player)
    await state.set_state(Typing.admin_freeze)
    await state.set_data({"player": profile.player.id})
    await screen.show(t("admin-freeze-ask", **_who(profile)), keyboards.cancel(t, profile.player.id))


async def freeze(
    message: Message,
    screen: Screen,
    state: FSMContext,
    event_from_user: User,
    rights: frozenset[Right],
    players: Players,
    t: Translate,
) -> None:
    asked = await state.get_data()
    await players.freeze(event_from_user.id, asked["player"], message.text or "")
    await state.clear()
    await _show(screen, t, rights, await players.dossier(event_from_user.id, asked["player"]))


async def ask_sure(
    query: CallbackQuery, callback_data: Unfreeze, screen: Screen, players: Players, t: Translate
) -> None:
    profile = await players.profile(callback_data.player)
    await screen.show(
        t("admin-unfreeze-ask", **_who(profile), note=profile.reason or "—"), keyboards.unfreeze(t, profile)
    )


async def unfreeze(
    query: CallbackQuery,
    callback_data: Unfreeze,
    screen: Screen,
    event_from_user: User,
    rights: frozenset[Right],
    players: Players,
    t: Translate,
) -> None:
    await players.unfreeze(event_from_user.id, callback_data.player)
    await _show(screen, t, rights, await players.dossier(event_from_user.id, callback_data.player))
