"""Telegram's Bot API over HTTP, as far as private chats need it: https://core.telegram.org/bots/api"""

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from sandbox.entities import CannotParse, Entity, parse_html, tidy
from sandbox.people import Channel, File, Json, Message, Person, Pressed
from sandbox.telegram import IMAGES, Telegram

# They change nothing that the sandbox shows, and answer true
ACCEPTED = re.compile(
    r"(?i)(un)?pin[a-z]+|(un)?banChatMember|restrictChatMember|leaveChat|logOut|close|deleteChatPhoto|sendMessageDraft|"
    r"answer(PreCheckout|Shipping)Query|set(My(Name|ShortDescription|DefaultAdministratorRights)|ChatMenuButton|"
    r"MessageReaction|Chat(Title|Description|Permissions))"
)
# Methods that begin like this may exist, and only the sandbox lacks them
VERBS = re.compile(r"(?i)(send|edit|get|set|copy|forward|create|delete|answer|refund|stop|save|post|upload)[a-z]+")
MEGABYTE = 1 << 20
# https://core.telegram.org/bots/api#chatmemberadministrator
RIGHTS = dict.fromkeys(
    (
        *("can_manage_chat", "can_delete_messages", "can_manage_video_chats", "can_restrict_members"),
        *("can_promote_members", "can_change_info", "can_invite_users", "can_post_stories", "can_edit_stories"),
        *("can_delete_stories", "can_send_welcome_messages", "can_post_messages", "can_edit_messages"),
    ),
    True,
) | {"can_be_edited": False, "is_anonymous": False}
GIFTS = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")


class ApiError(Exception):
    """https://core.telegram.org/bots/api#responseparameters"""

    def __init__(self, code: int, words: str, **parameters: int) -> None:
        super().__init__(words)
        self.body: Json = {"ok": False, "error_code": code, "description": words}
        self.code = code
        if parameters:
            self.body["parameters"] = parameters


def bad(words: str) -> ApiError:
    return ApiError(400, f"Bad Request: {words}")


@dataclass
class Params:
    """A call's fields, whichever way they were sent; structured ones may be JSON in a string."""

    fields: Mapping[str, Any]
    files: Mapping[str, tuple[str, bytes]] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return self.fields.get(name) not in (None, "")

    def text(self, name: str) -> str:
        return str(self.fields[name]) if name in self else ""

    def number(self, name: str, default: int = 0) -> int:
        try:
            return int(self.fields[name]) if name in self else default
        except ValueError:
            raise bad(f'invalid parameter "{name}"') from None

    def flag(self, name: str) -> bool:
        return self.text(name).lower() in ("true", "1")

    def structure(self, name: str) -> Any:
        value = self.fields.get(name)
        try:
            return json.loads(value) if value and isinstance(value, str) else value or None
        except ValueError:
            raise bad(f"can't parse {name.replace('_', ' ')} JSON object") from None


class Bucket:
    """Tokens that refill with time."""

    def __init__(self, size: float) -> None:
        self.size, self.level, self.at = size, size, time.monotonic()

    def wait(self, rate: float) -> float:
        """Takes one, or says in how many seconds there will be one, with `rate` coming in a second."""
        now = time.monotonic()
        self.level, self.at = min(self.size, self.level + (now - self.at) * rate), now
        if self.level < 1:
            return (1 - self.level) / rate
        self.level -= 1
        return 0


