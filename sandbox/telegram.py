"""Telegram's Bot API for private chats: https://core.telegram.org/bots/api"""

import asyncio
import json
import mimetypes
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from sandbox.entities import CannotParse, Entity, parse_html, tidy
from sandbox.people import Bell, File, Json, Message, Person, Pressed

# They change nothing that the sandbox shows, and answer true
ACCEPTED = re.compile(
    r"(?i)(un)?pin[a-z]+|(un)?banChatMember|restrictChatMember|leaveChat|logOut|close|deleteChatPhoto|sendMessageDraft|"
    r"answer(PreCheckout|Shipping)Query|set(My(Name|ShortDescription|DefaultAdministratorRights)|ChatMenuButton|"
    r"MessageReaction|Chat(Title|Description|Permissions))"
)
# Methods that begin like this may exist, and only the sandbox lacks them
VERBS = re.compile(
    r"(?i)(send|edit|get|set|copy|forward|create|delete|answer|refund|stop|save|post|upload)[a-z]+$"
)
# Kept from a bot that does not ask for them: https://core.telegram.org/bots/api#getupdates
NOT_BY_DEFAULT = frozenset(["chat_member", "message_reaction", "message_reaction_count"])
IMAGES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"RIFF": "image/webp"}
MEGABYTE = 1 << 20


class ApiError(Exception):
    def __init__(self, code: int, words: str, **parameters: int) -> None:
        super().__init__(words)
        self.code, self.words, self.parameters = code, words, parameters


def bad(words: str) -> ApiError:
    return ApiError(400, f"Bad Request: {words}")


@dataclass
class Params:
    """A call's fields, whichever of the four ways they were sent; structured ones may be JSON in a string."""

    fields: Mapping[str, Any]
    files: Mapping[str, tuple[str, bytes]] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return self.fields.get(name) not in (None, "")

    def text(self, name: str) -> str:
        value = self.fields.get(name)
        return "" if value is None else str(value)

    def number(self, name: str, default: int = 0) -> int:
        try:
            return int(self.fields[name]) if name in self else default
        except ValueError:
            raise bad(f'invalid parameter "{name}"') from None

    def flag(self, name: str) -> bool:
        return self.text(name).lower() in ("true", "1")

    def structure(self, name: str) -> Any:
        value = self.fields.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value) if value else None
        except ValueError:
            raise bad(f"can't parse {name.replace('_', ' ')} JSON object") from None


@dataclass
class Webhook:
    url: str
    secret: str
    task: asyncio.Task[None]
    last_error: tuple[int, str] | None = None


class Bucket:
    """Tokens that refill with time; `wait` says how many seconds are missing for one more."""

    def __init__(self, size: float, rate: float) -> None:
        self.size, self.rate, self.level, self.at = size, rate, size, time.monotonic()

    def wait(self) -> float:
        now = time.monotonic()
        self.level = min(self.size, self.level + (now - self.at) * self.rate)
        self.at = now
        if self.level >= 1:
            self.level -= 1
            return 0
        return (1 - self.level) / self.rate


