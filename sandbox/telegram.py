"""The bot's account at Telegram: the people who talk to it and the updates waiting for it."""

import mimetypes
import secrets
import time
from collections.abc import Callable

from sandbox.people import Bell, Channel, File, Json, Message, Person, Pressed

# Kept from a bot that does not ask for them: https://core.telegram.org/bots/api#getupdates
NOT_BY_DEFAULT = ("chat_member", "message_reaction", "message_reaction_count")
CHANNEL_ID, CHANNEL_TITLE, CHANNEL_USERNAME = -1001000000001, "Looseline News", "looseline_news"
IMAGES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"RIFF": "image/webp"}


class Telegram:
    def __init__(self, token: str, tell: Callable[[Json], None], watched: Callable[[], bool]) -> None:
        self.token = token
        self.tell, self.watched = tell, watched  # tells open chat pages what happened; whether there are any
        self.me = {"id": int(token.partition(":")[0]), "is_bot": True, "first_name": "Looseline"}
        self.me |= {"username": "looseline_bot"}
        self.people: dict[int, Person] = {}
        self.channels: dict[int, set[int]] = {CHANNEL_ID: set()}  # who is a member of those the bot may ask about
        self.posts: list[Message] = []  # in channels
        self.photos: set[str] = set()  # which of the files are
        self.files: dict[str, File] = {}
        self.commands: dict[tuple[str, str], list[Json]] = {}  # by scope and language
        self.descriptions: dict[str, str] = {}
        self.limits = False  # True: about one message a second to a chat and `rate` in all, then 429
        self.rate = 30.0
        self.updates: list[Json] = []
        self.allowed: list[str] = []  # the kinds of updates the bot asked for
        self.bell = Bell()
        self.queries: dict[str, Person] = {}  # presses not answered yet
        self.answers: dict[str, Pressed] = {}
        # Ids begin at the clock, so that a bot whose database outlives this process never meets one twice
        self._update_id = self._message_id = int(time.time()) - 1_700_000_000
        self._ticks = 0

    def person(
        self, telegram_id: int, first_name: str, username: str | None, language: str | None, started: bool
    ) -> Person:
        if telegram_id not in self.people:
            person = Person(self, telegram_id, first_name, username, language, started)
            self.people[telegram_id] = person
            self.show(person)
        return self.people[telegram_id]

    def channel(self, name: str) -> Channel | None:
        """By id or @username."""
        if name.lower() == f"@{CHANNEL_USERNAME}":
            name = str(CHANNEL_ID)
        if not name.lstrip("-").isdigit() or int(name) not in self.channels:
            return None
        ours = int(name) == CHANNEL_ID
        return Channel(self, int(name), CHANNEL_TITLE if ours else "Channel", CHANNEL_USERNAME if ours else None)

    def tick(self) -> int:
        """The next moment in the order of events; wakes everybody who waits for something to happen."""
        self._ticks += 1
        self.bell.ring()
        return self._ticks

    def next_message_id(self) -> int:
        self._message_id += 1
        return self._message_id

    # What people send

    def update(self, kind: str, content: Json) -> None:
        if kind in self.allowed if self.allowed else kind not in NOT_BY_DEFAULT:
            self._update_id += 1
            self.updates.append({"update_id": self._update_id, kind: content})
            self.bell.ring()

    def query(self, person: Person, data: str, message: Message) -> str:
        query = secrets.token_hex(9)
        self.queries[query] = person
        content = {"id": query, "from": person.user, "message": message.raw, "chat_instance": "-7777777"}
        self.update("callback_query", {**content, "data": data})
        return query

    def forget_queries(self) -> None:
        """As if minutes had passed: every press not yet answered is now too old to answer."""
        self.queries.clear()

    def membership(self, person: Person, old: str, new: str) -> None:
        """https://core.telegram.org/bots/api#chatmemberupdated"""
        content: Json = {"chat": person.chat, "from": person.user, "date": int(time.time())}
        for name, status in (("old_chat_member", old), ("new_chat_member", new)):
            limit = {"until_date": 0} if status == "kicked" else {}
            content[name] = {"user": self.me, "status": status, **limit}
        self.update("my_chat_member", content)
        self.show(person)

    def moved(self, person: Person, channel_id: int, old: str, new: str) -> None:
        """Somebody joined or left a channel: https://core.telegram.org/bots/api#chatmemberupdated"""
        channel = self.channel(str(channel_id))
        if channel is not None:
            content: Json = {"chat": channel.chat, "from": person.user, "date": int(time.time())}
            content["old_chat_member"] = {"user": person.user, "status": old}
            content["new_chat_member"] = {"user": person.user, "status": new}
            self.update("chat_member", content)

    def store(self, name: str, data: bytes) -> File:
        # A picture is what its bytes say it is; for the rest the name will do
        mime = next((mime for magic, mime in IMAGES.items() if data.startswith(magic)), None)
        if mime is None:
            guessed = mimetypes.guess_type(name)[0] or "image/"
            mime = "application/octet-stream" if guessed.startswith("image/") else guessed
        file = File(secrets.token_urlsafe(24), name, mime, data)
        self.files[file.id] = file
        return file

    def media(self, file: File, photo: bool) -> Json:
        """The part of a message that describes its file."""
        known = {"file_id": file.id, "file_unique_id": file.id[:16], "file_size": len(file.data)}
        if photo:
            self.photos.add(file.id)
            return {"photo": [{**known, "width": 800, "height": 600}]}
        return {"document": {**known, "file_name": file.name, "mime_type": file.mime}}

    # What the chat page shows

    def show(self, *people: Person) -> None:
        for person in (people or self.people.values()) if self.watched() else ():
            self.tell({"person": self.profile(person)})

    def profile(self, person: Person) -> Json:
        return {
            "id": person.id,
            "name": person.first_name,
            "username": person.username,
            "language": person.language_code,
            "started": person.started,
            "blocked": person.blocked,
            "keyboard": person.keyboard,
            "commands": self.commands_for(person),
            "about": self.descriptions.get(person.language_code or "") or self.descriptions.get("", ""),
        }

    def view(self, person: Person, message: Message) -> Json:
        file = message.file
        known = {"id": file.id, "name": file.name, "size": len(file.data)} if file else {}
        return {
            "person": person.id,
            "id": message.id,
            "bot": message.by_bot,
            "date": message.raw["date"],
            "edited": message.edited,
            "text": message.text,
            "entities": message.entities,
            "rows": message.raw.get("reply_markup", {}).get("inline_keyboard", []),
            "file": {**known, "photo": "photo" in message.raw} if file else None,
        }

    def commands_for(self, person: Person) -> list[Json]:
        """https://core.telegram.org/bots/api#determining-list-of-commands"""
        for scope in (f"chat:{person.id}", "all_private_chats", "default"):
            for language in (person.language_code or "", ""):
                if found := self.commands.get((scope, language)):
                    return found
        return []
