"""What no app of Telegram's sends and anybody's program can: buttons, messages and kinds of updates made to do harm."""

import random
from collections.abc import Iterator
from typing import Any

from aiogram.filters.callback_data import CallbackData

from tests.chat.test_admin_doors import buttons

Json = dict[str, Any]

NUMBERS = (
    *("0", "-1", "-0", "+1", "1.5", "1,5", "1e3", "1e308", "NaN", "Infinity", "0x10", "1_0", "007", " 1", "1 ", "1\n"),
    *(str(2**31), str(2**53 + 1), str(2**63 - 1), str(2**63), str(-(2**63)), "9" * 40, "9" * 400),
    *("٣", "１２", "²", "½", "Ⅷ", "१२", "1\u00a0000", "1 000", "1'000", "1.000,00", "10%", "$5", "1/0", "\u22121"),
)
WORDS = (
    *(
        "None",
        "null",
        "true",
        "True",
        "[]",
        "{}",
        "{amount}",
        "%s%n",
        "{{0}}",
        "../../etc/passwd",
        "'; DROP TABLE users--",
    ),
    *("<b>", "</b>", "<a href='tg://user?id=900'>x</a>", "<script>", "&amp;&lt;", "*_`[x](y)", "{ $amount }"),
    *("\x00", "a\x00b", "\ud800", "\udfff\ud800", "\ufeff", "\u202e0.1 DSU", "\u2066", "\r\n\t\x0b\x1b[31m", "\u200d"),
    *("🎰", "👨‍👩‍👧‍👦" * 5, "é́́́́́", "ﷺ", "שלום", "مرحبا", "𝟣𝟢𝟢", "Привет"),
)
PARTS = ("", *NUMBERS, *WORDS)


def forged(kind: type[CallbackData], others: list[str], chance: random.Random, count: int) -> Iterator[str]:
    """So many buttons of a kind that were never drawn: its own with a part spoilt, cut, padded, or random."""
    for _ in range(count):
        good = chance.choice(buttons(kind))
        parts = good.split(":")
        place = chance.randrange(1, len(parts)) if len(parts) > 1 else 0
        match chance.randrange(12):
            case 0 | 1 | 2 | 3 if place:
                yield ":".join([*parts[:place], chance.choice(PARTS), *parts[place + 1 :]])
            case 4:
                yield ":".join([parts[0], *(chance.choice(PARTS) for _ in parts[1:])])
            case 5:
                yield good[: chance.randrange(len(good))] or good[0]
            case 6:
                yield chance.choice([f"{good}:1", f"{good}:", f":{good}", f"{good}:{good}", good.replace(":", "::")])
            case 7:
                yield good + "x" * chance.choice([1, 64 - len(good), 65 - len(good), 200, 4096])
            case 8:
                yield parts[0] + ":" + chance.choice(others).partition(":")[2]
            case 9:
                yield chance.choice([good.upper(), good.title(), good[::-1], f" {good}", f"{good}\n", good.strip(":")])
            case 10:
                yield parts[0] + ":" + chance.randbytes(chance.randrange(1, 40)).decode("latin-1")
            case _:
                yield parts[0] + ":" * chance.randrange(70)


def _file(**more: Any) -> Json:
    return {"file_id": "AgADfile", "file_unique_id": "AQADunique", "file_size": 2**40, **more}


def _user(telegram_id: int = 77, **more: Any) -> Json:
    return {"id": telegram_id, "is_bot": False, "first_name": "Other", **more}


def _group(kind: str = "supergroup") -> Json:
    return {"id": -1002222222222, "type": kind, "title": "Group"}


def _old(chat: Json) -> Json:
    return {"message_id": 1, "date": 1, "chat": chat, "text": "old"}