class BotApi:
    def __init__(self, telegram: Telegram) -> None:
        self._telegram = telegram
        self._poller = 0
        self._stopped = False
        self._webhook_url = ""
        self._webhook: asyncio.Task[None] | None = None
        self._webhook_error: Json = {}
        self._overall = Bucket(30)
        self._per_chat: dict[int, Bucket] = {}
        self._methods: dict[str, Callable[[Params], Awaitable[Any]]] = {
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
            "senddocument": partial(self._send_media, "document"),
            "sendphoto": partial(self._send_media, "photo"),
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

    def routes(self) -> list[web.RouteDef]:
        return [
            web.route("*", "/bot{token}/{method}", self._call),
            web.get("/file/bot{token}/documents/{file}", self._download),
        ]

    async def stop(self) -> None:
        self._stopped = True
        self._telegram.bell.ring()
        await self._drop_webhook()

    async def _download(self, request: web.Request) -> web.Response:
        file = self._telegram.files.get(request.match_info["file"])
        if request.match_info["token"] != self._telegram.token or file is None:
            raise web.HTTPNotFound
        return web.Response(body=file.data, content_type="application/octet-stream")

    async def _call(self, request: web.Request) -> web.Response:
        try:
            if request.match_info["token"] != self._telegram.token:
                raise ApiError(401, "Unauthorized")
            result = await self._execute(request.match_info["method"], await _params(request))
        except ApiError as error:
            return web.json_response(error.body, status=error.code)
        return web.json_response({"ok": True, "result": result})

    async def _execute(self, method: str, params: Params) -> Any:
        if run := self._methods.get(method.lower()):
            return await run(params)
        if ACCEPTED.fullmatch(method):
            return True
        if VERBS.fullmatch(method):
            raise bad("the sandbox does not speak this method")
        raise ApiError(404, "Not Found")

    # Receiving updates

    async def _get_me(self, params: Params) -> Json:
        no = ("can_join_groups", "can_read_all_group_messages", "supports_inline_queries")
        return {**self._telegram.me, **dict.fromkeys(no, False)}

    async def _get_updates(self, params: Params) -> list[Json]:
        """https://core.telegram.org/bots/api#getupdates"""
        telegram = self._telegram
        if self._webhook is not None:
            words = "use deleteWebhook to delete the webhook first"
            raise ApiError(409, f"Conflict: can't use getUpdates method while webhook is active; {words}")
        self._allow(params)
        if (offset := params.number("offset")) < 0:
            telegram.updates = telegram.updates[offset:]
        else:
            telegram.updates = [update for update in telegram.updates if update["update_id"] >= offset]
        self._poller = mine = self._poller + 1
        telegram.bell.ring()
        limit = min(max(params.number("limit", 100), 1), 100)

        def look() -> list[Json] | None:
            return [] if self._stopped or self._poller != mine else telegram.updates[:limit] or None

        found = await telegram.bell.until(look, min(params.number("timeout"), 50))
        if self._poller != mine:
            words = "terminated by other getUpdates request; make sure that only one bot instance is running"
            raise ApiError(409, f"Conflict: {words}")
        return found or []

    def _allow(self, params: Params) -> None:
        if "allowed_updates" in params:  # left out, the previous setting stays
            self._telegram.allowed = params.structure("allowed_updates") or []

    async def _set_webhook(self, params: Params) -> bool:
        """https://core.telegram.org/bots/api#setwebhook, but http will do, as nothing leaves the machine."""
        url, secret = params.text("url"), params.text("secret_token")
        if url and urlsplit(url).scheme not in ("http", "https"):
            raise bad("bad webhook: An HTTPS URL must be provided for webhook")
        if secret and not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", secret):
            raise bad("secret token contains unallowed characters")
        await self._delete_webhook(params)
        self._allow(params)
        if url:
            self._webhook_url, self._webhook = url, asyncio.create_task(self._push(url, secret))
        return True

    async def _delete_webhook(self, params: Params) -> bool:
        await self._drop_webhook()
        if params.flag("drop_pending_updates"):
            self._telegram.updates.clear()
        return True

    async def _drop_webhook(self) -> None:
        task, self._webhook, self._webhook_url, self._webhook_error = self._webhook, None, "", {}
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _push(self, url: str, secret: str) -> None:
        """Delivers updates one after another, each until it is taken."""
        telegram, pause = self._telegram, 0.1
        headers = {"X-Telegram-Bot-Api-Secret-Token": secret} if secret else {}
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60), headers=headers) as session:
            while True:
                update = await telegram.bell.until(lambda: next(iter(telegram.updates), None), 3600)
                if update is None:
                    continue
                try:
                    async with session.post(url, json=update) as response:
                        answer = await response.read()
                        problem = "" if response.ok else f"Wrong response from the webhook: {response.status}"
                except (aiohttp.ClientError, TimeoutError) as error:
                    answer, problem = b"", f"Connection failed: {type(error).__name__}"
                if problem:
                    self._webhook_error = {"last_error_date": int(time.time()), "last_error_message": problem}
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, 5)
                    continue
                pause = 0.1
                telegram.updates = [waiting for waiting in telegram.updates if waiting is not update]
                await self._answered_by_method(answer)

    async def _answered_by_method(self, answer: bytes) -> None:
        """https://core.telegram.org/bots/api#making-requests-when-getting-updates"""
        with suppress(ValueError, ApiError):
            call = json.loads(answer)
            if isinstance(call, dict) and "method" in call:
                await self._execute(call.pop("method"), Params(call))

    async def _get_webhook_info(self, params: Params) -> Json:
        known: Json = {"url": self._webhook_url, "has_custom_certificate": False}
        known |= {
            "pending_update_count": len(self._telegram.updates),
            "allowed_updates": self._telegram.allowed,
        }
        return {**known, **self._webhook_error}

    # How the bot presents itself

    async def _set_my_commands(self, params: Params) -> bool:
        commands = params.structure("commands") or []
        for command in commands:
            if not re.fullmatch(r"[a-z0-9_]{1,32}", str(command.get("command"))):
                raise bad("BOT_COMMAND_INVALID")
            if not 1 <= len(str(command.get("description", ""))) <= 256:
                raise bad("BOT_COMMAND_DESCRIPTION_INVALID")
        self._telegram.commands[_scope(params)] = commands
        self._telegram.show()
        return True

    async def _get_my_commands(self, params: Params) -> list[Json]:
        return self._telegram.commands.get(_scope(params), [])

    async def _delete_my_commands(self, params: Params) -> bool:
        self._telegram.commands.pop(_scope(params), None)
        self._telegram.show()
        return True

    async def _set_my_description(self, params: Params) -> bool:
        self._telegram.descriptions[params.text("language_code")] = params.text("description")
        self._telegram.show()
        return True

    # Sending

    async def _send_message(self, params: Params) -> Json:
        return self._send(params, _text(params))

    async def _send_media(self, kind: str, params: Params) -> Json:
        file = self._file(params, kind, params.text(kind))
        content = {
            **self._telegram.media(file, kind == "photo"),
            **_text(params, "caption", "caption_entities"),
        }
        return self._send(params, content, file)

    def _send(self, params: Params, content: Json, file: File | None = None) -> Json:
        person, markup = self._reachable(params), _markup(params)
        if self._telegram.limits:
            bucket = self._per_chat.setdefault(person.id, Bucket(5))
            if wait := max(self._overall.wait(self._telegram.rate), bucket.wait(1)):
                seconds = int(wait) + 1
                raise ApiError(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)
        sender = {"from": self._telegram.me} if isinstance(person, Person) else {"sender_chat": person.chat}
        raw: Json = {"message_id": self._telegram.next_message_id(), **sender}
        raw |= {"chat": person.chat, "date": int(time.time()), **content}
        if "inline_keyboard" in markup:
            raw["reply_markup"] = markup
        elif markup and isinstance(person, Person):
            person.keyboard = markup if "keyboard" in markup else None
            self._telegram.show(person)
        person.keep(Message(raw, by_bot=True, file=file))
        return raw

    def _file(self, params: Params, kind: str, value: str) -> File:
        upload = params.files.get(value.removeprefix("attach://") or kind)
        file = self._telegram.store(*upload) if upload else self._telegram.files.get(value)
        if file is None:
            raise bad("wrong file identifier/HTTP URL specified" if value else f"there is no {kind} in the request")
        if not file.data:
            raise bad("file must be non-empty")
        if not upload and (kind == "photo") != (file.id in self._telegram.photos):
            was, wanted = ("Document", "Photo") if kind == "photo" else ("Photo", "Document")
            raise bad(f"can't use file of type {was} as {wanted}")
        if kind == "photo" and (file.mime not in IMAGES.values() or len(file.data) > 10 * MEGABYTE):
            raise bad("IMAGE_PROCESS_FAILED")
        return file

    def _person(self, params: Params) -> Person:
        try:
            return self._telegram.people[int(params.text("chat_id"))]
        except (KeyError, ValueError):
            raise bad("chat not found" if "chat_id" in params else "chat_id is empty") from None

    def _reachable(self, params: Params) -> Person | Channel:
        if channel := self._telegram.channel(params.text("chat_id")):
            return channel
        person = self._person(params)
        if person.deactivated:
            raise ApiError(403, "Forbidden: user is deactivated")
        if person.blocked:
            raise ApiError(403, "Forbidden: bot was blocked by the user")
        if not person.started:
            raise ApiError(403, "Forbidden: bot can't initiate conversation with a user")
        return person

    # Editing

    async def _edit_message_text(self, params: Params) -> Json:
        person, message = self._editable(params)
        if "text" not in message.raw:
            raise bad("there is no text in the message to edit")
        return self._edit(person, message, params, _text(params), "text", "entities")

    async def _edit_message_caption(self, params: Params) -> Json:
        person, message = self._editable(params)
        if message.file is None:
            raise bad("there is no caption in the message to edit")
        caption = _text(params, "caption", "caption_entities")
        return self._edit(person, message, params, caption, "caption", "caption_entities")

    async def _edit_message_media(self, params: Params) -> Json:
        person, message = self._editable(params)
        media = params.structure("media") or {}
        if (kind := media.get("type")) not in ("photo", "document"):
            raise bad("the sandbox edits photos and documents only")
        message.file = self._file(params, kind, str(media.get("media") or ""))
        caption = _text(Params(media), "caption", "caption_entities")
        content = {**self._telegram.media(message.file, kind == "photo"), **caption}
        gone = ("text", "entities", "photo", "document", "caption", "caption_entities")
        return self._edit(person, message, params, content, *gone)

    async def _edit_message_reply_markup(self, params: Params) -> Json:
        person, message = self._editable(params)
        return self._edit(person, message, params, {})

    def _editable(self, params: Params) -> tuple[Person | Channel, Message]:
        person = self._reachable(params)
        message = person.find(params.number("message_id"))
        if message is None:
            raise bad("message to edit not found")
        if not message.by_bot:
            raise bad("message can't be edited")
        return person, message

    def _edit(self, person: Person | Channel, message: Message, params: Params, content: Json, *gone: str) -> Json:
        """Puts `content` in place of the fields in `gone`; a keyboard not sent again is gone too."""
        old = {key: value for key, value in message.raw.items() if key != "edit_date"}
        new = {key: value for key, value in old.items() if key not in (*gone, "reply_markup")} | content
        if markup := _markup(params):
            new["reply_markup"] = markup
        if new == old:
            raise bad(
                "message is not modified: specified new message content and reply markup are exactly the "
                "same as a current content and reply markup of the message"
            )
        message.raw = {**new, "edit_date": int(time.time())}
        person.keep(message)
        return message.raw

    async def _delete_message(self, params: Params) -> bool:
        if not self._reachable(params).lose(params.number("message_id")):
            raise bad("message to delete not found")
        return True

    async def _delete_messages(self, params: Params) -> bool:
        person = self._reachable(params)
        for message_id in params.structure("message_ids") or []:
            person.lose(int(message_id))
        return True

    async def _send_chat_action(self, params: Params) -> bool:
        if isinstance(reached := self._reachable(params), Person):
            self._telegram.tell({"typing": {"person": reached.id}})
        return True

    async def _answer_callback_query(self, params: Params) -> bool:
        query = params.text("callback_query_id")
        if len(params.text("text")) > 200:
            raise bad("MESSAGE_TOO_LONG")
        if (person := self._telegram.queries.pop(query, None)) is None:
            raise bad("query is too old and response timeout expired or query ID is invalid")
        answer = Pressed(params.text("text") or None, params.flag("show_alert"), params.text("url") or None)
        self._telegram.answers[query] = answer
        if answer.text:
            person.toasts.append(answer)
        self._telegram.tick()
        person.bell.ring()
        shown = {"person": person.id, "query": query, "text": answer.text, "alert": answer.alert}
        self._telegram.tell({"answered": shown})
        return True

    # Asking about chats and files

    async def _get_chat(self, params: Params) -> Json:
        known = {
            "accent_color_id": 0,
            "max_reaction_count": 11,
            "accepted_gift_types": dict.fromkeys(GIFTS, False),
        }
        if channel := self._telegram.channel(params.text("chat_id")):
            return {**channel.chat, **known, "invite_link": channel.link}
        return {**self._person(params).chat, **known}

    async def _get_chat_member(self, params: Params) -> Json:
        if channel := self._telegram.channel(params.text("chat_id")):
            members = self._telegram.channels[channel.id]
            if params.number("user_id") == self._telegram.me["id"]:
                return {"user": self._telegram.me, "status": "administrator", **RIGHTS}
        else:
            members = {self._person(params).id}
        if (person := self._telegram.people.get(params.number("user_id"))) is None:
            raise bad("user not found")
        return {"user": person.user, "status": "member" if person.id in members else "left"}

    async def _get_file(self, params: Params) -> Json:
        file = self._telegram.files.get(params.text("file_id"))
        if file is None:
            raise bad("wrong file_id or the file is temporarily unavailable")
        if len(file.data) > 20 * MEGABYTE:
            raise bad("file is too big")
        known = {"file_id": file.id, "file_unique_id": file.id[:16], "file_size": len(file.data)}
        return {**known, "file_path": f"documents/{file.id}"}


