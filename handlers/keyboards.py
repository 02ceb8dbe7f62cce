"""The buttons under a text."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from aiogram.enums import ButtonStyle
from aiogram.filters.callback_data import CallbackData
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

from db.models import (
    Asked,
    Language,
    Month,
    Movement,
    Page,
    PaymentMethod,
    Player,
    ProviderName,
    ReportFormat,
    Statement,
    WithdrawalMethod,
)
from db.money import Money
from handlers.admin.callbacks import OpenDesk
from handlers.callbacks import (
    Accept,
    AddMethod,
    AskDates,
    Charge,
    Check,
    Choose,
    Confirm,
    Count,
    DatesFor,
    DefaultCard,
    Export,
    Leave,
    Months,
    Narrow,
    News,
    Open,
    OpenCard,
    OpenMethod,
    OpenStatement,
    Pay,
    Picture,
    Place,
    RemoveCard,
    SignalNews,
    Speak,
    StatementFile,
    Tell,
    Turn,
    Type,
    pack_filter,
)
from handlers.texts import Translate, card_name
from services.casinos import CasinoPlace
from services.deposits import Offer
from services.periods import Named, Period
from services.wallets import Filter, Kind, Status

# More would push the amounts out of sight; the others are in the list of methods.
_CARDS_SHOWN = 5


def rules(t: Translate) -> InlineKeyboardMarkup:
    other = Language.EN if t.language is Language.RU else Language.RU
    return _rows(
        [_button(t("button-accept"), Accept(), ButtonStyle.SUCCESS)],
        [_place(t, Place.RULES), _button(t(f"language-{other}"), Speak(language=other))],
    )


def accept(t: Translate) -> InlineKeyboardMarkup:
    return _rows([_button(t("button-accept"), Accept(), ButtonStyle.SUCCESS)])


def menu(
    t: Translate, *, casinos: Sequence[str], staff: bool, places: Sequence[CasinoPlace] = ()
) -> InlineKeyboardMarkup:
    """`casinos`: the names of those whose players are ours; `staff`: somebody with a role looks; `places`: where the
    player may still register."""
    return _rows(
        *([register(t, place.title, place.url)] for place in places if place.url),
        [_place(t, Place.BALANCE), _place(t, Place.HISTORY)],
        [_place(t, Place.DEPOSIT), _place(t, Place.WITHDRAW)],
        [_place(t, Place.SIGNALS), casino(t, casinos)] if casinos else [],
        [_place(t, Place.METHODS), _place(t, Place.SETTINGS)],
        [_place(t, Place.HELP), _place(t, Place.RULES)],
        [to_desk(t)] if staff else [],
    )


def casino(t: Translate, titles: Sequence[str], *, below: bool = False) -> InlineKeyboardButton:
    """The way to the casino, by its name when it is the only one."""
    label = titles[0] if len(titles) == 1 else t("button-casino")
    return _button(label, Open(place=Place.CASINO, below=below))


def register(t: Translate, title: str, url: str) -> InlineKeyboardButton:
    """A player's own link to a casino."""
    return InlineKeyboardButton(text=t("button-casino-register", title=title), url=url)


def to_desk(t: Translate, *, below: bool = False) -> InlineKeyboardButton:
    """The way to the admins' panel, from the menu and from each of their rooms."""
    return _button(t("button-desk"), OpenDesk(below=below))


def to_menu(t: Translate, *, below: bool = False) -> InlineKeyboardMarkup:
    return _rows([_place(t, Place.MENU, below=below)])


def cancel(t: Translate) -> InlineKeyboardMarkup:
    return _rows([_cancel(t)])


def balance(t: Translate) -> InlineKeyboardMarkup:
    return _rows(
        [_place(t, Place.DEPOSIT), _place(t, Place.WITHDRAW)],
        [_place(t, Place.HISTORY), _place(t, Place.METHODS)],
        [_button(t("button-statistics"), Count(period=Named.THIRTY_DAYS)), _place(t, Place.EXPORT)],
        [_place(t, Place.MENU)],
    )


def credited(t: Translate) -> InlineKeyboardMarkup:
    return _rows([_place(t, Place.BALANCE, below=True), _place(t, Place.MENU, below=True)])