_PHOTO = [_file(width=1, height=1), _file(width=90_000, height=0)]
_VIDEO = _file(width=1, height=1, duration=-1)
_STICKER = _file(type="regular", width=512, height=512, is_animated=False, is_video=False, emoji="🎰")
_PLACE = {"latitude": 91.0, "longitude": -181.0}
_DICE = {"emoji": "🎰", "value": 64}
_INVOICE = {"title": "x", "description": "x", "start_parameter": "", "currency": "USD", "total_amount": 5000}
_PAYMENT = {
    "currency": "USD",
    "total_amount": 5000_00,
    "invoice_payload": "1",
    "telegram_payment_charge_id": "x",
    "provider_payment_charge_id": "x",
}
_GAME = {"title": "x", "description": "x", "photo": _PHOTO}
_POLL: Json = {
    "id": "1",
    "question": "?",
    "options": [{"persistent_id": "1", "text": "a", "voter_count": 0}],
    "total_voter_count": 0,
    "is_closed": False,
    "is_anonymous": True,
    "type": "regular",
    "allows_multiple_answers": False,
    "allows_revoting": False,
}
_FORWARDS: tuple[Json, ...] = (
    {"type": "user", "date": 1, "sender_user": _user()},
    {"type": "hidden_user", "date": 1, "sender_user_name": "<b>"},
    {"type": "chat", "date": 1, "sender_chat": _group()},
    {"type": "channel", "date": 1, "chat": _group("channel"), "message_id": 1},
    {"type": "hologram", "date": 1},  # of a newer Bot API
)
_ENTITIES: tuple[list[Json], ...] = (
    [{"type": "bold", "offset": 0, "length": 10_000}],
    [{"type": "text_mention", "offset": 0, "length": 1, "user": _user(900)}],
    [{"type": "text_link", "offset": 0, "length": 1, "url": "javascript:alert(1)"}],
    [{"type": "bold", "offset": -5, "length": -5}],
    [{"type": "hologram", "offset": 0, "length": 1}],
    [{"type": "bot_command", "offset": 0, "length": 4}] * 100,
)


def texts() -> list[str]:
    long = [
        "x" * 4096,
        "я" * 4096,
        "🎰" * 2048,
        "<b>" * 1365,
        "&" * 4096,
        "0" * 4096,
        "\n" * 4096,
        "a " * 2048,
        "1" * 501,
    ]
    cards = [
        "4242 4242 4242 4242",
        "my card: 4242424242424242 12/30 123",
        "50 usd",
        "25.11.2026",
        "01.01.0001-31.12.9999",
    ]
    return ["", " ", *NUMBERS, *WORDS, *long, *cards]