async def _params(request: web.Request) -> Params:
    fields: dict[str, Any] = dict(request.query)
    files: dict[str, tuple[str, bytes]] = {}
    if request.content_type == "application/json":
        try:
            return Params(fields | await request.json())
        except (ValueError, TypeError):
            raise bad("can't parse JSON object") from None
    for name, value in (await request.post()).items():
        if isinstance(value, web.FileField):
            with value.file:
                files[name] = (value.filename, value.file.read())
        else:
            fields[name] = value
    if any(len(data) > 50 * MEGABYTE for _, data in files.values()):
        raise ApiError(413, "Request Entity Too Large")
    return Params(fields, files)


def _scope(params: Params) -> tuple[str, str]:
    scope = params.structure("scope") or {"type": "default"}
    name = f"chat:{scope['chat_id']}" if scope["type"] == "chat" else str(scope["type"])
    return name, params.text("language_code")


def _text(params: Params, name: str = "text", entities_name: str = "entities") -> Json:
    """A text and its entities as message fields; 1–4096 characters after parsing, captions 0–1024."""
    text, mode = params.text(name), params.text("parse_mode").lower()
    entities: list[Entity] = params.structure(entities_name) or []
    if mode == "html":
        try:
            text, entities = parse_html(text)
        except CannotParse as error:
            raise bad(f"can't parse entities: {error}") from None
    elif mode:
        raise bad("unsupported parse_mode: the sandbox reads HTML only")
    text, entities = tidy(text, entities)
    if name == "text" and not text:
        raise bad("message text is empty")
    if len(text) > (4096 if name == "text" else 1024):
        raise bad("message is too long" if name == "text" else "message caption is too long")
    return {key: value for key, value in ((name, text), (entities_name, entities)) if value}