def history(t: Translate, wanted: Filter, page: Page[Movement] | Page[Asked]) -> InlineKeyboardMarkup:
    """A number for each line, the ways to other pages, and what else can be done with what is shown."""
    code = pack_filter(wanted)
    keys = [item.journal_id if isinstance(item, Movement) else item.id for item in page.items]
    numbers = [
        _button(str(number), Tell(code=code, key=key, before=keys[0] + 1)) for number, key in enumerate(keys, start=1)
    ]
    turns = []
    if page.newer is not None:
        turns.append(_button(t("button-newer"), Turn(code=code, after=page.newer)))
    if page.older is not None:
        turns.append(_button(t("button-older"), Turn(code=code, before=page.older)))
    return _rows(
        *(numbers[first : first + 4] for first in range(0, len(numbers), 4)),
        turns,
        [
            _button(t("button-filters"), Narrow(code=code)),
            _button(t("button-statistics"), Count(period=wanted.period.code)),
        ],
        [_place(t, Place.EXPORT), _place(t, Place.MENU)],
    )


def filters(t: Translate, wanted: Filter, currencies: Sequence[str]) -> InlineKeyboardMarkup:
    def choice(label: str, other: Filter) -> InlineKeyboardButton:
        return _choice(t, label, Narrow(code=pack_filter(other)), chosen=other == wanted)

    kinds = [choice(t("history-kind", kind=kind.name.lower()), replace(wanted, kind=kind)) for kind in Kind]
    statuses = [
        choice(t("history-status", status=status.name.lower()), replace(wanted, status=status)) for status in Status
    ]
    providers = [
        choice(t("history-any-provider"), replace(wanted, provider=None)),
        *(choice(t("provider", provider=name), replace(wanted, provider=name)) for name in ProviderName),
    ]
    moneys = [
        choice(t("history-any-currency"), replace(wanted, currency=None)),
        *(choice(currency, replace(wanted, currency=currency)) for currency in currencies),
    ]
    periods = [
        choice(t("period", period=name.name.lower()), replace(wanted, period=Period(name)))
        for name in (Named.ALL, Named.TODAY, Named.WEEK, Named.THIRTY_DAYS, Named.MONTH)
    ]
    dates = AskDates(purpose=DatesFor.HISTORY, code=pack_filter(wanted))
    periods.append(_choice(t, t("button-dates"), dates, chosen=wanted.period.own is not None))
    return _rows(
        kinds[:3],
        kinds[3:],
        statuses,
        providers,
        moneys if len(currencies) > 1 else [],
        periods[:3],
        periods[3:],
        [_button(t("button-show"), Turn(code=pack_filter(wanted)), ButtonStyle.PRIMARY)],
        [_place(t, Place.HISTORY), _place(t, Place.MENU)],
    )


def story(t: Translate, back: Turn) -> InlineKeyboardMarkup:
    return _rows([_button(t("button-back"), back), _place(t, Place.MENU)])


def statistics(t: Translate, period: Period, currencies: Sequence[str]) -> InlineKeyboardMarkup:
    periods = [
        _choice(t, t("period", period=name.name.lower()), Count(period=name), chosen=period.code == name)
        for name in (Named.TODAY, Named.WEEK, Named.THIRTY_DAYS, Named.MONTH, Named.ALL)
    ]
    dates = AskDates(purpose=DatesFor.STATISTICS, code=pack_filter(Filter()))
    periods.append(_choice(t, t("button-dates"), dates, chosen=period.own is not None))
    pictures = [_button(t("button-picture", currency=currency), Picture(currency=currency)) for currency in currencies]
    return _rows(
        periods[:3],
        periods[3:],
        pictures[:2],
        pictures[2:],
        [_place(t, Place.HISTORY), _place(t, Place.MENU)],
    )


def picture(t: Translate, currency: str, currencies: Sequence[str]) -> InlineKeyboardMarkup:
    others = [_choice(t, other, Picture(currency=other), chosen=other == currency) for other in currencies]
    return _rows(
        others if len(others) > 1 else [],
        [_button(t("button-back"), Count(period=Named.ALL)), _place(t, Place.MENU, below=True)],
    )


def export(t: Translate) -> InlineKeyboardMarkup:
    periods = [
        _button(t("period", period=name.name.lower()), Export(period=name))
        for name in (Named.MONTH, Named.LAST_MONTH, Named.THIRTY_DAYS, Named.YEAR, Named.ALL)
    ]
    dates = AskDates(purpose=DatesFor.EXPORT, code=pack_filter(Filter()))
    return _rows(
        periods[:2],
        periods[2:4],
        [*periods[4:], _button(t("button-dates"), dates)],
        [_button(t("button-statements"), Months())],
        [_cancel(t)],
    )


