"""The buttons under what an admin sees of a player."""

from collections.abc import Iterable, Sequence

from aiogram.enums import ButtonStyle
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

from db.models import Adjustment, AuditLine, CasinoEvent, Movement, OperationLine, OperationStatus, Page, Profile
from db.money import CURRENCIES
from handlers.admin.callbacks import (
    ConfirmCorrection,
    Correct,
    DecideCorrection,
    FindPlayer,
    Freeze,
    GiveBack,
    OpenCasinoEvents,
    OpenCorrections,
    OpenOperation,
    OpenPlayer,
    Section,
    Unfreeze,
)
from handlers.keyboards import button, rows, to_desk
from handlers.texts import Translate
from services.players import Dossier, Found
from services.staff import Right

_LABEL = 24
"""Characters of a name that fit on a button beside its number."""


def ask(t: Translate, rights: frozenset[Right], waiting: int) -> InlineKeyboardMarkup:
    return rows(_waiting(t, rights, waiting), [to_desk(t)])


def found(t: Translate, hits: Sequence[Found]) -> InlineKeyboardMarkup:
    names = [(hit.profile.player.id, hit.profile.name) for hit in hits]
    return rows(
        *([button(f"№ {number} · {name[:_LABEL]}", OpenPlayer(player=number))] for number, name in names),
        [button(t("button-find"), FindPlayer()), to_desk(t)],
    )


def player(t: Translate, rights: frozenset[Right], dossier: Dossier) -> InlineKeyboardMarkup:
    number, frozen = dossier.profile.player.id, dossier.profile.player.frozen_at is not None
    sections = [
        button(t(f"button-section-{section.name.lower()}"), OpenPlayer(player=number, section=section))
        for section in Section
        if section is not Section.CARD
    ]
    hold = (
        button(t("button-unfreeze"), Unfreeze(player=number))
        if frozen
        else button(t("button-freeze"), Freeze(player=number), ButtonStyle.DANGER)
    )
    return rows(
        sections[:2],
        sections[2:],
        [*([button(t("button-correct"), Correct(player=number))] if Right.MONEY in rights else []), hold],
        _waiting(t, rights, len(dossier.waiting)),
        [button(t("button-find"), FindPlayer()), to_desk(t)],
    )


def section(
    t: Translate,
    player_id: int,
    shown: Section,
    page: Page[OperationLine] | Page[Movement] | Page[AuditLine] | Page[CasinoEvent] | None,
    operations: Iterable[OperationLine] = (),
    *,
    events: bool = False,
) -> InlineKeyboardMarkup:
    """`events`: of casinos, which may be opened one by one elsewhere."""
    turns = []
    if page is not None and page.newer is not None:
        turns.append(button(t("button-newer"), OpenPlayer(player=player_id, section=shown, key=page.newer, newer=True)))
    if page is not None and page.older is not None:
        turns.append(button(t("button-older"), OpenPlayer(player=player_id, section=shown, key=page.older)))
    opened = [button(f"№ {line.id}", OpenOperation(operation=line.id)) for line in operations]
    if events:
        turns.append(button(t("button-casino-of-player"), OpenCasinoEvents(scope=f"p{player_id}")))
    return rows(opened[:4], opened[4:], turns, [_to_player(t, player_id)])


def operation(t: Translate, rights: frozenset[Right], line: OperationLine) -> InlineKeyboardMarkup:
    # Back to the page on which it is the first.
    back = OpenPlayer(player=line.player_id, section=Section.OPERATIONS, key=min(line.id + 1, 2**63 - 1))
    refundable = line.kind == "deposit" and line.status is OperationStatus.COMPLETED and Right.MONEY in rights
    refund = [button(t("button-give-back"), GiveBack(operation=line.id))] if refundable else []
    return rows(refund, [button(t("button-section-operations"), back)], [_to_player(t, line.player_id)])


def to_player(t: Translate, player_id: int) -> InlineKeyboardMarkup:
    return rows([_to_player(t, player_id)])


def cancel(t: Translate, player_id: int) -> InlineKeyboardMarkup:
    return rows([button(t("button-cancel"), OpenPlayer(player=player_id))])


def unfreeze(t: Translate, profile: Profile) -> InlineKeyboardMarkup:
    number = profile.player.id
    return rows(
        [button(t("button-unfreeze"), Unfreeze(player=number, sure=True), ButtonStyle.DANGER)],
        [button(t("button-cancel"), OpenPlayer(player=number))],
    )


def currencies(t: Translate, player_id: int) -> InlineKeyboardMarkup:
    choices = [button(code, Correct(player=player_id, currency=code)) for code in CURRENCIES]
    return rows(choices, [button(t("button-cancel"), OpenPlayer(player=player_id))])


def confirm(t: Translate, player_id: int, nonce: str) -> InlineKeyboardMarkup:
    return rows(
        [button(t("button-confirm-correction"), ConfirmCorrection(nonce=nonce), ButtonStyle.DANGER)],
        [button(t("button-cancel"), OpenPlayer(player=player_id))],
    )


def corrections(t: Translate, waiting: Iterable[Adjustment], admin: int) -> InlineKeyboardMarkup:
    return rows(
        *(_decisions(t, adjustment.id, own=adjustment.proposed_by == admin) for adjustment in waiting), [to_desk(t)]
    )


def decide(t: Translate, adjustment_id: int, player_id: int, *, own: bool) -> InlineKeyboardMarkup:
    return rows(_decisions(t, adjustment_id, own=own), [_to_player(t, player_id)])


def _decisions(t: Translate, adjustment_id: int, *, own: bool) -> list[InlineKeyboardButton]:
    """Nobody agrees to a proposal of one's own, but it can be taken back."""
    decline = DecideCorrection(adjustment=adjustment_id, agree=False)
    if own:
        return [button(t("button-take-back", id=adjustment_id), decline)]
    agree = DecideCorrection(adjustment=adjustment_id, agree=True)
    return [
        button(t("button-agree", id=adjustment_id), agree, ButtonStyle.SUCCESS),
        button(t("button-decline", id=adjustment_id), decline),
    ]


def _waiting(t: Translate, rights: frozenset[Right], count: int) -> list[InlineKeyboardButton]:
    shown = count and Right.MONEY in rights
    return [button(t("button-corrections", count=count), OpenCorrections())] if shown else []


def _to_player(t: Translate, player_id: int) -> InlineKeyboardButton:
    return button(t("button-to-player"), OpenPlayer(player=player_id))