def _markup(params: Params) -> Json:
    markup: Json = params.structure("reply_markup") or {}
    if "inline_keyboard" not in markup:
        return markup
    rows = [[_button(button) for button in row] for row in markup["inline_keyboard"] if row]
    return {**markup, "inline_keyboard": rows} if rows else {}


def _button(button: Json) -> Json:
    """https://core.telegram.org/bots/api#inlinekeyboardbutton"""
    button = {key: value for key, value in button.items() if value is not None}
    if not str(button.get("text", "")).strip():
        raise bad("can't parse inline keyboard button: Text must be non-empty")
    if len(button.keys() - {"text", "style", "icon_custom_emoji_id"}) != 1:
        raise bad("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
    if button.get("style", "primary") not in ("primary", "success", "danger"):
        raise bad("can't parse inline keyboard button: invalid button style specified")
    if "callback_data" in button and not 1 <= len(str(button["callback_data"]).encode()) <= 64:
        raise bad("BUTTON_DATA_INVALID")
    if not re.fullmatch(r"(https?|tg)://[^\s/?#]+\S*", button.get("url", "tg://x")):
        raise bad(f"inline keyboard button URL '{button['url']}' is invalid: Wrong HTTP URL")
    if not 1 <= len(button.get("copy_text", {}).get("text", "x")) <= 256:
        raise bad("BUTTON_COPY_TEXT_INVALID")
    return button