def export_format(t: Translate, period: Period) -> InlineKeyboardMarkup:
    formats = [_button(t("button-format", format=one), Export(period=period.code, format=one)) for one in ReportFormat]
    return _rows(formats, [_button(t("button-back"), Open(place=Place.EXPORT)), _cancel(t)])


def export_include(t: Translate, asked: Export, nonce: str) -> InlineKeyboardMarkup:
    """A tick for each part; the last one cannot be taken away."""
    parts = [("operations", 1), ("bets", 2)]
    if asked.format is ReportFormat.PDF:
        parts.append(("statistics", 4))
    toggles = []
    for name, bit in parts:
        other = asked.include ^ bit
        toggles.append(
            _choice(
                t,
                t("report-part", part=name),
                asked.model_copy(update={"include": other if _some(asked, other) else asked.include}),
                chosen=bool(asked.include & bit),
            )
        )
    return _rows(
        toggles,
        [_button(t("button-make"), asked.model_copy(update={"nonce": nonce}), ButtonStyle.PRIMARY)],
        [_button(t("button-back"), Export(period=asked.period)), _cancel(t)],
    )


def _some(asked: Export, include: int) -> bool:
    return include & (7 if asked.format is ReportFormat.PDF else 3) != 0


def report(t: Translate) -> InlineKeyboardMarkup:
    return _rows([_place(t, Place.EXPORT, below=True), _place(t, Place.MENU, below=True)])


def months(t: Translate, found: Sequence[Month], older: int | None) -> InlineKeyboardMarkup:
    titles = [
        _button(
            t("statement-button", month=one.month, year=one.year, currency=one.currency),
            OpenStatement(statement=one.statement_id),
        )
        for one in found
    ]
    more = [] if older is None else [_button(t("button-older"), Months(older=older))]
    return _rows(
        *([title] for title in titles),
        more,
        [_button(t("button-back"), Open(place=Place.EXPORT)), _place(t, Place.MENU)],
    )


def statement(t: Translate, found: Statement, nonce: str) -> InlineKeyboardMarkup:
    files = [
        _button(t("button-format", format=one), StatementFile(statement=found.id, format=one, nonce=nonce))
        for one in ReportFormat
    ]
    return _rows(files, [_button(t("button-back"), Months()), _place(t, Place.MENU)])


def settings(t: Translate, player: Player, *, casinos: Sequence[str]) -> InlineKeyboardMarkup:
    languages = [
        _choice(t, t(f"language-{language}"), Speak(language=language), chosen=language is t.language)
        for language in Language
    ]
    news = _button(t("button-news-on" if player.news else "button-news-off"), News(on=not player.news))
    signals = _button(
        t("button-signal-news-on" if player.signals else "button-signal-news-off"), SignalNews(on=not player.signals)
    )
    return _rows(languages, [news, signals] if casinos else [news], [_place(t, Place.METHODS)], [_place(t, Place.MENU)])


def providers(t: Translate, offers: Sequence[Offer]) -> InlineKeyboardMarkup:
    """One button for each provider, on its first currency; the others are offered beside the amounts."""
    first: dict[str, Offer] = {}
    for offer in offers:
        first.setdefault(offer.provider, offer)
    return _rows(*([_button(offer.label, _choose(offer))] for offer in first.values()), [_cancel(t)])


def amounts(
    t: Translate,
    offer: Offer,
    offers: Sequence[Offer],
    cards: Sequence[PaymentMethod],
    chosen: PaymentMethod | None,
    *,
    keep: bool,
    nonce: str,
) -> InlineKeyboardMarkup:
    """The kept cards, if any, before the amounts; a new card may be kept."""
    card = chosen.id if chosen else 0
    presets = [_button(str(amount), _amount(offer, amount, chosen, keep=keep, nonce=nonce)) for amount in offer.presets]
    currencies = [
        _choice(t, other.currency, _choose(other, keep=keep, card=card), chosen=other.currency == offer.currency)
        for other in offers
        if other.provider == offer.provider
    ]
    ways = [
        *(
            [_choice(t, card_name(t, kept), _choose(offer, card=kept.id), chosen=kept.id == card)]
            for kept in cards[:_CARDS_SHOWN]
        ),
        [_choice(t, t("button-new-card"), _choose(offer, keep=keep, card=0), chosen=chosen is None)],
    ]
    typed = Type(provider=offer.provider, currency=offer.currency, keep=keep, card=card)
    toggle = _button(t("button-keep-on" if keep else "button-keep-off"), _choose(offer, keep=not keep, card=0))
    return _rows(
        *(ways if cards else []),
        presets[:2],
        presets[2:4],
        [_button(t("button-other-amount"), typed)],
        [] if chosen else [toggle],
        currencies if len(currencies) > 1 else [],
        [_button(t("button-back"), Open(place=Place.DEPOSIT)), _cancel(t)],
    )


