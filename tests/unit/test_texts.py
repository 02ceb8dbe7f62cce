"""The texts themselves: complete in both languages, safe and short enough. What they must not say: test_wording.py."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from fluent.runtime import FluentResource
from fluent.syntax import ast
from fluent.syntax.visitor import Visitor

from db.models import BroadcastState, Language, SignalResult
from db.money import Money
from handlers.errors import text_id
from handlers.texts import Texts, Translate, Value, signed
from services import errors
from services.providers import Reason

ROOT = Path(__file__).parents[2]
SOURCES = {
    language: FluentResource(
        "\n".join(
            file.read_text(encoding="utf-8")
            for file in sorted((ROOT / "handlers" / "locales" / language).glob("*.ftl"))
        )
    )
    for language in Language
}
IDS = sorted({entry.id.name for entry in SOURCES[Language.RU].body if isinstance(entry, ast.Message)})
TEXTS = Texts(timezone=ZoneInfo("Europe/Moscow"), default=Language.RU)
LONG_NAME = "<b>&" * 1000
# What a text may be given, each time the longest there is.
SAMPLES: dict[str, Value] = {
    "name": LONG_NAME,
    "label": LONG_NAME,
    "title": "T" * 24,
    "casino": "T" * 24,
    "provider": "stripe",
    "reason": "fraud-suspected",
    "kind": "withdrawal_release",
    "language": "Русский",
    "currency": "USDT",
    "code": "0123abcd",
    "payment": "p" * 400,
    "problem": "currency_differs",
    "error": "TimeoutError",
    "hash": "f" * 64,
    "day": "2026-11-20",
    "received": "—",
    "id": 2**63 - 1,
    "admin": 2**52,
    "seq": 2**63 - 1,
    "count": 22,
    "at": datetime(2026, 11, 20, 12, tzinfo=UTC),
    "until": datetime(2026, 11, 20, 12, tzinfo=UTC),
}
TOASTS = [
    *("stale-button", "slow-down", "deposit-still-pending", "deposit-declined", "temporarily-unavailable"),
    *("maintenance", "admin-replayed", "admin-let-go"),
]
REFUSALS = errors.DomainError.__subclasses__()
# What a wallet's history may show; money in suspense is nobody's yet.
KINDS = set(
    re.findall(
        r"'(\w+)'",
        re.findall(r"CREATE TYPE ledger_kind AS ENUM \((.*?)\);", (ROOT / "schema.sql").read_text(), re.DOTALL)[0],
    )
) - {"suspense"}
EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff]")


class Variables(Visitor):
    def __init__(self) -> None:
        self.names: set[str] = set()
        self.messages: set[str] = set()

    def visit_VariableReference(self, node: ast.VariableReference) -> None:  # noqa: N802
        self.names.add(node.id.name)

    def visit_MessageReference(self, node: ast.MessageReference) -> None:  # noqa: N802
        self.messages.add(node.id.name)


def entries(language: Language) -> list[ast.Message]:
    return [entry for entry in SOURCES[language].body if isinstance(entry, ast.Message)]


def variables(language: Language, name: str) -> set[str]:
    entry = next(entry for entry in entries(language) if entry.id.name == name)
    found = Variables()
    found.visit(entry)
    return found.names.union(*(variables(language, other) for other in found.messages))


def variants(language: Language, name: str) -> set[str]:
    entry = next(entry for entry in entries(language) if entry.id.name == name)
    assert entry.value is not None
    placeable = entry.value.elements[0]
    assert isinstance(placeable, ast.Placeable)
    select = placeable.expression
    assert isinstance(select, ast.SelectExpression)
    return {
        variant.key.name if isinstance(variant.key, ast.Identifier) else variant.key.value
        for variant in select.variants
    }


def shown(t: Translate, name: str, **given: Value) -> str:
    wanted = variables(t.language, name)
    money = Money(-(2**63), "USDT")
    return t(name, **{key: given.get(key, SAMPLES.get(key, money)) for key in wanted})


def every_text() -> Iterator[tuple[str, str]]:
    for language in Language:
        for name in IDS:
            yield f"{name} in {language}", shown(TEXTS.translator(language), name)


def test_both_languages_have_the_same_texts_once_with_the_same_variables() -> None:
    names = {language: [entry.id.name for entry in entries(language)] for language in Language}
    assert sorted(names[Language.RU]) == sorted(names[Language.EN]) == IDS
    for name in IDS:
        assert variables(Language.RU, name) == variables(Language.EN, name), name


def test_every_text_can_be_shown_and_fits_into_a_message() -> None:
    for where, text in every_text():
        assert text.strip() == text, where
        assert len(text) <= 4096, where
        assert not re.search(r"[{}]|\?\?\?", text), where


def test_every_text_is_html_that_telegram_takes() -> None:
    for where, text in every_text():
        opened: list[str] = []
        for closing, tag in re.findall(r"<(/?)(\w+)[^>]*>", text):
            if closing:
                assert opened.pop() == tag, where
            else:
                assert tag in {"b", "i", "code", "a"}, where
                opened.append(tag)
        assert not opened, where
        assert not re.search(r"&(?!amp;|lt;|gt;|quot;|#)", text), where


def test_every_text_is_used_and_every_text_used_exists() -> None:
    used: set[str] = set()
    sources = [
        *(ROOT / "handlers").rglob("*.py"),
        *(ROOT / "bot").glob("*.py"),
        *(ROOT / "services").glob("*.py"),
        *(ROOT / "webhooks").glob("*.py"),
    ]
    for source in sources:
        code = source.read_text(encoding="utf-8")
        used.update(re.findall(r'\bt\(\s*"([a-z0-9-]+)"', code))
        used.update(re.findall(r'"((?:deposit|admin|history)-[a-z-]+)"', code))
        # Ids also travel as values: in the outbox, in tables of what is shown when.
        used.update(set(IDS).intersection(re.findall(r'"([a-z0-9]+(?:-[a-z0-9]+)*)"', code)))
        for prefix in re.findall(r'"((?:[a-z]+-)+)\{', code):
            used.update(name for name in IDS if name.startswith(prefix))
    used.update(text_id(refusal) for refusal in REFUSALS)
    for language in Language:
        for entry in entries(language):
            found = Variables()
            found.visit(entry)
            used.update(found.messages)
    assert used == set(IDS)


def test_every_refusal_has_a_text_that_names_what_it_carries() -> None:
    for refusal in REFUSALS:
        carried = set(getattr(refusal, "__dataclass_fields__", {}))
        assert variables(Language.RU, text_id(refusal)) <= carried, refusal


@pytest.mark.parametrize("language", Language)
def test_what_is_shown_over_the_chat_is_short_and_plain(language: Language) -> None:
    t = TEXTS.translator(language)
    for name in [*TOASTS, "provider-failed", *(text_id(refusal) for refusal in REFUSALS)]:
        for reason in variants(language, "reason"):
            text = shown(t, name, reason=reason)
            assert len(text) <= 200, f"{name}: {len(text)}"
            assert "<" not in text, name


@pytest.mark.parametrize("language", Language)
def test_every_reason_and_every_movement_has_its_own_words(language: Language) -> None:
    assert set(Reason) <= variants(language, "reason")
    assert variants(language, "movement") >= KINDS


def test_a_command_of_the_menu_is_described_in_few_words() -> None:
    for language in Language:
        for name in (name for name in IDS if name.startswith(("command-", "button-"))):
            assert len(shown(TEXTS.translator(language), name, label="USD")) <= 40, name


def test_an_emoji_stands_only_at_the_head() -> None:
    for where, text in every_text():
        emoji = EMOJI.findall(text)
        assert len(emoji) <= 1, where
        assert not emoji or text.startswith(emoji[0]) or where.startswith("button-chosen"), where


def test_a_name_is_escaped_and_cut() -> None:
    t = TEXTS.translator(Language.EN)
    assert "&lt;script&gt; &amp; co" in t("welcome", name="<script> & co")
    assert len(t("welcome", name=LONG_NAME)) < 2500


def test_a_text_or_an_argument_that_is_missing_is_an_error() -> None:
    t = TEXTS.translator(Language.RU)
    with pytest.raises(LookupError):
        t("no-such-text")
    with pytest.raises(LookupError):
        t("welcome")


def test_money_times_and_counts_are_shown_as_people_read_them() -> None:
    t = TEXTS.translator(Language.RU)
    midnight = datetime(2026, 11, 20, 21, 5, tzinfo=UTC)
    line = t(
        "history-line",
        at=midnight,
        kind="deposit",
        provider="stripe",
        amount=signed(Money(1_234_50, "USD")),
        after=Money(2_000_00, "USD"),
    )
    assert line.replace("\u00a0", " ") == (
        "<b>+1 234.50 USD</b> · пополнение через Stripe\n21.11.2026 00:05 · баланс 2 000.00 USD"
    )
    assert signed(Money(-500, "USD")).replace("\u00a0", " ") == "-5.00 USD"
    assert signed(Money(0, "USD")).replace("\u00a0", " ") == "0.00 USD"
    assert "22 расхождения" in t("admin-verify-failed", count=22)
    assert "1000 расхождений" in t("admin-verify-failed", count=1000)
    assert "2 findings" in TEXTS.translator(Language.EN)("admin-verify-failed", count=2)


@pytest.mark.parametrize("status", [*SignalResult, BroadcastState.STOPPED, BroadcastState.DONE, "held", "succeeded"])
def test_what_is_decided_already_is_told_in_words_of_the_language(status: str) -> None:
    assert not re.search("[a-z]", TEXTS.translator(Language.RU)("already-decided", status=str(status)))


def test_a_language_that_we_do_not_speak_becomes_the_default() -> None:
    assert TEXTS.guess("en-GB").language is Language.EN
    assert TEXTS.guess("ru").language is Language.RU
    assert TEXTS.guess("de").language is Language.RU
    assert TEXTS.guess(None).language is Language.RU
    assert TEXTS.translator(None).language is Language.RU
