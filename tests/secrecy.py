"""No secret is in a log line of a test run, or said in a chat: every record of every test is looked at, and all that
the processes write that a test starts. What a test makes up as a secret is told here, or has the shape of one."""

import logging
import re
from collections.abc import Iterable, Iterator

from bot.logs import hush
from sandbox import Sandbox
from sandbox.world import BOT_TOKEN, POSTBACK_TOKEN, STRIPE_WEBHOOK_SECRET

_known = {BOT_TOKEN, POSTBACK_TOKEN, STRIPE_WEBHOOK_SECRET, "sandbox-key-which-protects-nothing"}
_SHAPES = re.compile(
    "|".join(
        (
            r"AAAAAAAA[\w-]{46}",  # the end of a link to a report, of which there are few
            r"\b[sr]k_(?:test|live)_\w",
            r"\bwhsec_\w",
            r"\bbot[0-9]+:[\w-]",  # in addresses of Telegram
            r"/postback/[a-z0-9]+/\w",
            r"postgres(?:ql)?://[^\s:/@]+:[^\s@]",
            # Where somebody is paid: a card's token, its digits, an account, a wallet.
            r"\bpt_\w",
            r"(?<![\w.-])[0-9](?:[ -]?[0-9]){15}(?![\w.-])",
            r"\b[0-9]{20}\b",
            r"\b(?:DE|GB|FR|NL|AT)[0-9]{2}(?: ?[A-Z0-9]{4}){3}",
            r"\bT[1-9A-HJ-NP-Za-km-z]{33}\b",
            r"\b0x[0-9a-fA-F]{40}\b",
        )
    )
)
_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


def keep(secrets: Iterable[str]) -> None:
    """These must not be seen from now on."""
    # An address of a database without a password is none, and each test has another.
    _known.update(secret for secret in secrets if not secret.startswith("postgres"))


def revealed(text: str) -> str | None:
    """A secret that is in the text."""
    for secret in _known:
        if secret in text:
            return secret
    shape = _SHAPES.search(text)
    return shape[0] if shape else None


class Ear(logging.Handler):
    """Hears every record as it is made, before it is cleaned: what has to be cleaned should not be there."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            text = str(record.msg)
        facts = [value for name, value in vars(record).items() if name not in _PLAIN]
        trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
        if found := revealed(f"{text} {facts or ''} {trace}"):
            self.heard.append(f"{found!r} in {record.name}: {text} {facts} {trace}")


def listen() -> Ear:
    """From now on, to what a running bot would write."""
    ear, root = Ear(), logging.getLogger()
    root.addHandler(ear)
    root.setLevel(logging.INFO)
    hush()
    return ear


def _said(world: Sandbox) -> Iterator[str]:
    for person in world.telegram.people.values():
        for message in person.shown:
            yield message.text
            for button in message.buttons:
                yield f"{button.text} {button.data} {button.url}"
        for toast in person.toasts:
            yield f"{toast.text} {toast.url}"
    for post in world.telegram.posts:
        yield post.text


def keeps_quiet(world: Sandbox) -> None:
    """Nobody was told a secret of the settings."""
    everything = "\n".join(_said(world))
    assert not [secret for secret in _known if secret in everything]