def contents(me: Json, chat: Json) -> list[Json]:
    """Everything that a message can be, for a message of `me` in `chat`, but for its plain text."""
    return [
        *({"text": "hello", "entities": entities} for entities in _ENTITIES),
        *({"text": "5", "forward_origin": origin} for origin in _FORWARDS),
        {"text": "5", "reply_to_message": _old(chat)},
        {"text": "5", "reply_to_message": {"message_id": 1, "date": 0, "chat": chat}},
        {
            "text": "5",
            "external_reply": {"origin": _FORWARDS[3], "photo": _PHOTO},
            "quote": {"text": "x", "position": 0},
        },
        {"text": "5", "via_bot": {"id": 1, "is_bot": True, "first_name": "x"}},
        {"text": "5", "sender_chat": _group("channel")},
        {"text": "5", "message_thread_id": 2**31, "is_topic_message": True},
        {"text": "5", "business_connection_id": "x"},
        {"text": "5", "edit_date": 1, "has_protected_content": True, "link_preview_options": {"is_disabled": True}},
        {"photo": _PHOTO},
        {"photo": []},
        {"photo": _PHOTO, "caption": "4242 4242 4242 4242", "media_group_id": "1"},
        {"photo": _PHOTO, "caption": "x" * 1024, "caption_entities": _ENTITIES[0], "has_media_spoiler": True},
        {"document": _file(file_name="../../x.pdf\x00", mime_type="a/b"), "caption": "5"},
        {"voice": _file(duration=2**31)},
        {"video": _VIDEO, "caption": "5"},
        {"video_note": _file(length=1, duration=1)},
        {"audio": _file(duration=1, title="<b>")},
        {"sticker": _STICKER},
        {"animation": _VIDEO, "document": _file()},
        {"contact": {"phone_number": "+10000000000", "first_name": "x", "user_id": me["id"]}},
        {"contact": {"phone_number": "'--", "first_name": "Other", "user_id": 900, "vcard": "x" * 2048}},
        {"location": _PLACE},
        {"venue": {"location": _PLACE, "title": "x", "address": "x"}},
        {"poll": _POLL},
        {"dice": _DICE},
        {"game": _GAME},
        {"story": {"chat": chat, "id": 1}},
        {"invoice": _INVOICE},
        {"successful_payment": _PAYMENT},
        {"refunded_payment": {**_PAYMENT, "currency": "XTR"}},
        {"paid_media": {"star_count": 1, "paid_media": [{"type": "hologram"}]}},
        {"web_app_data": {"data": "p:stripe:USD:5000:abcdefgh:0", "button_text": "x"}},
        {"passport_data": {"data": [], "credentials": {"data": "x", "hash": "x", "secret": "x"}}},
        {"users_shared": {"request_id": 1, "users": [{"user_id": 900}]}},
        {"chat_shared": {"request_id": 1, "chat_id": -1}},
        {"connected_website": "example.org"},
        {"write_access_allowed": {}},
        {"new_chat_members": [_user(), {"id": 42, "is_bot": True, "first_name": "Looseline"}]},
        {"left_chat_member": _user()},
        {"new_chat_title": "x"},
        {"pinned_message": _old(chat)},
        {"pinned_message": {"message_id": 1, "date": 0, "chat": chat}},
        {"migrate_to_chat_id": -1003333333333},
        {"migrate_from_chat_id": -5},
        {"group_chat_created": True},
        {"message_auto_delete_timer_changed": {"message_auto_delete_time": 1}},
        {"boost_added": {"boost_count": 1}},
        {"video_chat_scheduled": {"start_date": 1}},
        {"video_chat_started": {}},
        {"forum_topic_created": {"name": "x", "icon_color": 0}},
        {"giveaway": {"chats": [_group()], "winners_selection_date": 1, "winner_count": 1}},
        {"hologram": {"file_id": "x"}},  # of a newer Bot API
        {},
    ]


def senders(telegram_id: int) -> list[Json]:
    """Somebody whose profile is the attack."""
    plain = {"id": telegram_id, "is_bot": False, "first_name": "x"}
    return [
        {**plain, "first_name": "a\x00b", "last_name": "\x00", "username": "a\x00b"},
        {**plain, "first_name": "x" * 64, "last_name": "y" * 64, "username": "u" * 200},
        {**plain, "first_name": "\ud800", "last_name": "\u202e" * 64},
        {**plain, "first_name": "", "language_code": ""},
        {**plain, "first_name": "<b>{ $name }</b> &lt;", "language_code": "ru-RU" * 50},
        {**plain, "first_name": "{amount}%s", "language_code": "\x00"},
        {**plain, "is_bot": True},
        {**plain, "id": 2**52},
        {**plain, "is_premium": True, "added_to_attachment_menu": True, "can_be_hologram": True},
    ]


