"""The buttons under a text."""

from collections.abc import Sequence

from aiogram.enums import ButtonStyle
from aiogram.filters.callback_data import CallbackData
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

from db.models import Language, Movement, Page
from db.money import Money
from handlers.callbacks import Accept, Check, Choose, Leave, Open, Pay, Place, Speak, Turn, Type
from handlers.texts import Translate
from services.deposits import Offer


def rules(t: Translate) -> InlineKeyboardMarkup:
    other = Language.EN if t.language is Language.RU else Language.RU
    return _rows(
        [_button(t("button-accept"), Accept(), ButtonStyle.SUCCESS)],
        [_place(t, Place.RULES), _button(t(f"language-{other}"), Speak(language=other))],
    )


def accept(t: Translate) -> InlineKeyboardMarkup:
    return _rows([_button(t("button-accept"), Accept(), ButtonStyle.SUCCESS)])


def menu(t: Translate) -> InlineKeyboardMarkup:
    return _rows(
        [_place(t, Place.BALANCE), _place(t, Place.DEPOSIT)],
        [_place(t, Place.HISTORY), _place(t, Place.SETTINGS)],
        [_place(t, Place.HELP), _place(t, Place.RULES)],
    )


def to_menu(t: Translate, *, below: bool = False) -> InlineKeyboardMarkup:
    return _rows([_place(t, Place.MENU, below=below)])


def cancel(t: Translate) -> InlineKeyboardMarkup:
    return _rows([_cancel(t)])


def balance(t: Translate) -> InlineKeyboardMarkup:
    return _rows([_place(t, Place.DEPOSIT), _place(t, Place.HISTORY)], [_place(t, Place.MENU)])


def credited(t: Translate) -> InlineKeyboardMarkup:
    return _rows([_place(t, Place.BALANCE, below=True), _place(t, Place.MENU, below=True)])


def history(t: Translate, page: Page[Movement]) -> InlineKeyboardMarkup:
    turns = []
    if page.newer is not None:
        turns.append(_button(t("button-newer"), Turn(after=page.newer)))
    if page.older is not None:
        turns.append(_button(t("button-older"), Turn(before=page.older)))
    return _rows(turns, [_place(t, Place.MENU)])


def settings(t: Translate) -> InlineKeyboardMarkup:
    languages = [
        _choice(t, t(f"language-{language}"), Speak(language=language), chosen=language is t.language)
        for language in Language
    ]
    return _rows(languages, [_place(t, Place.MENU)])


def providers(t: Translate, offers: Sequence[Offer]) -> InlineKeyboardMarkup:
    """One button for each provider, on its first currency; the others are offered beside the amounts."""
    first: dict[str, Offer] = {}
    for offer in offers:
        first.setdefault(offer.provider, offer)
    return _rows(*([_button(offer.label, _choose(offer))] for offer in first.values()), [_cancel(t)])


def amounts(t: Translate, offer: Offer, offers: Sequence[Offer], nonce: str) -> InlineKeyboardMarkup:
    presets = [
        _button(
            str(amount),
            Pay(provider=offer.provider, currency=offer.currency, minor=amount.minor, nonce=nonce),
        )
        for amount in offer.presets
    ]
    currencies = [
        _choice(t, other.currency, _choose(other), chosen=other.currency == offer.currency)
        for other in offers
        if other.provider == offer.provider
    ]
    return _rows(
        presets[:2],
        presets[2:4],
        [_button(t("button-other-amount"), Type(provider=offer.provider, currency=offer.currency))],
        currencies if len(currencies) > 1 else [],
        [_button(t("button-back"), Open(place=Place.DEPOSIT)), _cancel(t)],
    )


def pay(t: Translate, amount: Money, url: str, operation_id: int) -> InlineKeyboardMarkup:
    return _rows(
        [InlineKeyboardButton(text=t("button-pay", amount=amount), url=url, style=ButtonStyle.PRIMARY)],
        [_button(t("button-check"), Check(operation=operation_id))],
        [_button(t("button-cancel"), Leave(operation=operation_id))],
    )


def check(t: Translate, operation_id: int) -> InlineKeyboardMarkup:
    return _rows([_button(t("button-check"), Check(operation=operation_id))], [_place(t, Place.MENU, below=True)])


def retry(t: Translate) -> InlineKeyboardMarkup:
    return _rows([_place(t, Place.DEPOSIT, below=True), _place(t, Place.MENU, below=True)])


def private(t: Translate, username: str) -> InlineKeyboardMarkup:
    return _rows([InlineKeyboardButton(text=t("button-private"), url=f"https://t.me/{username}")])


def _rows(*rows: Sequence[InlineKeyboardButton]) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(inline_keyboard=[list(row) for row in rows if row])


def _button(label: str, data: CallbackData, style: ButtonStyle | None = None) -> InlineKeyboardButton:
    return InlineKeyboardButton(text=label, callback_data=data.pack(), style=style)


def _place(t: Translate, place: Place, *, below: bool = False) -> InlineKeyboardButton:
    return _button(t(f"button-{place}"), Open(place=place, below=below))


def _cancel(t: Translate) -> InlineKeyboardButton:
    return _button(t("button-cancel"), Open(place=Place.MENU))


def _choose(offer: Offer) -> Choose:
    return Choose(provider=offer.provider, currency=offer.currency)


def _choice(t: Translate, label: str, data: CallbackData, *, chosen: bool) -> InlineKeyboardButton:
    return _button(t("button-chosen", label=label) if chosen else label, data)
