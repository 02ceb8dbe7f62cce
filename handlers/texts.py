"""Every word people see: looked up in locales/, with the values put in ready to be shown as HTML."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from html import escape, unescape
from pathlib import Path
from zoneinfo import ZoneInfo

from fluent.runtime import FluentBundle, FluentResource
from fluent.runtime.types import FluentType, fluent_number
from fluent.syntax.ast import Junk, Resource

from db.models import Language, PaymentMethod
from db.money import Money

Value = Money | datetime | str | int

# Names come with up to thousands of characters, a message has room for 4,096.
_LONGEST = 256


@dataclass(frozen=True, slots=True)
class Translate:
    """The texts of one language."""

    language: Language
    _bundle: FluentBundle
    _timezone: ZoneInfo

    def __call__(self, text_id: str, /, **arguments: Value) -> str:
        """The text as HTML. Raises LookupError when there is no such text, or an argument is missing."""
        message = self._bundle.get_message(text_id)
        shown = {name: self._shown(value) for name, value in arguments.items()}
        text, problems = self._bundle.format_pattern(message.value, shown) if message.value else (None, [])
        if problems or not isinstance(text, str):
            raise LookupError(f"{text_id} in {self.language}: {problems}")
        return text

    def plain(self, text_id: str, /, **arguments: Value) -> str:
        """The same for what is no HTML: a file's name, a document, a picture. Only for texts without tags."""
        return unescape(self(text_id, **arguments))

    def _shown(self, value: Value) -> FluentType | str:
        match value:
            case datetime():
                return value.astimezone(self._timezone).strftime("%d.%m.%Y %H:%M")
            case Money():
                return str(value)
            case int():
                return fluent_number(value, useGrouping=False)
            case _:
                return escape(value if len(value) <= _LONGEST else value[: _LONGEST - 1] + "…")


class Texts:
    """Both languages, read once. `default` is for people whose language we do not speak."""

    def __init__(self, *, timezone: ZoneInfo, default: Language) -> None:
        self._translators = {language: Translate(language, _bundle(language), timezone) for language in Language}
        self._default = default

    def translator(self, language: Language | None) -> Translate:
        return self._translators[language or self._default]

    def guess(self, language_code: str | None) -> Translate:
        """For somebody of whom only Telegram's language code is known."""
        spoken = (language_code or "").partition("-")[0].lower()
        return self.translator(Language(spoken) if spoken in set(Language) else None)


def card_name(t: Translate, card: PaymentMethod) -> str:
    """`Visa •• 4242`; without a number, what it is."""
    brand = (card.brand or card.payment_type).lower()
    return t("card-brand", brand=brand) if card.last4 is None else t("card-name", brand=brand, last4=card.last4)


def signed(money: Money) -> str:
    """A change of a balance: `+50.00 USD`, `-20.00 USD`."""
    return f"+{money}" if money.minor > 0 else str(money)


def rate(percent: Decimal | None) -> str:
    """`31.58 %`; a dash for what there is no rate of."""
    return "—" if percent is None else f"{percent}\N{NO-BREAK SPACE}%"


def _bundle(language: Language) -> FluentBundle:
    bundle = FluentBundle([language], use_isolating=False)
    for source in sorted((Path(__file__).with_name("locales") / language).glob("*.ftl")):
        bundle.add_resource(_resource(source))
    return bundle


@cache  # reading them takes longer than everything else at a start
def _resource(source: Path) -> Resource:
    resource = FluentResource(source.read_text(encoding="utf-8"))
    if junk := [entry for entry in resource.body if isinstance(entry, Junk)]:
        raise ValueError(f"{source.parent.name}/{source.name} cannot be read: {junk[0].content}")
    return resource
