"""People who chat with the bot: what they see, and what they do as a test or the chat page tells them."""

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from sandbox.entities import Entity, tidy

if TYPE_CHECKING:
    from sandbox.telegram import Telegram

Json = dict[str, Any]
T = TypeVar("T")


class Bell:
    """Wakes everybody who waits; ringing needs no lock, so any synchronous code may ring."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        self._event.set()
        self._event = asyncio.Event()

    async def until(self, check: Callable[[], T | None], timeout: float) -> T | None:
        """What `check` finds, looked for again at each ring; None when `timeout` seconds have passed."""
        try:
            async with asyncio.timeout(timeout):
                while True:
                    event, found = self._event, check()
                    if found is not None:
                        return found
                    await event.wait()
        except TimeoutError:
            return None


@dataclass(frozen=True)
class Button:
    text: str
    data: str | None
    url: str | None
    raw: Json


@dataclass(frozen=True)
class File:
    id: str
    name: str
    mime: str
    data: bytes


@dataclass(frozen=True)
class Pressed:
    """What a press led to: the toast or alert the bot answered with, or the link the button opens."""

    text: str | None = None
    alert: bool = False
    url: str | None = None


@dataclass(eq=False)
class Message:
    """One message, as Telegram keeps it (`raw`), and when in the order of events it last changed."""

    raw: Json
    by_bot: bool
    changed: int = 0
    file: File | None = None

    @property
    def id(self) -> int:
        return int(self.raw["message_id"])

    @property
    def text(self) -> str:
        return str(self.raw.get("text") or self.raw.get("caption") or "")

    @property
    def entities(self) -> list[Entity]:
        return list(self.raw.get("entities") or self.raw.get("caption_entities") or [])

    @property
    def edited(self) -> bool:
        return "edit_date" in self.raw

    @property
    def rows(self) -> list[list[Button]]:
        keyboard = self.raw.get("reply_markup", {}).get("inline_keyboard", [])
        return [[Button(b["text"], b.get("callback_data"), b.get("url"), b) for b in row] for row in keyboard]

    @property
    def buttons(self) -> list[Button]:
        return [button for row in self.rows for button in row]

    @property
    def labels(self) -> list[str]:
        return [button.text for button in self.buttons]

    def has(self, words: str | re.Pattern[str]) -> bool:
        places = [self.text, *self.labels, self.file.name if self.file else ""]
        return any(words in place if isinstance(words, str) else words.search(place) for place in places)

    def button(self, words: str) -> Button | None:
        """By callback data or exact label, else by a part of the label."""
        exact = [b for b in self.buttons if words in (b.text, b.data)]
        return next(iter(exact or [b for b in self.buttons if words.casefold() in b.text.casefold()]), None)


class Channel:
    """Where the bot posts as its administrator; `telegram.channels` says who is a member."""

    def __init__(self, telegram: "Telegram", channel_id: int, title: str, username: str | None) -> None:
        self.telegram, self.id, self.title, self.username = telegram, channel_id, title, username

    @property
    def chat(self) -> Json:
        named = {} if self.username is None else {"username": self.username}
        return {"id": self.id, "type": "channel", "title": self.title, **named}

    @property
    def link(self) -> str:
        """Where people join, as its administrators get it."""
        return f"https://t.me/+{abs(self.id)}"

    def find(self, message_id: int) -> Message | None:
        mine = (post for post in self.telegram.posts if post.raw["chat"]["id"] == self.id)
        return next((post for post in mine if post.id == message_id), None)

    def keep(self, post: Message) -> Message:
        if not post.changed:
            self.telegram.posts.append(post)
        post.changed = self.telegram.tick()
        return post

    def lose(self, message_id: int) -> bool:
        if (post := self.find(message_id)) is None:
            return False
        self.telegram.posts.remove(post)
        self.telegram.tick()
        return True


@dataclass(eq=False)
class Person:
    """Somebody with a Telegram account. See the package docstring for how tests talk to one."""

    telegram: "Telegram"
    id: int
    first_name: str
    username: str | None = None
    language_code: str | None = "ru"
    started: bool = True  # False: never wrote to the bot, so Telegram does not let the bot write first
    blocked: bool = False
    deactivated: bool = False
    messages: list[Message] = field(default_factory=list)
    toasts: list[Pressed] = field(default_factory=list)
    keyboard: Json | None = None  # the reply keyboard under the input field
    bell: Bell = field(default_factory=Bell)  # this chat's own, as thousands may wait for their messages
    _acted: int = 0  # when the person last did something
    _said: bool = False  # and that it was a message, not a press

    @property
    def user(self) -> Json:
        names = {"username": self.username, "language_code": self.language_code}
        known = {key: value for key, value in names.items() if value is not None}
        return {"id": self.id, "is_bot": False, "first_name": self.first_name, **known}

    @property
    def chat(self) -> Json:
        named = {} if self.username is None else {"username": self.username}
        return {"id": self.id, "type": "private", "first_name": self.first_name, **named}

    @property
    def shown(self) -> list[Message]:
        return [message for message in self.messages if message.by_bot]

    @property
    def last(self) -> Message | None:
        return self.shown[-1] if self.shown else None

    def find(self, message_id: int) -> Message | None:
        return next((m for m in reversed(self.messages) if m.id == message_id), None)

    def transcript(self) -> str:
        lines = []
        for message in self.messages:
            buttons = "".join(f" [{label}]" for label in message.labels)
            file = f" ({message.file.name})" if message.file else ""
            lines.append(f"{'bot' if message.by_bot else self.first_name}: {message.text}{file}{buttons}")
        return "\n".join([*lines, *(f"toast: {toast.text}" for toast in self.toasts)]) or "(empty)"

    # What the person does

    def write(
        self, text: str, file: File | None = None, photo: bool = False, entities: Sequence[Entity] = ()
    ) -> Message:
        """Sends a message to the bot; a blocked bot is unblocked by writing to it, as in the apps."""
        self.unblock()
        self.started = True
        text, entities = tidy(text, list(entities))
        words = {"text": text} if file is None else self.telegram.media(file, photo)
        found = {"caption": text, "caption_entities": entities} if file else {"entities": entities}
        content = words | {name: value for name, value in found.items() if value}
        raw = {"message_id": self.telegram.next_message_id(), "from": self.user, "chat": self.chat}
        raw |= {"date": int(time.time()), **content}
        message = self.keep(Message(raw, by_bot=False, file=file))
        self._acted, self._said = message.changed, True
        self.telegram.update("message", raw)
        return message

    def press(self, data: str, message: Message) -> str:
        """Presses a callback button; answers the query's id."""
        self._acted, self._said = self.telegram.tick(), False
        return self.telegram.query(self, data, message)

    def block(self) -> None:
        if not self.blocked:
            self.blocked = True
            self.telegram.membership(self, "member", "kicked")

    def unblock(self) -> None:
        if self.blocked:
            self.blocked = False
            self.telegram.membership(self, "kicked", "member")

    def join(self, channel_id: int) -> None:
        """Becomes a member of a channel. LookupError: there is no such channel."""
        if self.id not in self.telegram.channels[channel_id]:
            self.telegram.channels[channel_id].add(self.id)
            self.telegram.moved(self, channel_id, "left", "member")

    def leave(self, channel_id: int) -> None:
        if self.id in self.telegram.channels[channel_id]:
            self.telegram.channels[channel_id].remove(self.id)
            self.telegram.moved(self, channel_id, "member", "left")

    def deactivate(self) -> None:
        """Deletes the account: from now on the bot gets 403 `user is deactivated`."""
        self.deactivated = True

    def keep(self, message: Message) -> Message:
        if not message.changed:
            self.messages.append(message)
        message.changed = self.telegram.tick()
        self.bell.ring()
        if self.telegram.watched():
            self.telegram.tell({"message": self.telegram.view(self, message)})
        return message

    def lose(self, message_id: int) -> bool:
        """A message is deleted for both sides; False if there is none."""
        if (message := self.find(message_id)) is None:
            return False
        self.messages.remove(message)
        self.telegram.tick()
        self.bell.ring()
        self.telegram.tell({"deleted": {"person": self.id, "id": message_id}})
        return True

    # The same in words for tests

    async def says(self, text: str, entities: Sequence[Entity] = ()) -> Message:
        return self.write(text, entities=entities)

    async def sends(self, data: bytes, name: str, caption: str = "", photo: bool = False) -> Message:
        return self.write(caption, self.telegram.store(name, data), photo)

    async def blocks(self) -> None:
        self.block()

    async def unblocks(self) -> None:
        self.unblock()

    async def joins(self, channel_id: int) -> None:
        self.join(channel_id)

    async def leaves(self, channel_id: int) -> None:
        self.leave(channel_id)

    async def sees(self, words: str | re.Pattern[str], timeout: float = 10) -> Message:
        """Waits for a message of the bot, new or edited since the last act, that has these words."""
        return await self._wait(lambda message: message.has(words), timeout, False, f"see {words!r}")

    async def wait_for(self, check: Callable[[Message], bool], timeout: float = 10, *, old: bool = False) -> Message:
        """Waits for a message of the bot that `check` accepts, also an `old` one from before the last act."""
        return await self._wait(check, timeout, old, "see what was waited for")

    async def _wait(self, check: Callable[[Message], bool], timeout: float, old: bool, what: str) -> Message:
        def look() -> Message | None:
            seen = (message for message in reversed(self.shown) if old or message.changed > self._acted)
            return next((message for message in seen if check(message)), None)

        message = await self.bell.until(look, timeout)
        if message is None:
            raise AssertionError(f"{self.first_name} did not {what} in {timeout} s. Chat:\n{self.transcript()}")
        return message

    async def presses(self, words: str, *, on: Message | None = None, timeout: float = 10) -> Pressed:
        """Presses the newest button with this label or callback data once it is there; waits for the answer.

        After something was said the bot must have reacted, so that no old button is pressed in haste.
        """

        def ready(message: Message) -> bool:
            reacted = not self._said or any(shown.changed > self._acted for shown in self.shown)
            return reacted and on in (None, message) and message.button(words) is not None

        message = await self._wait(ready, timeout, True, f"see a button {words!r}")
        button = message.button(words)
        if button is None or button.url is not None:
            return Pressed(url=button.url if button else None)
        return await self.taps(button.data or "", on=message, timeout=timeout)

    async def taps(self, data: str, *, on: Message | None = None, timeout: float = 10) -> Pressed:
        """Sends callback data as a button of that message would, whether it has such a button or not."""
        message = on or self.shown[-1]
        query = self.press(data, message)
        answer = await self.bell.until(lambda: self.telegram.answers.get(query), timeout)
        if answer is None:
            raise AssertionError(f"No answer to the button {data!r} in {timeout} s. Chat:\n{self.transcript()}")
        return answer