class Telegram:
    """The bot's account, the people who talk to it and the updates waiting for it."""

    def __init__(self, token: str, tell: Callable[[Json], None]) -> None:
        self.token = token
        self.tell = tell  # tells open chat pages what happened
        self.me: Json = {
            "id": int(token.partition(":")[0]),
            "is_bot": True,
            "first_name": "Looseline",
            "username": "looseline_bot",
            "can_join_groups": False,
            "can_read_all_group_messages": False,
            "supports_inline_queries": False,
        }
        self.people: dict[int, Person] = {}
        self.channels: dict[int, set[int]] = {}  # who is a member of the channels the bot may ask about
        self.files: dict[str, File] = {}
        self.commands: dict[tuple[str, str], list[Json]] = {}
        self.description = ""
        self.limits = False  # True: about one message a second to a chat and thirty in all, then 429
        self.bell = Bell()
        self.answers: dict[str, Pressed] = {}
        self.methods: dict[str, Callable[[Params], Awaitable[Any]]] = {
            "getme": self._get_me,
            "getupdates": self._get_updates,
            "setwebhook": self._set_webhook,
            "deletewebhook": self._delete_webhook,
            "getwebhookinfo": self._get_webhook_info,
            "setmycommands": self._set_my_commands,
            "getmycommands": self._get_my_commands,
            "deletemycommands": self._delete_my_commands,
            "setmydescription": self._set_my_description,
            "sendmessage": self._send_message,
            "senddocument": self._send_document,
            "sendphoto": self._send_photo,
            "sendchataction": self._send_chat_action,
            "editmessagetext": self._edit_message_text,
            "editmessagecaption": self._edit_message_caption,
            "editmessagemedia": self._edit_message_media,
            "editmessagereplymarkup": self._edit_message_reply_markup,
            "deletemessage": self._delete_message,
            "deletemessages": self._delete_messages,
            "answercallbackquery": self._answer_callback_query,
            "getchat": self._get_chat,
            "getchatmember": self._get_chat_member,
            "getfile": self._get_file,
        }
        # Ids begin at the clock, so that a bot whose database outlives this process never meets one twice
        self._update_id = self._message_id = int(time.time()) - 1_700_000_000
        self._ticks = 0
        self._updates: list[Json] = []
        self._allowed: list[str] = []
        self._poller = 0
        self._stopped = False
        self._queries: dict[str, Person] = {}
        self._webhook: Webhook | None = None
        self._overall = Bucket(30, 30)
        self._per_chat: dict[int, Bucket] = {}

    # What the world asks of it

    def person(
        self, telegram_id: int, first_name: str, username: str | None, language: str | None, started: bool
    ) -> Person:
        if telegram_id not in self.people:
            person = Person(self, telegram_id, first_name, username, language, started)
            self.people[telegram_id] = person
            self.tell({"person": self.profile(person)})
        return self.people[telegram_id]

    def tick(self) -> int:
        """The next moment in the order of events; wakes everybody who waits for something to happen."""
        self._ticks += 1
        self.bell.ring()
        return self._ticks

    def next_message_id(self) -> int:
        self._message_id += 1
        return self._message_id

    def store(self, name: str, data: bytes) -> File:
        # A picture is what its bytes say it is; for the rest the name will do
        picture = next((mime for magic, mime in IMAGES.items() if data.startswith(magic)), None)
        guessed = mimetypes.guess_type(name)[0] or ""
        mime = picture or (
            guessed if guessed and not guessed.startswith("image/") else "application/octet-stream"
        )
        file = File(secrets.token_urlsafe(24), name, mime, data)
        self.files[file.id] = file
        return file

    def media(self, file: File, photo: bool) -> Json:
        """The part of a message that describes its file."""
        common = {"file_id": file.id, "file_unique_id": file.id[:16], "file_size": len(file.data)}
        if photo:
            return {"photo": [{**common, "width": 800, "height": 600}]}
        return {"document": {**common, "file_name": file.name, "mime_type": file.mime}}

    def update(self, kind: str, content: Json) -> None:
        if kind in self._allowed if self._allowed else kind not in NOT_BY_DEFAULT:
            self._update_id += 1
            self._updates.append({"update_id": self._update_id, kind: content})
            self.bell.ring()

    def query(self, person: Person, data: str, message: Message) -> str:
        query = secrets.token_hex(9)
        self._queries[query] = person
        content = {
            "id": query,
            "from": person.user,
            "message": message.raw,
            "chat_instance": "-7777777",
            "data": data,
        }
        self.update("callback_query", content)
        return query

    def forget_queries(self) -> None:
        """As if minutes had passed: every press not yet answered is now too old to answer."""
        self._queries.clear()

    def membership(self, person: Person, old: str, new: str) -> None:
        bot = {key: self.me[key] for key in ("id", "is_bot", "first_name", "username")}
        states = [
            {"user": bot, "status": status} | ({"until_date": 0} if status == "kicked" else {})
            for status in (old, new)
        ]
        content = {"chat": person.chat, "from": person.user, "date": int(time.time())}
        self.update("my_chat_member", {**content, "old_chat_member": states[0], "new_chat_member": states[1]})
        self.tell({"person": self.profile(person)})

    def profile(self, person: Person) -> Json:
        """A person as the chat page shows one."""
        return {
            "id": person.id,
            "name": person.first_name,
            "username": person.username,
            "language": person.language_code,
            "started": person.started,
            "blocked": person.blocked,
            "keyboard": person.keyboard,
            "commands": self.commands_for(person),
        }

    def view(self, person: Person, message: Message) -> Json:
        """A message as the chat page shows one."""
        file = message.file
        return {
            "person": person.id,
            "id": message.id,
            "bot": message.by_bot,
            "date": message.raw["date"],
            "edited": message.edited,
            "text": message.text,
            "entities": message.entities,
            "rows": message.raw.get("reply_markup", {}).get("inline_keyboard", []),
            "file": {
                "id": file.id,
                "name": file.name,
                "size": len(file.data),
                "photo": "photo" in message.raw,
            }
            if file
            else None,
        }

    def commands_for(self, person: Person) -> list[Json]:
        """https://core.telegram.org/bots/api#determining-list-of-commands"""
        for scope in (f"chat:{person.id}", "all_private_chats", "default"):
            for language in (person.language_code or "", ""):
                if found := self.commands.get((scope, language)):
                    return found
        return []

    async def stop(self) -> None:
        self._stopped = True
        self.bell.ring()
        await self._drop_webhook()

    # The HTTP side

    def routes(self) -> list[web.RouteDef]:
        return [
            web.route("*", "/bot{token}/{method}", self._call),
            web.get("/file/bot{token}/{path:.+}", self._download),
        ]

    async def _download(self, request: web.Request) -> web.Response:
        file = self.files.get(request.match_info["path"].partition("/")[2])
        if request.match_info["token"] != self.token or file is None:
            raise web.HTTPNotFound
        return web.Response(body=file.data, content_type="application/octet-stream")

    async def _call(self, request: web.Request) -> web.Response:
        try:
            if request.match_info["token"] != self.token:
                raise ApiError(401, "Unauthorized")
            params = await self._params(request)
            return web.json_response(
                {"ok": True, "result": await self.execute(request.match_info["method"], params)}
            )
        except ApiError as error:
            body: Json = {"ok": False, "error_code": error.code, "description": error.words}
            if error.parameters:
                body["parameters"] = error.parameters
            return web.json_response(body, status=error.code)

    async def execute(self, method: str, params: Params) -> Any:
        if ACCEPTED.fullmatch(method):
            return True
        if (run := self.methods.get(method.lower())) is None:
            if VERBS.match(method):
                raise bad("the sandbox does not speak this method")
            raise ApiError(404, "Not Found")
        return await run(params)

    async def _params(self, request: web.Request) -> Params:
        fields: dict[str, Any] = dict(request.query)
        files: dict[str, tuple[str, bytes]] = {}
        if request.content_type == "application/json":
            try:
                fields |= await request.json()
            except (ValueError, TypeError):
                raise bad("can't parse JSON object") from None
            return Params(fields)
        for name, value in (await request.post()).items():
            if isinstance(value, web.FileField):
                with value.file:
                    files[name] = (value.filename, value.file.read())
            else:
                fields[name] = value
        if any(len(data) > 50 * MEGABYTE for _, data in files.values()):
            raise ApiError(413, "Request Entity Too Large")
        return Params(fields, files)

    # Receiving updates

    async def _get_me(self, params: Params) -> Json:
        return self.me

    async def _get_updates(self, params: Params) -> list[Json]:
        """https://core.telegram.org/bots/api#getupdates"""
        if self._webhook is not None:
            words = "use deleteWebhook to delete the webhook first"
            raise ApiError(409, f"Conflict: can't use getUpdates method while webhook is active; {words}")
        if (allowed := params.structure("allowed_updates")) is not None:
            self._allowed = allowed
        offset = params.number("offset")
        if offset < 0:
            self._updates = self._updates[offset:]
        else:
            self._updates = [update for update in self._updates if update["update_id"] >= offset]
        self._poller += 1
        mine = self._poller
        self.bell.ring()

        def look() -> list[Json] | None:
            return (
                []
                if self._stopped or self._poller != mine
                else self._updates[: min(max(params.number("limit", 100), 1), 100)] or None
            )

        found = await self.bell.until(look, min(params.number("timeout"), 50))
        if self._poller != mine:
            words = "terminated by other getUpdates request; make sure that only one bot instance is running"
            raise ApiError(409, f"Conflict: {words}")
        return found or []

    async def _set_webhook(self, params: Params) -> bool:
        """https://core.telegram.org/bots/api#setwebhook, but http will do, as nothing leaves the machine."""
        url, secret = params.text("url"), params.text("secret_token")
        if url and urlsplit(url).scheme not in ("http", "https"):
            raise bad("bad webhook: An HTTPS URL must be provided for webhook")
        if secret and not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", secret):
            raise bad("secret token contains unallowed characters")
        await self._drop_webhook()
        if (allowed := params.structure("allowed_updates")) is not None:
            self._allowed = allowed
        if params.flag("drop_pending_updates"):
            self._updates.clear()
        if url:
            self._webhook = Webhook(url, secret, asyncio.create_task(self._push(url, secret)))
        return True

    async def _drop_webhook(self) -> None:
        if self._webhook is not None:
            task, self._webhook = self._webhook.task, None
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _push(self, url: str, secret: str) -> None:
        """Delivers updates one after another, each until it is taken."""
        headers = {"X-Telegram-Bot-Api-Secret-Token": secret} if secret else {}
        pause = 0.1
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60), headers=headers) as session:
            while True:
                update = await self.bell.until(lambda: self._updates[0] if self._updates else None, 3600)
                if update is None:
                    continue
                try:
                    async with session.post(url, json=update) as response:
                        answer = await response.read()
                        problem = (
                            None if response.ok else f"Wrong response from the webhook: {response.status}"
                        )
                except (aiohttp.ClientError, TimeoutError) as error:
                    answer, problem = b"", f"Connection failed: {type(error).__name__}"
                if problem is None:
                    self._updates = [waiting for waiting in self._updates if waiting is not update]
                    pause = 0.1
                    await self._answered_by_method(answer)
                else:
                    if self._webhook is not None:
                        self._webhook.last_error = (int(time.time()), problem)
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, 5)

    async def _answered_by_method(self, answer: bytes) -> None:
        """https://core.telegram.org/bots/api#making-requests-when-getting-updates"""
        with suppress(ValueError, TypeError, ApiError):
            call = json.loads(answer)
            if isinstance(call, dict) and "method" in call:
                await self.execute(call.pop("method"), Params(call))

    async def _delete_webhook(self, params: Params) -> bool:
        await self._drop_webhook()
        if params.flag("drop_pending_updates"):
            self._updates.clear()
        return True

    async def _get_webhook_info(self, params: Params) -> Json:
        webhook = self._webhook
        info = {"url": webhook.url if webhook else "", "has_custom_certificate": False}
        info |= {"pending_update_count": len(self._updates), "allowed_updates": self._allowed}
        if webhook and webhook.last_error:
            info |= {"last_error_date": webhook.last_error[0], "last_error_message": webhook.last_error[1]}
        return info

    # How the bot presents itself

    async def _set_my_commands(self, params: Params) -> bool:
        commands = params.structure("commands") or []
        for command in commands:
            if not re.fullmatch(r"[a-z0-9_]{1,32}", str(command.get("command"))):
                raise bad("BOT_COMMAND_INVALID")
            if not 1 <= len(str(command.get("description", ""))) <= 256:
                raise bad("BOT_COMMAND_DESCRIPTION_INVALID")
        self.commands[self._scope(params)] = commands
        self._tell_profiles()
        return True

    async def _get_my_commands(self, params: Params) -> list[Json]:
        return self.commands.get(self._scope(params), [])

    async def _delete_my_commands(self, params: Params) -> bool:
        self.commands.pop(self._scope(params), None)
        self._tell_profiles()
        return True

    def _scope(self, params: Params) -> tuple[str, str]:
        scope = params.structure("scope") or {"type": "default"}
        name = f"chat:{scope['chat_id']}" if scope["type"] == "chat" else str(scope["type"])
        return name, params.text("language_code")

    def _tell_profiles(self) -> None:
        for person in self.people.values():
            self.tell({"person": self.profile(person)})

    async def _set_my_description(self, params: Params) -> bool:
        self.description = params.text("description") or self.description
        return True

    # Sending and editing

    async def _send_message(self, params: Params) -> Json:
        text, entities = self._text(params, "text", "entities")
        return self._send(params, {"text": text, **({"entities": entities} if entities else {})})

    async def _send_document(self, params: Params) -> Json:
        return self._send_media(params, "document")

    async def _send_photo(self, params: Params) -> Json:
        return self._send_media(params, "photo")

    def _send_media(self, params: Params, kind: str) -> Json:
        file = self._file(params, kind)
        return self._send(params, {**self.media(file, kind == "photo"), **self._caption(params)}, file)

    def _send(self, params: Params, content: Json, file: File | None = None) -> Json:
        person = self._reachable(params)
        markup = self._markup(params)
        if self.limits:
            bucket = self._per_chat.setdefault(person.id, Bucket(5, 1))
            if wait := max(self._overall.wait(), bucket.wait()):
                seconds = int(wait) + 1
                raise ApiError(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)
        me = {key: self.me[key] for key in ("id", "is_bot", "first_name", "username")}
        raw = {
            "message_id": self.next_message_id(),
            "from": me,
            "chat": person.chat,
            "date": int(time.time()),
            **content,
        }
        if markup is not None and "inline_keyboard" in markup:
            raw["reply_markup"] = markup
        elif markup is not None:
            person.keyboard = markup if "keyboard" in markup else None
            self.tell({"person": self.profile(person)})
        person.keep(Message(raw, by_bot=True, file=file))
        return raw

    def _text(self, params: Params, name: str, entities_name: str) -> tuple[str, list[Entity]]:
        """A text and its entities; 1–4096 characters after parsing (captions up to 1024)."""
        source, mode = params.text(name), params.text("parse_mode").lower()
        try:
            match mode:
                case "html":
                    text, entities = parse_html(source)
                case "" | "none":
                    text, entities = source, params.structure(entities_name) or []
                case _:
                    raise bad("unsupported parse_mode: the sandbox reads HTML only")
        except CannotParse as error:
            raise bad(f"can't parse entities: {error}") from None
        text, entities = tidy(text, entities)
        if name == "text" and not text:
            raise bad("message text is empty")
        if len(text) > (4096 if name == "text" else 1024):
            raise bad("message is too long" if name == "text" else "message caption is too long")
        return text, entities

    def _caption(self, params: Params) -> Json:
        text, entities = self._text(params, "caption", "caption_entities")
        return {**({"caption": text} if text else {}), **({"caption_entities": entities} if entities else {})}

    def _file(self, params: Params, kind: str, value: str | None = None) -> File:
        value = params.text(kind) if value is None else value
        upload = params.files.get(value.removeprefix("attach://") if value else kind)
        if upload is not None:
            file = self.store(*upload)
        elif (known := self.files.get(value)) is not None:
            file = known
        else:
            raise bad(
                "wrong file identifier/HTTP URL specified" if value else f"there is no {kind} in the request"
            )
        if not file.data:
            raise bad("file must be non-empty")
        if kind == "photo" and (file.mime not in IMAGES.values() or len(file.data) > 10 * MEGABYTE):
            raise bad("IMAGE_PROCESS_FAILED")
        return file

    def _markup(self, params: Params) -> Json | None:
        markup: Json | None = params.structure("reply_markup")
        if not markup:
            return None
        rows = markup.get("inline_keyboard", [])
        if not all(isinstance(row, list) for row in rows):
            raise bad(
                "can't parse inline keyboard markup: expected an Array of Arrays of InlineKeyboardButton"
            )
        kept = [[self._button(button) for button in row] for row in rows if row]
        if "inline_keyboard" in markup:
            return {**markup, "inline_keyboard": kept} if kept else None
        return markup

    def _button(self, button: Json) -> Json:
        """https://core.telegram.org/bots/api#inlinekeyboardbutton"""
        if not str(button.get("text") or "").strip():
            raise bad("can't parse inline keyboard button: Text must be non-empty")
        action = [
            key
            for key, value in button.items()
            if value is not None and key not in ("text", "style", "icon_custom_emoji_id")
        ]
        if len(action) != 1:
            raise bad("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
        if button.get("style") not in (None, "primary", "success", "danger"):
            raise bad("can't parse inline keyboard button: invalid button style specified")
        if action == ["callback_data"] and not 1 <= len(str(button["callback_data"]).encode()) <= 64:
            raise bad("BUTTON_DATA_INVALID")
        if action == ["url"]:
            url = urlsplit(str(button["url"]))
            if url.scheme not in ("http", "https", "tg") or not url.netloc or " " in button["url"]:
                raise bad(f"inline keyboard button URL '{button['url']}' is invalid: Wrong HTTP URL")
        if action == ["copy_text"] and not 1 <= len(str(button["copy_text"].get("text", ""))) <= 256:
            raise bad("BUTTON_COPY_TEXT_INVALID")
        return {key: value for key, value in button.items() if value is not None}

    def _person(self, params: Params) -> Person:
        try:
            return self.people[int(params.text("chat_id"))]
        except (KeyError, ValueError):
            raise bad("chat not found" if "chat_id" in params else "chat_id is empty") from None

    def _reachable(self, params: Params) -> Person:
        person = self._person(params)
        if person.deactivated:
            raise ApiError(403, "Forbidden: user is deactivated")
        if person.blocked:
            raise ApiError(403, "Forbidden: bot was blocked by the user")
        if not person.started:
            raise ApiError(403, "Forbidden: bot can't initiate conversation with a user")
        return person

    def _editable(self, params: Params) -> tuple[Person, Message]:
        person = self._reachable(params)
        message = person.find(params.number("message_id"))
        if message is None:
            raise bad("message to edit not found")
        if not message.by_bot:
            raise bad("message can't be edited")
        return person, message

    def _edit(
        self, person: Person, message: Message, content: Json, drop: tuple[str, ...], markup: Json | None
    ) -> Json:
        """Puts `content` in place of the fields in `drop`; a keyboard not sent again is gone."""
        old = {key: value for key, value in message.raw.items() if key != "edit_date"}
        new = {key: value for key, value in old.items() if key not in (*drop, "reply_markup")} | content
        if markup is not None:
            new["reply_markup"] = markup
        if new == old:
            raise bad(
                "message is not modified: specified new message content and reply markup are exactly the "
                "same as a current content and reply markup of the message"
            )
        message.raw = {**new, "edit_date": int(time.time())}
        person.keep(message)
        return message.raw

    async def _edit_message_text(self, params: Params) -> Json:
        person, message = self._editable(params)
        if "text" not in message.raw:
            raise bad("there is no text in the message to edit")
        text, entities = self._text(params, "text", "entities")
        content = {"text": text, **({"entities": entities} if entities else {})}
        return self._edit(person, message, content, ("text", "entities"), self._markup(params))

    async def _edit_message_caption(self, params: Params) -> Json:
        person, message = self._editable(params)
        if message.file is None:
            raise bad("there is no caption in the message to edit")
        return self._edit(
            person, message, self._caption(params), ("caption", "caption_entities"), self._markup(params)
        )

    async def _edit_message_media(self, params: Params) -> Json:
        person, message = self._editable(params)
        media = params.structure("media") or {}
        kind = str(media.get("type"))
        if kind not in ("photo", "document"):
            raise bad("the sandbox edits photos and documents only")
        file = self._file(params, kind, str(media.get("media") or ""))
        message.file = file
        content = {**self.media(file, kind == "photo"), **self._caption(Params(media))}
        drop = ("text", "entities", "photo", "document", "caption", "caption_entities")
        return self._edit(person, message, content, drop, self._markup(params))

    async def _edit_message_reply_markup(self, params: Params) -> Json:
        person, message = self._editable(params)
        return self._edit(person, message, {}, (), self._markup(params))

    async def _delete_message(self, params: Params) -> bool:
        person = self._reachable(params)
        if not self._delete(person, params.number("message_id")):
            raise bad("message to delete not found")
        return True

    async def _delete_messages(self, params: Params) -> bool:
        person = self._reachable(params)
        for message_id in params.structure("message_ids") or []:
            self._delete(person, int(message_id))
        return True

    def _delete(self, person: Person, message_id: int) -> bool:
        message = person.find(message_id)
        if message is None:
            return False
        person.messages.remove(message)
        self.tick()
        self.tell({"deleted": {"person": person.id, "id": message_id}})
        return True

    async def _send_chat_action(self, params: Params) -> bool:
        self.tell({"typing": {"person": self._reachable(params).id, "action": params.text("action")}})
        return True

    async def _answer_callback_query(self, params: Params) -> bool:
        query = params.text("callback_query_id")
        if query not in self._queries:
            raise bad("query is too old and response timeout expired or query ID is invalid")
        if len(params.text("text")) > 200:
            raise bad("MESSAGE_TOO_LONG")
        person = self._queries.pop(query)
        answer = Pressed(params.text("text") or None, params.flag("show_alert"), params.text("url") or None)
        self.answers[query] = answer
        if answer.text:
            person.toasts.append(answer)
        self.tick()
        self.tell(
            {"answered": {"person": person.id, "query": query, "text": answer.text, "alert": answer.alert}}
        )
        return True

    # Asking about chats and files

    async def _get_chat(self, params: Params) -> Json:
        gifts = (
            "unlimited_gifts",
            "limited_gifts",
            "unique_gifts",
            "premium_subscription",
            "gifts_from_channels",
        )
        known = {"accent_color_id": 0, "max_reaction_count": 11}
        return {**self._person(params).chat, **known, "accepted_gift_types": dict.fromkeys(gifts, False)}

    async def _get_chat_member(self, params: Params) -> Json:
        user_id = params.number("user_id")
        members = self.channels.get(params.number("chat_id"))
        if members is None:
            members = {self._person(params).id}
        if user_id not in self.people:
            raise bad("user not found")
        return {"user": self.people[user_id].user, "status": "member" if user_id in members else "left"}

    async def _get_file(self, params: Params) -> Json:
        file = self.files.get(params.text("file_id"))
        if file is None:
            raise bad("wrong file_id or the file is temporarily unavailable")
        if len(file.data) > 20 * MEGABYTE:
            raise bad("file is too big")
        known = {"file_id": file.id, "file_unique_id": file.id[:16], "file_size": len(file.data)}
        return {**known, "file_path": f"documents/{file.id}"}