def _amount(offer: Offer, amount: Money, card: PaymentMethod | None, *, keep: bool, nonce: str) -> Pay | Confirm:
    if card is not None:
        return Confirm(card=card.id, currency=amount.currency, minor=amount.minor, nonce=nonce)
    return Pay(provider=offer.provider, currency=amount.currency, minor=amount.minor, nonce=nonce, keep=keep)


def charge(t: Translate, card: PaymentMethod, amount: Money, nonce: str) -> InlineKeyboardMarkup:
    pressed = Charge(card=card.id, currency=amount.currency, minor=amount.minor, nonce=nonce)
    back = Choose(provider=card.provider, currency=amount.currency, card=card.id)
    return _rows(
        [_button(t("button-pay", amount=amount), pressed, ButtonStyle.PRIMARY)],
        [_button(t("button-back"), back), _cancel(t)],
    )


def methods(t: Translate, cards: Sequence[PaymentMethod], payees: Sequence[WithdrawalMethod]) -> InlineKeyboardMarkup:
    return _rows(
        *([_button(card_name(t, kept), OpenCard(card=kept.id))] for kept in cards),
        *([_button(t("button-payee", method=payee.masked), OpenMethod(method=payee.id))] for payee in payees),
        [_button(t("button-add-method"), AddMethod())],
        [_place(t, Place.DEPOSIT), _place(t, Place.WITHDRAW)],
        [_place(t, Place.MENU)],
    )


def card(t: Translate, shown: PaymentMethod, offer: Offer | None) -> InlineKeyboardMarkup:
    """What can be done with a kept card; `offer`: how it pays, when it can."""
    return _rows(
        [_button(t("button-pay-with"), _choose(offer, card=shown.id), ButtonStyle.PRIMARY)] if offer else [],
        [] if shown.is_default else [_button(t("button-make-default"), DefaultCard(card=shown.id))],
        [_button(t("button-remove"), RemoveCard(card=shown.id))],
        [_button(t("button-back"), Open(place=Place.METHODS)), _place(t, Place.MENU)],
    )


def remove_card(t: Translate, card_id: int) -> InlineKeyboardMarkup:
    return _rows(
        [_button(t("button-remove-sure"), RemoveCard(card=card_id, sure=True), ButtonStyle.DANGER)],
        [_button(t("button-back"), OpenCard(card=card_id))],
    )


def to_methods(t: Translate) -> InlineKeyboardMarkup:
    return _rows([_place(t, Place.METHODS), _place(t, Place.MENU)])


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


def another_way(t: Translate) -> InlineKeyboardMarkup:
    return _rows(
        [_button(t("button-another-way"), Open(place=Place.DEPOSIT, below=True))],
        [_place(t, Place.METHODS, below=True), _place(t, Place.MENU, below=True)],
    )


def private(t: Translate, username: str) -> InlineKeyboardMarkup:
    return _rows([InlineKeyboardButton(text=t("button-private"), url=f"https://t.me/{username}")])


def _rows(*rows: Sequence[InlineKeyboardButton]) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(inline_keyboard=[list(row) for row in rows if row])


def _button(label: str, data: CallbackData, style: ButtonStyle | None = None) -> InlineKeyboardButton:
    return InlineKeyboardButton(text=label, callback_data=data.pack(), style=style)


@cache  # almost every keyboard has some of these
def _place(t: Translate, place: Place, *, below: bool = False) -> InlineKeyboardButton:
    return _button(t(f"button-{place}"), Open(place=place, below=below))


def _cancel(t: Translate) -> InlineKeyboardButton:
    return _button(t("button-cancel"), Open(place=Place.MENU))


def _choose(offer: Offer, *, keep: bool = False, card: int | None = None) -> Choose:
    return Choose(provider=offer.provider, currency=offer.currency, keep=keep, card=card)


def _choice(t: Translate, label: str, data: CallbackData, *, chosen: bool) -> InlineKeyboardButton:
    return _button(t("button-chosen", label=label) if chosen else label, data)


rows, button = _rows, _button
"""For keyboards that stand beside their handlers: those of the admins' rooms."""