def kinds(me: Json, chat: Json) -> list[Json]:
    """Updates of every kind but messages and buttons in a private chat, each without its number."""
    group, channel = _group(), _group("channel")
    anonymous = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
    said = {"message_id": 1, "date": 1, "text": "/start"}
    was, became = {"user": me, "status": "left"}, {"user": me, "status": "member"}
    moved = {"chat": group, "from": me, "date": 1, "old_chat_member": was, "new_chat_member": became}
    reacted = {"chat": chat, "message_id": 1, "date": 1, "user": me}
    order = {"id": "1", "from": me, "currency": "USD", "total_amount": 5000, "invoice_payload": "1"}
    address = {"country_code": "", "state": "", "city": "", "street_line1": "", "street_line2": "", "post_code": ""}
    business = {"id": "x", "user": me, "user_chat_id": me["id"], "date": 1, "is_enabled": True}
    inline = {"id": "1", "from": me, "query": "x", "offset": ""}
    pressed = {"from": me, "chat_instance": "1", "data": "p:stripe:USD:5000:abcdefgh:0"}
    return [
        *(
            {kind: {**said, "chat": place, "from": me}}
            for kind in ("message", "edited_message")
            for place in (group, channel)
        ),
        {"message": {**said, "chat": _group("group"), "from": me, "text": "/deposit@looseline_bot"}},
        {"message": {**said, "chat": group, "from": anonymous, "sender_chat": group}},
        {"message": {**said, "chat": group, "from": me, "text": None, "migrate_to_chat_id": -5}},
        {"message": {**said, "chat": {**chat, "type": "hologram"}, "from": me}},
        {"message": {**said, "chat": chat}},
        {"edited_message": {**said, "chat": chat, "from": me, "edit_date": 1}},
        {"channel_post": {**said, "chat": channel, "sender_chat": channel}},
        {"edited_channel_post": {**said, "chat": channel, "edit_date": 1}},
        {"inline_query": inline},
        {"inline_query": {**inline, "query": "\x00" * 256}},
        {"chosen_inline_result": {"result_id": "1", "from": me, "query": "x"}},
        {"callback_query": {**pressed, "id": "inline-1", "inline_message_id": "x"}},
        {
            "callback_query": {
                **pressed,
                "id": "inline-2",
                "game_short_name": "x",
                "data": None,
                "inline_message_id": "x",
            }
        },
        {"callback_query": {**pressed, "id": "inline-3"}},
        {"callback_query": {**pressed, "id": "group", "message": {**said, "chat": group}}},
        {"callback_query": {**pressed, "id": "channel", "message": {"message_id": 1, "date": 0, "chat": channel}}},
        {"my_chat_member": moved},
        {
            "my_chat_member": {
                **moved,
                "chat": chat,
                "new_chat_member": {"user": me, "status": "kicked", "until_date": 0},
            }
        },
        {"my_chat_member": {**moved, "chat": chat}},
        {"my_chat_member": {**moved, "chat": chat, "new_chat_member": {"user": me, "status": "hologram"}}},
        {"chat_member": moved},
        {"chat_member": {**moved, "chat": channel, "new_chat_member": {"user": _user(2**52), "status": "member"}}},
        {"chat_join_request": {"chat": group, "from": me, "user_chat_id": me["id"], "date": 1}},
        {"message_reaction": {**reacted, "old_reaction": [], "new_reaction": [{"type": "emoji", "emoji": "👎"}]}},
        {"message_reaction": {**reacted, "old_reaction": [], "new_reaction": [{"type": "hologram"}]}},
        {"message_reaction_count": {"chat": channel, "message_id": 1, "date": 1, "reactions": []}},
        {"pre_checkout_query": order},
        {"shipping_query": {"id": "1", "from": me, "invoice_payload": "1", "shipping_address": address}},
        {"poll": _POLL},
        {"poll_answer": {"poll_id": "1", "user": me, "option_ids": [0], "option_persistent_ids": ["1"]}},
        {"business_connection": {**business, "can_reply": True}},
        {"business_message": {**said, "chat": chat, "from": me, "business_connection_id": "x"}},
        {"edited_business_message": {**said, "chat": chat, "from": me, "business_connection_id": "x", "edit_date": 1}},
        {"deleted_business_messages": {"business_connection_id": "x", "chat": chat, "message_ids": [1]}},
        {"purchased_paid_media": {"from": me, "paid_media_payload": "x"}},
        {"chat_boost": {"chat": group, "boost": {"boost_id": "x", "add_date": 1, "expiration_date": 1, "source": {}}}},
        {"removed_chat_boost": {}},
        {"hologram": {"from": me, "chat": chat}},
        {"hologram": None},
        {"message": None},
        {"message": "x"},
        {"message": []},
        {"message": {**said, "chat": chat, "from": me}, "callback_query": {**pressed, "id": "both"}},
        {"callback_query": {}},
        {},
    ]
