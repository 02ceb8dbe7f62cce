"""The sandbox speaks the real protocols: the vendors' own clients talk to it and believe it."""

import asyncio
import hmac
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import stripe
from aiogram import Bot, Dispatcher, F, Router
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import (
    TelegramAPIError,
    TelegramBadRequest,
    TelegramConflictError,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiogram.types import (
    BotCommand,
    BufferedInputFile,
    CallbackQuery,
    ChatMemberUpdated,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaDocument,
    InputMediaPhoto,
    Message,
    Update,
)
from aiohttp import web

from sandbox import Fault, Person, Sandbox, chat
from sandbox import Message as SandboxMessage
from sandbox.entities import CannotParse, parse_html

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


@pytest.fixture
async def world() -> AsyncIterator[Sandbox]:
    async with Sandbox() as world:
        yield world


@pytest.fixture
async def bot(world: Sandbox) -> AsyncIterator[Bot]:
    async with bot_of(world) as bot:
        yield bot


@asynccontextmanager
async def bot_of(world: Sandbox, token: str | None = None) -> AsyncIterator[Bot]:
    session = AiohttpSession(api=TelegramAPIServer.from_base(world.telegram_url))
    async with Bot(token or world.bot_token, session=session) as bot:
        yield bot


def keyboard(*buttons: InlineKeyboardButton) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(inline_keyboard=[list(buttons)])


def button(text: str, data: str) -> InlineKeyboardButton:
    return InlineKeyboardButton(text=text, callback_data=data)


@asynccontextmanager
async def running(bot: Bot, router: Router) -> AsyncIterator[None]:
    dispatcher = Dispatcher()
    dispatcher.include_router(router)
    polling = asyncio.create_task(dispatcher.start_polling(bot, handle_signals=False, close_bot_session=False))
    try:
        yield
    finally:
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)


def shop() -> Router:
    router = Router()

    async def offer(message: Message) -> None:
        await message.answer(
            "<b>How</b> to pay?", parse_mode="HTML", reply_markup=keyboard(button("Stripe", "by:stripe"))
        )

    async def chosen(query: CallbackQuery) -> None:
        assert isinstance(query.message, Message)
        link = InlineKeyboardButton(text="Pay", url="https://example.com/pay")
        await query.answer("One moment", show_alert=True)
        await query.message.edit_text("Open the page", reply_markup=keyboard(link))

    async def left(change: ChatMemberUpdated) -> None:
        assert change.new_chat_member.status == "kicked"

    router.message.register(offer, F.text == "/deposit")
    router.callback_query.register(chosen, F.data == "by:stripe")
    router.my_chat_member.register(left)
    return router


async def test_a_conversation_reads_like_one(world: Sandbox, bot: Bot) -> None:
    anna = world.person(1001, "Анна", username="anna")
    async with running(bot, shop()):
        await anna.says("/deposit")
        shown = await anna.sees("How to pay?")
        assert shown.labels == ["Stripe"]
        assert shown.entities == [{"type": "bold", "offset": 0, "length": 3}]
        assert (await anna.presses("Stripe")).alert
        assert (await anna.sees("Open the page")).edited
        assert (await anna.presses("Pay")).url == "https://example.com/pay"
        await anna.blocks()
    assert [toast.text for toast in anna.toasts] == ["One moment"]


async def test_what_is_not_there_fails_with_the_chat_so_far(world: Sandbox) -> None:
    anna = world.person(1001)
    await anna.says("hello")
    with pytest.raises(AssertionError, match="Анна: hello"):
        await anna.sees("anything", timeout=0.05)


async def test_an_offset_confirms_what_is_below_it(world: Sandbox, bot: Bot) -> None:
    anna = world.person(1001)
    for word in "abc":
        await anna.says(word)

    def texts(updates: list[Update]) -> list[str | None]:
        return [update.message.text for update in updates if update.message]

    first = await bot.get_updates(limit=2)
    assert texts(first) == ["a", "b"]
    assert texts(await bot.get_updates()) == ["a", "b", "c"]
    assert texts(await bot.get_updates(offset=first[1].update_id)) == ["b", "c"]
    assert texts(await bot.get_updates(offset=-1)) == ["c"]
    assert texts(await bot.get_updates(offset=first[1].update_id + 2)) == []
    waiting = asyncio.create_task(bot.get_updates(timeout=30))
    await asyncio.sleep(0.05)
    await anna.says("d")
    assert texts(await waiting) == ["d"]


async def test_the_newer_of_two_pollers_wins(world: Sandbox, bot: Bot) -> None:
    older = asyncio.create_task(bot.get_updates(timeout=30))
    await asyncio.sleep(0.05)
    newer = asyncio.create_task(bot.get_updates(timeout=30))
    with pytest.raises(TelegramConflictError):
        await older
    await world.person(1001).says("hi")
    assert len(await newer) == 1


async def test_telegram_refuses_what_telegram_refuses(world: Sandbox, bot: Bot) -> None:
    anna = world.person(1001)
    world.person(1002, started=False)
    sent = await bot.send_message(1001, " hi ", reply_markup=keyboard(button("a", "b")))
    assert sent.text == "hi"

    async def refused(call: object, words: str) -> None:
        with pytest.raises(TelegramBadRequest, match=words):
            await call  # type: ignore[misc]  # any of the API's calls

    same = keyboard(button("a", "b"))
    await refused(bot.send_message(5, "x"), "chat not found")
    await refused(bot.send_message(1001, "  "), "text is empty")
    await refused(bot.send_message(1001, "x" * 4097), "too long")
    await refused(bot.send_message(1001, "<b>x", parse_mode="HTML"), "can't parse entities")
    await refused(bot.send_message(1001, "x", reply_markup=keyboard(button("x", "ы" * 33))), "BUTTON_DATA_INVALID")
    link = InlineKeyboardButton(text="x", url="/pay")
    await refused(bot.send_message(1001, "x", reply_markup=keyboard(link)), "Wrong HTTP URL")
    await refused(
        bot.edit_message_text("hi", chat_id=1001, message_id=sent.message_id, reply_markup=same),
        "not modified",
    )
    await refused(bot.edit_message_text("x", chat_id=1001, message_id=1), "message to edit not found")
    await refused(bot.delete_message(1001, 1), "message to delete not found")
    await refused(bot.answer_callback_query("gone"), "query is too old")
    await refused(bot.send_photo(1001, BufferedInputFile(b"text", "x.png")), "IMAGE_PROCESS_FAILED")
    with pytest.raises(TelegramForbiddenError, match="initiate"):
        await bot.send_message(1002, "x")
    await anna.blocks()
    with pytest.raises(TelegramForbiddenError, match="blocked"):
        await bot.send_message(1001, "x")
    anna.deactivate()
    with pytest.raises(TelegramForbiddenError, match="deactivated"):
        await bot.send_message(1001, "x")
    async with bot_of(world, "43:OTHER") as stranger:
        with pytest.raises(TelegramUnauthorizedError):
            await stranger.get_me()
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{world.url}/bot{bot.token}/noSuchThing") as response,
    ):
        assert response.status == 404
    assert await bot.set_my_name("Looseline")
    with pytest.raises((TelegramNotFound, TelegramBadRequest)):
        await bot.send_dice(1001)


async def test_files_go_both_ways(world: Sandbox, bot: Bot) -> None:
    anna = world.person(1001)
    statement = BufferedInputFile(b"a;b", "statement.csv")
    sent = await bot.send_document(1001, statement, caption="<i>Yours</i>", parse_mode="HTML")
    shown = await anna.sees("statement.csv")
    assert shown.file is not None
    assert (shown.file.data, shown.text) == (b"a;b", "Yours")
    other = InputMediaDocument(media=BufferedInputFile(b"c", "new.csv"), caption="New")
    await bot.edit_message_media(other, chat_id=1001, message_id=sent.message_id)
    assert (await anna.sees("new.csv")).text == "New"
    assert (await bot.send_photo(1001, BufferedInputFile(PNG, "x.png"))).photo
    assert (await anna.sees("x.png")).text == ""
    await anna.sends(b"scan", "passport.pdf", caption="me")
    message = (await bot.get_updates())[-1].message
    assert message is not None
    assert message.document is not None
    content = await bot.download(message.document)
    assert content is not None
    assert content.read() == b"scan"


async def test_a_picture_has_a_caption_and_buttons_and_becomes_another(world: Sandbox, bot: Bot) -> None:
    anna = world.person(1001)
    month, year = button("Month", "chart:month"), button("Year", "chart:year")
    sent = await bot.send_photo(
        1001,
        BufferedInputFile(PNG, "week.png"),
        caption="<b>Week</b>",
        parse_mode="HTML",
        reply_markup=keyboard(month, year),
    )
    shown = await anna.sees("Week")
    assert (shown.labels, shown.file and shown.file.name) == (["Month", "Year"], "week.png")
    assert "photo" in shown.raw
    pressing = asyncio.create_task(anna.presses("Month"))
    (update,) = await bot.get_updates(timeout=5)
    assert update.callback_query is not None
    await bot.answer_callback_query(update.callback_query.id)
    await pressing
    other = InputMediaPhoto(media=BufferedInputFile(PNG + b"2", "month.png"), caption="<b>Month</b>", parse_mode="HTML")
    await bot.edit_message_media(other, chat_id=1001, message_id=sent.message_id, reply_markup=keyboard(year))
    changed = await anna.sees("month.png")
    assert (changed.id, changed.text, changed.labels, changed.edited) == (sent.message_id, "Month", ["Year"], True)
    assert changed.file is not None
    assert changed.file.data.endswith(b"2")
    await bot.edit_message_caption(chat_id=1001, message_id=sent.message_id, caption="Mine")
    assert (changed.text, changed.labels) == ("Mine", [])
    for call in (
        bot.edit_message_text("x", chat_id=1001, message_id=sent.message_id),
        bot.edit_message_media(
            InputMediaPhoto(media=BufferedInputFile(b"text", "x.png")), chat_id=1001, message_id=sent.message_id
        ),
        bot.send_photo(1001, BufferedInputFile(PNG, "x.png"), caption="x" * 1025),
    ):
        with pytest.raises(TelegramBadRequest):
            await call
    assert (changed.text, changed.file.data[-1:]) == ("Mine", b"2")


async def test_a_photo_goes_on_to_others_by_its_file_id(world: Sandbox, bot: Bot) -> None:
    admin, anna = world.person(900), world.person(1001)
    await admin.sends(PNG, "news.png", caption="New: https://example.com", photo=True)
    came = (await bot.get_updates())[-1].message
    assert came is not None
    assert came.photo is not None
    assert came.caption_entities is not None
    assert [entity.type for entity in came.caption_entities] == ["url"]
    link = InlineKeyboardButton(text="Open", url="https://example.com")
    photo = came.photo[-1].file_id
    await bot.send_photo(1001, photo, caption="<b>New</b>", parse_mode="HTML", reply_markup=keyboard(link))
    shown = await anna.sees("New")
    assert shown.file is not None
    assert (shown.file.data, [(one.text, one.url) for one in shown.buttons]) == (PNG, [("Open", "https://example.com")])
    assert (shown.raw["photo"], shown.entities) == (
        admin.messages[0].raw["photo"],
        [{"type": "bold", "offset": 0, "length": 3}],
    )
    await admin.sends(PNG, "scan.png")
    document = admin.messages[-1].raw["document"]["file_id"]
    with pytest.raises(TelegramBadRequest, match="type Document as Photo"):
        await bot.send_photo(1001, document)
    with pytest.raises(TelegramBadRequest, match="type Photo as Document"):
        await bot.send_document(1001, photo)
    with pytest.raises(TelegramBadRequest, match="wrong file identifier"):
        await bot.send_photo(1001, "AgACAgIAAxkBAAIB")


async def test_a_channel_has_members_and_posts(world: Sandbox, bot: Bot) -> None:
    anna, channel = world.person(1001), world.channel_id
    await anna.joins(channel)
    assert await bot.get_updates() == []
    assert (await bot.get_chat_member(channel, 1001)).status == "member"
    await bot.get_updates(allowed_updates=["message", "chat_member"])
    await anna.leaves(channel)
    await anna.leaves(channel)
    (update,) = await bot.get_updates()
    assert update.chat_member is not None
    assert update.chat_member.from_user.id == 1001
    assert (update.chat_member.chat.id, update.chat_member.chat.type) == (channel, "channel")
    assert update.chat_member.old_chat_member.status == "member"
    assert update.chat_member.new_chat_member.status == "left"
    assert (await bot.get_chat_member("@looseline_news", 1001)).status == "left"
    assert (await bot.get_chat_member(channel, bot.id)).status == "administrator"
    card = await bot.get_chat(channel)
    assert (card.type, card.title, card.username) == ("channel", "Looseline News", "looseline_news")
    assert str(card.invite_link).startswith("https://t.me/+")
    post = await bot.send_message(channel, "<b>News</b>", parse_mode="HTML", reply_markup=keyboard(button("a", "b")))
    await bot.edit_message_text("Old news", chat_id=channel, message_id=post.message_id)
    assert [(post.text, post.by_bot) for post in world.telegram.posts] == [("Old news", True)]
    await bot.send_photo(channel, BufferedInputFile(PNG, "x.png"))
    assert await bot.delete_message(channel, post.message_id)
    assert len(world.telegram.posts) == 1
    for call in (bot.get_chat(-5), bot.get_chat_member(-5, 1001), bot.send_message("@nobody", "x")):
        with pytest.raises(TelegramBadRequest, match="chat not found"):
            await call
    with pytest.raises(TelegramBadRequest, match="user not found"):
        await bot.get_chat_member(channel, 5)


async def test_the_channels_page_lets_people_in_and_out(world: Sandbox, bot: Bot) -> None:
    world.cast()
    await bot.send_message(world.channel_id, "1 < 2")
    async with aiohttp.ClientSession() as http:

        async def press(do: str) -> tuple[int, str]:
            async with http.post(f"{world.page_url}/channel?person=1002", data={"do": do}) as response:
                return response.status, await response.text()

        status, text = await press("join 1001")
        assert (status, world.telegram.channels[world.channel_id]) == (200, {1001})
        assert text.index("join 1002") < text.index("leave 1001")
        assert "1 &lt; 2" in text
        assert "join 1001" in (await press("leave 1001"))[1]
        assert [(await press(do))[0] for do in ("join 5", "join x", "stay 1001", "")] == [400] * 4


async def test_commands_belong_to_scopes_and_languages(world: Sandbox, bot: Bot) -> None:
    anna, ben = world.person(1001), world.person(1002, "Ben", language_code="en")
    await bot.set_my_commands([BotCommand(command="menu", description="Menu")])
    await bot.set_my_commands([BotCommand(command="menu", description="Меню")], language_code="ru")
    described = [world.telegram.commands_for(person)[0]["description"] for person in (anna, ben)]
    assert described == ["Меню", "Menu"]


async def test_flood_control_answers_when_to_come_back(world: Sandbox, bot: Bot) -> None:
    world.telegram.limits = True
    world.person(1001)
    for number in range(5):
        await bot.send_message(1001, str(number))
    with pytest.raises(TelegramRetryAfter) as caught:
        await bot.send_message(1001, "too many")
    assert caught.value.retry_after == 1


async def test_in_a_crowd_each_chat_has_its_own_trouble(world: Sandbox, bot: Bot) -> None:
    crowd = [world.person(2000 + number, started=True) for number in range(300)]
    looks = Counter[int]()

    def waits(person: Person) -> Coroutine[Any, Any, SandboxMessage]:
        def check(message: SandboxMessage) -> bool:
            looks[person.id] += 1
            return message.text == "last"

        return person.wait_for(check)

    waiting = asyncio.gather(*(waits(person) for person in crowd))
    world.faults.add("telegram", "sendMessage", Fault.FORBIDDEN, chance=0.2)
    world.faults.add("telegram", "sendMessage", Fault.TOO_MANY, chance=0.2)
    refused = Counter[str]()
    for person in crowd:
        try:
            await bot.send_message(person.id, "first")
        except TelegramAPIError as error:
            refused[type(error).__name__] += 1
    assert all(30 < refused[kind] < 90 for kind in ("TelegramForbiddenError", "TelegramRetryAfter"))
    assert sum(len(person.messages) for person in crowd) == 300 - refused.total()
    world.faults.clear()
    await asyncio.gather(*(bot.send_message(person.id, "last") for person in crowd))
    await waiting
    # Nobody was woken by what others were told
    assert max(looks.values()) <= 3
    await crowd[0].blocks()
    crowd[1].deactivate()
    for person in crowd[:2]:
        with pytest.raises(TelegramForbiddenError):
            await bot.send_message(person.id, "never")
    await bot.send_message(crowd[2].id, "always")
    assert crowd[2].messages[-1].text == "always"


async def test_webhook_mode_delivers_in_order_until_taken(world: Sandbox, bot: Bot) -> None:
    anna = world.person(1001)
    seen: list[tuple[str, str | None]] = []
    done = asyncio.Event()

    async def receive(request: web.Request) -> web.Response:
        seen.append(
            (
                (await request.json())["message"]["text"],
                request.headers.get("X-Telegram-Bot-Api-Secret-Token"),
            )
        )
        if len(seen) == 1:
            raise web.HTTPServiceUnavailable
        if len(seen) == 3:
            done.set()
        return web.json_response({"method": "sendMessage", "chat_id": 1001, "text": "from the answer"})

    async with served(receive) as url:
        await bot.set_webhook(f"{url}/telegram", secret_token="secret")
        with pytest.raises(TelegramConflictError):
            await bot.get_updates()
        await anna.says("a")
        await anna.says("b")
        await asyncio.wait_for(done.wait(), 5)
        await anna.sees("from the answer")
        info = await bot.get_webhook_info()
        assert (info.url, info.last_error_message) == (
            f"{url}/telegram",
            "Wrong response from the webhook: 503",
        )
        await bot.delete_webhook()
    assert seen == [("a", "secret"), ("a", "secret"), ("b", "secret")]


@asynccontextmanager
async def served(handler: object) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)  # type: ignore[arg-type]  # any handler
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("source", "text", "kinds"),
    [
        ("<b>1 &lt; 2</b> &amp; <i>x</i>", "1 < 2 & x", ["bold", "italic"]),
        ('<a href="https://e.com/?a=1&amp;b=2">link</a>', "link", ["text_link"]),
        ('<pre><code class="language-python">x</code></pre>', "x", ["pre"]),
        ("<blockquote expandable>q</blockquote>", "q", ["expandable_blockquote"]),
        ('<span class="tg-spoiler">s</span>&#33;', "s!", ["spoiler"]),
        ('<a href="nowhere">x</a>', "x", []),
    ],
)
def test_html_becomes_entities(source: str, text: str, kinds: list[str]) -> None:
    parsed, entities = parse_html(source)
    assert (parsed, [entity["type"] for entity in entities]) == (text, kinds)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("<b>x", 'Can\'t find end tag corresponding to start tag "b"'),
        ("<b>x</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("x</b>", "Unexpected end tag at byte offset 1"),
        ("ы<blink>", 'Unsupported start tag "blink" at byte offset 2'),
        ("1 < 2", "Unclosed start tag at byte offset 2"),
    ],
)
def test_bad_html_is_refused_as_telegram_does(source: str, words: str) -> None:
    with pytest.raises(CannotParse) as caught:
        parse_html(source)
    assert str(caught.value) == words


@asynccontextmanager
async def stripe_of(world: Sandbox, retries: int = 0, key: str | None = None) -> AsyncIterator[stripe.StripeClient]:
    http = stripe.AIOHTTPClient(timeout=3)
    yield stripe.StripeClient(
        key or world.stripe_key,
        http_client=http,
        max_network_retries=retries,
        base_addresses={"api": world.stripe_url},
    )
    await http.close_async()  # type: ignore[no-untyped-call]


def order(amount: int = 5000, seconds: int = 1900) -> stripe.params.checkout.SessionCreateParams:
    return {
        "mode": "payment",
        "line_items": [
            {
                "quantity": 1,
                "price_data": {"currency": "usd", "unit_amount": amount, "product_data": {"name": "Deposit"}},
            }
        ],
        "success_url": "https://t.me/looseline_bot?start=paid",
        "cancel_url": "https://t.me/looseline_bot",
        "client_reference_id": "71",
        "metadata": {"operation_id": "71"},
        "payment_intent_data": {"metadata": {"operation_id": "71"}},
        "adaptive_pricing": {"enabled": False},
        "expires_at": int(time.time()) + seconds,
    }


async def test_stripe_sells_once_for_a_key_and_its_events_verify(world: Sandbox) -> None:
    async with stripe_of(world) as client:
        sessions, params = client.v1.checkout.sessions, order()
        made = await sessions.create_async(params, {"idempotency_key": "dep-71"})
        again = await sessions.create_async(params, {"idempotency_key": "dep-71"})
        assert made.id == again.id
        assert made.url == f"{world.url}/sandbox/stripe/pay/{made.id}"
        with pytest.raises(stripe.IdempotencyError):
            await sessions.create_async(order(6000), {"idempotency_key": "dep-71"})
        await world.stripe.decline(made.id, "never")
        await world.stripe.pay(made.id, "never")
        paid = await sessions.retrieve_async(made.id, {"expand": ["payment_intent"]})
        assert (paid.status, paid.payment_status) == ("complete", "paid")
        assert isinstance(paid.payment_intent, stripe.PaymentIntent)
        assert paid.payment_intent.metadata["operation_id"] == "71"
        events = world.stripe.events(made.id)
        for raw in events:
            header = raw.headers["Stripe-Signature"]
            stripe.WebhookSignature.verify_header(raw.body.decode(), header, world.stripe_webhook_secret, 300)
        kinds = {raw.event for raw in events}
        assert {
            "payment_intent.payment_failed",
            "payment_intent.succeeded",
            "checkout.session.completed",
        } <= kinds
        assert world.stripe.taken() == {"USD": 5000}
        listed = await sessions.list_async({"limit": 1, "created": {"gte": 1}})
        assert [session.id for session in listed.data] == [made.id]
        with pytest.raises(stripe.InvalidRequestError):
            await sessions.expire_async(made.id)


async def test_stripe_refuses_what_stripe_refuses(world: Sandbox) -> None:
    async with stripe_of(world) as client, stripe_of(world, key="sk_test_other") as stranger:
        for bad in (order(49), order(100_000_000), order(seconds=1700), order(seconds=90_000)):
            with pytest.raises(stripe.InvalidRequestError):
                await client.v1.checkout.sessions.create_async(bad)
        with pytest.raises(stripe.InvalidRequestError) as caught:
            await client.v1.checkout.sessions.retrieve_async("cs_none")
        assert caught.value.code == "resource_missing"
        with pytest.raises(stripe.AuthenticationError):
            await stranger.v1.checkout.sessions.create_async(order())


async def test_stripe_tells_of_expiry_delay_and_strangers(world: Sandbox) -> None:
    async with stripe_of(world) as client:
        late = await client.v1.checkout.sessions.create_async(order())
        await world.stripe.expire(late.id, "never")
        await world.stripe.pay(late.id, "never", after_expiry=True, amount=4000, currency="eur")
        bank = await client.v1.checkout.sessions.create_async(order())
        await world.stripe.pay(bank.id, "never", delayed=True)
        assert (await client.v1.checkout.sessions.retrieve_async(bank.id)).payment_status == "unpaid"
        await world.stripe.settle(bank.id, "never")
        stray = await world.stripe.stray(700, webhook="never")
        assert (await client.v1.payment_intents.retrieve_async(stray)).amount_received == 700
    assert world.stripe.taken() == {"EUR": 4000, "USD": 5700}
    assert world.stripe.events(bank.id)[-1].event == "checkout.session.async_payment_succeeded"


async def kept_card(
    world: Sandbox, client: stripe.StripeClient, card: str = "…4242"
) -> stripe.params.PaymentIntentCreateParams:
    """A customer keeps a card by paying a page; answers what it takes to charge it."""
    customer = await client.v1.customers.create_async({"metadata": {"player_id": "7"}})
    params = order()
    params["customer"] = customer.id
    params["payment_intent_data"] = {"setup_future_usage": "off_session"}
    made = await client.v1.checkout.sessions.create_async(params)
    await world.stripe.pay(made.id, "never", card=card)
    (method,) = (await client.v1.payment_methods.list_async({"customer": customer.id, "type": "card"})).data
    assert method.card is not None
    assert method.card.last4 == world.stripe.cards(customer.id)[0]["card"]["last4"] == card[-4:]
    return {
        "amount": 700,
        "currency": "usd",
        "customer": customer.id,
        "payment_method": method.id,
        "off_session": True,
        "confirm": True,
        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
    }


async def test_stripe_keeps_a_card_and_charges_it_once_for_a_key(world: Sandbox) -> None:
    async with stripe_of(world) as client:
        params = await kept_card(world, client)
        intents = client.v1.payment_intents
        first = await intents.create_async(params, {"idempotency_key": "saved-1"})
        again = await intents.create_async(params, {"idempotency_key": "saved-1"})
        assert (first.id, first.status, first.amount_received) == (again.id, "succeeded", 700)
        whole = await intents.retrieve_async(first.id, {"expand": ["payment_method", "latest_charge"]})
        assert isinstance(whole.payment_method, stripe.PaymentMethod)
        assert isinstance(whole.latest_charge, stripe.Charge)
        assert whole.payment_method.customer == params["customer"]
        assert [raw.event for raw in world.stripe.events(first.id)][-2:] == [
            "charge.succeeded",
            "payment_intent.succeeded",
        ]
        await client.v1.payment_methods.detach_async(params["payment_method"])
        assert (await client.v1.customers.payment_methods.list_async(params["customer"])).data == []
        (gone,) = [raw for raw in world.stripe.events(params["payment_method"]) if raw.event.endswith("detached")]
        assert json.loads(gone.body)["data"]["previous_attributes"] == {"customer": params["customer"]}
        for refused in (
            intents.create_async(params),
            client.v1.payment_methods.detach_async(params["payment_method"]),
            intents.create_async({**params, "customer": "cus_none"}),
            intents.create_async({**params, "confirm": False}),
        ):
            with pytest.raises(stripe.InvalidRequestError):
                await refused
    assert world.stripe.taken() == {"USD": 5700}


@pytest.mark.parametrize(
    ("card", "code"),
    [("…3184", "authentication_required"), ("…0341", "card_declined")],
)
async def test_stripe_tells_a_refusal_with_its_intent_and_repeats_it(world: Sandbox, card: str, code: str) -> None:
    async with stripe_of(world) as client:
        params = await kept_card(world, client, card)
        told = []
        for _ in range(2):
            with pytest.raises(stripe.CardError) as caught:
                await client.v1.payment_intents.create_async(params, {"idempotency_key": "saved-1"})
            assert caught.value.code == code
            assert caught.value.error is not None
            assert caught.value.error.payment_intent is not None
            told.append(caught.value.error.payment_intent.id)
        assert told[0] == told[1]
        cancelled = await client.v1.payment_intents.cancel_async(told[0], {"cancellation_reason": "abandoned"})
        assert cancelled.status == "canceled"
        with pytest.raises(stripe.InvalidRequestError):
            await client.v1.payment_intents.cancel_async(told[0])
        kinds = [raw.event for raw in world.stripe.events(told[0])]
        assert kinds == [
            "payment_intent.created",
            "charge.failed",
            "payment_intent.payment_failed",
            "payment_intent.canceled",
        ]
    assert world.stripe.taken() == {"USD": 5000}


async def test_a_kept_card_can_go_bad_and_good_again(world: Sandbox) -> None:
    async with stripe_of(world) as client:
        params = await kept_card(world, client)
        world.stripe.spoil(params["payment_method"], "expired_card")
        with pytest.raises(stripe.CardError) as caught:
            await client.v1.payment_intents.create_async(params)
        assert caught.value.code == "expired_card"
        world.stripe.spoil(params["payment_method"], None)
        assert (await client.v1.payment_intents.create_async(params)).status == "succeeded"
        with pytest.raises(ValueError, match="no test card"):
            await world.stripe.keep(params["customer"], card="…1234")


async def test_stripe_gives_back_no_more_than_it_took(world: Sandbox) -> None:
    async with stripe_of(world) as client:
        ref = await world.stripe.stray(5000, webhook="never")
        refunds = client.v1.refunds
        part = await refunds.create_async({"payment_intent": ref, "amount": 2000}, {"idempotency_key": "r"})
        assert (
            part.id
            == (await refunds.create_async({"payment_intent": ref, "amount": 2000}, {"idempotency_key": "r"})).id
        )
        with pytest.raises(stripe.InvalidRequestError):
            await refunds.create_async({"payment_intent": ref, "amount": 3001})
        await refunds.create_async({"payment_intent": ref})
        with pytest.raises(stripe.InvalidRequestError) as caught:
            await refunds.create_async({"payment_intent": ref})
        assert caught.value.code == "charge_already_refunded"
        assert [refund.amount for refund in (await refunds.list_async({"payment_intent": ref})).data] == [3000, 2000]
        sums = [json.loads(raw.body) for raw in world.stripe.events(ref) if raw.event == "charge.refunded"]
        assert [
            (event["data"]["object"]["amount_refunded"], event["data"]["object"]["refunded"]) for event in sums
        ] == [
            (2000, False),
            (5000, True),
        ]
        assert [event["data"]["previous_attributes"] for event in sums] == [
            {"amount_refunded": 0},
            {"amount_refunded": 2000},
        ]
    assert world.stripe.taken() == {"USD": 0}


async def test_stripe_fails_a_refund_and_keeps_its_books(world: Sandbox) -> None:
    ref = await world.stripe.stray(5000, webhook="never")
    refund = await world.stripe.refund(ref, 2000, "never", state="pending")
    assert world.stripe.taken() == {"USD": 5000}
    await world.stripe.finish_refund(refund, "never")
    assert world.stripe.taken() == {"USD": 3000}
    await world.stripe.finish_refund(refund, "never", done=False)
    assert world.stripe.taken() == {"USD": 5000}
    assert [raw.event for raw in world.stripe.events(refund)] == [
        "refund.created",
        "refund.updated",
        "refund.updated",
        "refund.failed",
    ]
    with pytest.raises(ValueError, match="failed"):
        await world.stripe.finish_refund(refund, "never")


async def test_stripe_tells_a_dispute_as_it_goes(world: Sandbox) -> None:
    async with stripe_of(world) as client:
        ref = await world.stripe.stray(5000, webhook="never")
        dispute = await world.stripe.dispute(ref, 3000, "never", inquiry=True)
        assert world.stripe.taken() == {"USD": 5000}
        await world.stripe.escalate(dispute, "never")
        assert world.stripe.taken() == {"USD": 2000}
        with pytest.raises(stripe.InvalidRequestError) as caught:
            await client.v1.refunds.create_async({"payment_intent": ref})
        assert caught.value.code == "charge_disputed"
        await world.stripe.close_dispute(dispute, "never")
        assert world.stripe.taken() == {"USD": 5000}
        found = (await client.v1.disputes.list_async({"payment_intent": ref})).data
        assert [(item.id, item.status, item.amount) for item in found] == [(dispute, "won", 3000)]
    told = [json.loads(raw.body) for raw in world.stripe.events(dispute)]
    assert [(event["type"].removeprefix("charge.dispute."), event["data"]["object"]["status"]) for event in told] == [
        ("created", "warning_needs_response"),
        ("updated", "needs_response"),
        ("funds_withdrawn", "needs_response"),
        ("closed", "won"),
        ("funds_reinstated", "won"),
    ]
    with pytest.raises(ValueError, match="won"):
        await world.stripe.close_dispute(dispute, "never")


def shape_of(event: object) -> object:
    """The names in an event, and none of its values."""
    if not isinstance(event, dict):
        return None
    return {name: None if name == "metadata" else shape_of(value) for name, value in event.items()}


async def test_events_look_like_the_real_ones(world: Sandbox) -> None:
    async with stripe_of(world) as client:
        params = await kept_card(world, client)
        paid = list(world.stripe.intents)[-1]
        await client.v1.payment_methods.detach_async(params["payment_method"])
    refund = await world.stripe.refund(paid, 2000, "never", state="pending")
    await world.stripe.finish_refund(refund, "never")
    failed = await world.stripe.refund(paid, 1000, "never", state="failed")
    dispute = await world.stripe.dispute(paid, webhook="never")
    await world.stripe.close_dispute(dispute, "never")
    sent: dict[str, object] = {}
    for ref in (paid, failed):
        sent |= {raw.event: json.loads(raw.body) for raw in world.stripe.events(ref)}
    folder = Path(__file__).parents[1] / "fixtures" / "stripe"
    for kind, sample in (
        ("refund.created", "refund.created"),
        ("refund.failed", "refund.failed"),
        ("charge.dispute.created", "charge.dispute.created"),
        ("charge.dispute.closed", "charge.dispute.closed.won"),
        ("payment_method.attached", "payment_method.attached"),
        ("payment_method.detached", "payment_method.detached"),
    ):
        real = json.loads((folder / f"{sample}.json").read_text())
        assert shape_of(sent[kind]) == shape_of(real)


@pytest.mark.parametrize(
    "fault", [Fault.ERROR, Fault.GARBAGE, Fault.RESET, Fault.LOST, Fault.LOST_500, Fault.TRUNCATED]
)
async def test_a_lost_answer_is_found_again_by_its_key(world: Sandbox, fault: Fault) -> None:
    async with stripe_of(world) as client:
        world.faults.add("stripe", "POST /v1/checkout/sessions", fault, times=1)
        params = order()
        with pytest.raises((stripe.StripeError, aiohttp.ClientError)):
            await client.v1.checkout.sessions.create_async(params, {"idempotency_key": "k"})
        made = await client.v1.checkout.sessions.create_async(params, {"idempotency_key": "k"})
    assert list(world.stripe.sessions) == [made.id]
    assert world.calls["stripe", "POST /v1/checkout/sessions"] == 2


async def test_faults_of_telegram_end_as_the_client_names_them(world: Sandbox, bot: Bot) -> None:
    world.person(1001)
    expected: list[tuple[Fault, type[TelegramAPIError]]] = [
        (Fault.TOO_MANY(retry_after=7), TelegramRetryAfter),
        (Fault.FORBIDDEN, TelegramForbiddenError),
        (Fault.ERROR, TelegramServerError),
        (Fault.RESET, TelegramNetworkError),
        (Fault.LOST, TelegramNetworkError),
    ]
    for fault, kind in expected:
        world.faults.add("telegram", "sendMessage", fault, times=1)
        with pytest.raises(kind):
            await bot.send_message(1001, "x")
    assert len(world.person(1001).shown) == 1
    world.faults.add("telegram", "send*", Fault.SLOW(seconds=0.05), times=1)
    world.faults.add("telegram", "send*", Fault.DRIP(seconds=0.0001), times=1)
    await bot.send_message(1001, "slow")
    await bot.send_message(1001, "drop by drop")


async def test_what_hangs_ends_with_the_world() -> None:
    async with aiohttp.ClientSession() as http:
        async with Sandbox() as world:
            world.faults.add("yookassa", "*", Fault.HANG)
            hanging = asyncio.create_task(http.get(f"{world.yookassa_url}/me"))
            await asyncio.sleep(0.1)
            assert world.calls["yookassa", "GET /v3/me"] == 1
            began = time.monotonic()
        with pytest.raises(aiohttp.ClientError):
            await hanging
    assert time.monotonic() - began < 1


@asynccontextmanager
async def yookassa_of(world: Sandbox) -> AsyncIterator[aiohttp.ClientSession]:
    auth = aiohttp.encode_basic_auth(world.yookassa_shop, world.yookassa_key)
    async with aiohttp.ClientSession(f"{world.yookassa_url}/", headers={"Authorization": auth}) as http:
        yield http


async def test_yookassa_takes_a_payment_once(world: Sandbox) -> None:
    async with yookassa_of(world) as http:
        body = {
            "amount": {"value": "1500.00", "currency": "RUB"},
            "capture": True,
            "confirmation": {"type": "redirect", "return_url": "https://t.me/looseline_bot"},
            "metadata": {"operation_id": "71"},
        }

        async def create(key: str | None = "k", **changes: object) -> tuple[int, dict[str, str]]:
            headers = {"Idempotence-Key": key} if key else {}
            async with http.post("payments", json=body | changes, headers=headers) as response:
                return response.status, await response.json()

        status, made = await create()
        assert (status, made["status"]) == (200, "pending")
        assert await create() == (200, made)
        assert (await create(None))[1]["parameter"] == "Idempotence-Key"
        assert (await create("x" * 65))[0] == 400
        assert (await create("k", description="other"))[0] == 400
        assert (await create("l", amount={"value": "1.005", "currency": "RUB"}))[1]["parameter"] == "amount.value"
        await world.yookassa.pay(made["id"], "never", method="sbp")
        async with http.get(f"payments/{made['id']}") as response:
            assert (await response.json())["paid"]
        assert json.loads(world.yookassa.events(made["id"])[0].body)["event"] == "payment.succeeded"
        assert world.yookassa.taken() == {"RUB": 150_000}
        held = (await create("held", capture=False))[1]["id"]
        await world.yookassa.pay(held, "never")
        async with http.post(f"payments/{held}/capture", json={}, headers={"Idempotence-Key": "c"}) as response:
            assert (await response.json())["status"] == "succeeded"
        refused = (await create("refused"))[1]["id"]
        await world.yookassa.decline(refused, "never", reason="card_expired")
        async with http.get("payments", params={"limit": "2", "created_at.gte": "2020-01-01T00:00:00Z"}) as response:
            page = await response.json()
        assert [payment["id"] for payment in page["items"]] == [refused, held]
        assert page["next_cursor"] == made["id"]
        async with http.get("payments/none") as response:
            assert (await response.json())["code"] == "not_found"
    async with (
        aiohttp.ClientSession() as anonymous,
        anonymous.get(f"{world.yookassa_url}/payments") as response,
    ):
        assert response.status == 401


async def test_yookassa_keeps_a_card_charges_it_and_gives_money_back(world: Sandbox) -> None:
    async with yookassa_of(world) as http:

        async def post(path: str, key: str, **body: object) -> tuple[int, dict[str, Any]]:
            async with http.post(path, json=body, headers={"Idempotence-Key": key}) as response:
                return response.status, await response.json()

        amount, back = {"value": "1500.00", "currency": "RUB"}, {"value": "600.00", "currency": "RUB"}
        confirmation = {"type": "redirect", "return_url": "https://t.me/looseline_bot"}
        page = {"amount": amount, "capture": True, "confirmation": confirmation, "save_payment_method": True}
        _, made = await post("payments", "page", **page)
        assert (await post("payments", "early", amount=amount, payment_method_id=made["id"]))[0] == 400
        await world.yookassa.pay(made["id"], "never", card="…0004")
        kept = {"amount": amount, "capture": True, "payment_method_id": made["id"]}
        status, charged = await post("payments", "kept", **kept)
        assert (status, charged["status"], charged["payment_method"]["id"]) == (200, "succeeded", made["id"])
        assert (charged["payment_method"]["card"]["card_type"], charged["payment_method"]["saved"]) == ("Mir", True)
        assert await post("payments", "kept", **kept) == (200, charged)
        world.yookassa.revoke(made["id"])
        _, refused = await post("payments", "revoked", **kept)
        assert (refused["status"], refused["cancellation_details"]["reason"]) == ("canceled", "permission_revoked")
        assert "_reason" not in json.dumps(refused)
        _, refund = await post("refunds", "r", payment_id=made["id"], amount=back, metadata={"refund_id": "9"})
        assert (refund["status"], refund["payment_id"], refund["metadata"]) == (
            "succeeded",
            made["id"],
            {"refund_id": "9"},
        )
        assert (await post("refunds", "more", payment_id=made["id"], amount=amount))[0] == 400
        rest = await world.yookassa.refund(made["id"], webhook="never", state="pending")
        assert (await post("refunds", "held", payment_id=made["id"], amount=back))[0] == 400
        await world.yookassa.finish_refund(rest, "never")
        async with http.get("refunds", params={"payment_id": made["id"], "limit": "1"}) as response:
            listed = await response.json()
        assert ([item["id"] for item in listed["items"]], listed["next_cursor"]) == ([rest], refund["id"])
        async with http.get(f"refunds/{rest}") as response:
            assert (await response.json())["amount"]["value"] == "900.00"
        assert [raw.event for raw in world.yookassa.events(made["id"])] == [
            "payment.succeeded",
            "refund.succeeded",
            "refund.succeeded",
        ]
        assert world.yookassa.payments[made["id"]]["refunded_amount"]["value"] == "1500.00"
        assert not world.yookassa.payments[made["id"]]["refundable"]
        assert world.yookassa.taken() == {"RUB": 150_000}


async def test_webhooks_come_now_many_times_late_and_until_taken(world: Sandbox) -> None:
    bodies: list[bytes] = []

    async def receive(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        return web.Response(status=503 if len(bodies) == 1 else 200)

    async with served(receive) as world.bot_url:
        ref = await world.yookassa.stray(100)
        assert [attempt.status for attempt in world.deliveries.log] == [503]
        await world.deliveries.drained()
        assert bodies == [world.yookassa.events(ref)[0].body] * 2
        world.deliveries.late_seconds = 0.05
        await world.stripe.stray(100, webhook="late")
        assert len(bodies) == 2
        await world.deliveries.drained()
        assert len(bodies) == 6


@asynccontextmanager
async def partner(world: Sandbox, *statuses: int) -> AsyncIterator[list[dict[str, Any]]]:
    """The door for postbacks: what came through it, answered with these statuses and then with 200."""
    came: list[dict[str, Any]] = []

    async def receive(request: web.Request) -> web.Response:
        kind = request.headers.get("Content-Type")
        body = await request.json() if kind == "application/json" else await request.post()
        came.append({"request": (request.method, request.path, kind), **request.query, **body})
        return web.Response(status=statuses[len(came) - 1] if len(came) <= len(statuses) else 200, text="OK")

    async with served(receive) as world.bot_url:
        yield came


async def test_the_casino_tells_what_its_players_do(world: Sandbox) -> None:
    casino, door = world.casino, "/postback/1win/sandbox-postback"
    assert world.casino_link == f"{world.page_url}/casino?sub1={{sub1}}"
    async with partner(world) as came:
        player, stranger = casino.register("c7f3a9"), casino.register()
        assert player.isdigit()
        assert came == []
        await casino.registered(player)
        who = {"sub1": "c7f3a9", "user_id": player, "country": "kz"}
        assert came == [{"request": ("GET", door, None), "event": "registration", **who}]
        first, again = await casino.deposit(player, "1 000,50", both=True)
        assert {first.event, again.event} == {"first_deposit", "deposit"}
        assert [(one["amount"], one["user_id"]) for one in came[1:]] == [("1 000,50", player)] * 2
        assert len({one["transaction_id"] for one in came[1:]}) == 1
        await casino.deposit(player, 5)
        await casino.deposit(stranger, 5, currency="KZT", sub1=None, country=None)
        assert [(one["event"], one.get("sub1"), one.get("currency")) for one in came[3:]] == [
            ("deposit", "c7f3a9", None),
            ("first_deposit", None, "KZT"),
        ]
        assert len({one["transaction_id"] for one in came[1:]}) == 3
    assert [(fired.event, fired.status, fired.answer) for fired in casino.log][:1] == [("registration", 200, "OK")]


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ({"method": "GET"}, None),
        ({"method": "POST"}, None),
        ({"body": "form"}, "application/x-www-form-urlencoded"),
        ({"body": "json"}, "application/json"),
    ],
)
async def test_a_postback_travels_in_every_way(world: Sandbox, how: Any, kind: str | None) -> None:
    odd: Any = {"user_id": "{user_id}", "sub1": "a&b=ы +", "transaction_id": ""}
    async with partner(world) as came:
        (raw,) = await world.casino.fire("win", amount=250, **odd, **how)
        number: object = 250 if kind == "application/json" else "250"
        method = "GET" if how.get("method") == "GET" else "POST"
        assert came == [
            {"request": (method, raw.path.partition("?")[0], kind), "event": "win", "amount": number, **odd}
        ]
        world.casino.secret = "key"
        await world.casino.fire("win", amount=250, **odd, **how)
        signed = "amount=250&event=win&sub1=a&b=ы +&transaction_id=&user_id={user_id}"
        assert came[1]["signature"] == hmac.new(b"key", signed.encode(), "sha256").hexdigest()
        with pytest.raises(ValueError, match="GET"):
            await world.casino.fire("win", method="GET", body="json")


async def test_postbacks_come_late_twice_again_and_until_they_are_answered(world: Sandbox) -> None:
    casino = world.casino
    player = casino.register("c7f3a9")
    async with partner(world, 503, 429, 200, 403) as came:
        await casino.win(player, 1)
        await world.deliveries.drained()
        assert [answer.status for answer in casino.log[-1].answers] == [503, 429, 200]
        await casino.win(player, 2)
        await world.deliveries.drained()
        assert [answer.status for answer in casino.log[-1].answers] == [403]
        await casino.withdraw(player, 3, webhook="many", copies=3)
        assert [one["amount"] for one in came[4:]] == ["3"] * 3
        (raw,) = await casino.deposit(player, 4, webhook="never")
        assert (casino.log[-1].status, casino.log[-1].raw, len(came)) == (None, raw, 7)
        assert await casino.again(casino.log[-1]) == [raw]
        world.deliveries.late_seconds = 0.05
        await casino.win(player, 5, webhook="late")
        assert [one["amount"] for one in came[7:]] == ["4"]
        await world.deliveries.drained()
        assert [one["amount"] for one in came[7:]] == ["4", "5"]


async def test_the_casinos_desk_fires_what_is_pressed(world: Sandbox, bot: Bot) -> None:
    world.cast()
    await world.person(1001).says("/start")
    link = InlineKeyboardButton(text="1Win", url=world.casino_link.replace("{sub1}", "c7f3a9"))
    await bot.send_message(1001, "Register", reply_markup=keyboard(link))
    async with partner(world) as came, aiohttp.ClientSession() as http:

        async def press(do: str, query: str = "", **switches: str) -> str:
            form = {"amount": "1000", "webhook": "now", "way": "get", **switches, "do": do}
            async with http.post(f"{world.page_url}/casino{query}", data=form) as response:
                assert response.status == 200
                return await response.text()

        async with http.get(str(link.url)) as response:
            assert "<code>c7f3a9</code>" in await response.text()
        assert "Анна" in await press("register", "?sub1=c7f3a9")
        assert "no click id" in await press("stranger")
        player, stranger = world.casino.players
        await press(f"both {player}", way="json", currency="USD")
        await press(f"deposit {stranger}", no_transaction="on", webhook="twice")
        await press("again")
        await press(f"registration {stranger}", other_sub1="c7f3a9")
        await press(f"withdrawal {player}", transaction="t", amount="-5", no_sub1="on", way="form")
        await press(f"win {player}", macros="on", way="query")
        assert "200 OK" in await press(f"unknown {player}", amount="<b>")
        assert "&lt;b&gt;" in await press("again", webhook="never")
        async with http.post(f"{world.page_url}/casino", data={"do": "win 1"}) as response:
            assert response.status == 400
    told = [
        (one["event"], one["user_id"], one.get("sub1"), one.get("amount"), one.get("currency"), one["request"][0])
        for one in came
    ]
    assert told == [
        ("registration", player, "c7f3a9", None, None, "GET"),
        ("registration", stranger, None, None, None, "GET"),
        ("first_deposit", player, "c7f3a9", 1000, "USD", "POST"),
        ("deposit", player, "c7f3a9", 1000, "USD", "POST"),
        *[("deposit", stranger, None, "1000", None, "GET")] * 3,
        ("registration", stranger, "c7f3a9", None, None, "GET"),
        ("withdrawal", player, None, "-5", None, "POST"),
        ("win", "{user_id}", "{sub1}", "{amount}", None, "POST"),
        ("jackpot_spin", player, "c7f3a9", "<b>", None, "GET"),
    ]


async def test_the_world_in_its_own_process_is_driven_over_http(world: Sandbox, bot: Bot) -> None:
    async with aiohttp.ClientSession(f"{world.url}/control/") as http, running(bot, shop()):

        async def control(name: str, **arguments: object) -> dict[str, object]:
            async with http.post(name, json=arguments) as response:
                answer: dict[str, object] = await response.json()
                return answer

        await control("person", person=1001, first_name="Anna")
        await control("say", person=1001, text="/deposit")
        assert "result" in await control("see", person=1001, words="How to pay?")
        pressed = await control("press", person=1001, button="Stripe")
        assert pressed["result"] == {"text": "One moment", "alert": True, "url": None}
        assert "error" in await control("pay", provider="stripe", ref="cs_none")
        ref = (await control("stray", provider="stripe", amount=500, webhook="never"))["result"]
        refund = await control("refund", provider="stripe", ref=ref, amount=200, webhook="never", state="pending")
        await control("finish_refund", provider="stripe", ref=refund["result"], webhook="never")
        dispute = await control("dispute", ref=ref, webhook="never")
        await control("close_dispute", ref=dispute["result"], webhook="never", won=True)
        assert "error" in await control("escalate", ref=dispute["result"], webhook="never")
        customer = world.stripe.new_customer({})["id"]
        card = (await control("keep", customer=customer, webhook="never", card="…0341"))["result"]
        await control("spoil", provider="stripe", ref=card, reason=None)
        kept = (await control("cards", customer=customer))["result"]
        assert isinstance(kept, list)
        assert [method["id"] for method in kept] == [card]
        await control("fault", server="stripe", where="*", fault="ERROR", times=1)
        async with http.get("state") as response:
            state = await response.json()
        assert state["stripe"]["taken"] == {"USD": 300}
        assert list(state["stripe"]["refunds"]) == [refund["result"]]
        async with partner(world) as came:
            player = (await control("casino_register", click_id="c7f3a9"))["result"]
            assert "result" in await control("casino_deposit", player=player, amount="5", both=True)
            assert "result" in await control("casino_fire", event="win", user_id=player, amount="5", body="json")
            assert "error" in await control("casino_win", player="1", amount="5")
        assert sorted(one["event"] for one in came) == ["deposit", "first_deposit", "win"]
        await control("crowd", first=2001, count=2, started=False)
        await control("join", person=2002)
        await control("join", person=2001)
        await control("leave", person=2001)
        assert "error" in await control("leave", person=2001, channel=-5)
        assert (await control("seen", words="page"))["result"] == {"1001": 1, "2001": 0, "2002": 0}
        async with http.get("state") as response:
            state = await response.json()
        assert (state["casino"]["fired"], state["casino"]["players"][0]["click_id"]) == (3, "c7f3a9")
        assert state["channels"] == {str(world.channel_id): [2002]}
        assert ref in state["stripe"]["sessions"][world.stripe.newest()]["payment_intent"]
        assert len(state["people"]["1001"]["messages"]) == 2


async def test_the_chat_page_shows_what_happens_and_lets_people_act(world: Sandbox, bot: Bot) -> None:
    world.cast()
    async with aiohttp.ClientSession() as http, running(bot, shop()):
        async with http.get(f"{world.url}/sandbox/") as response:
            assert response.status == 200
        async with http.ws_connect(f"{world.url}/sandbox/live") as live:
            everything = (await live.receive_json())["everything"]
            assert len(everything["people"]) == 4
            assert [channel["username"] for channel in everything["channels"]] == ["looseline_news"]
            picture = aiohttp.FormData({"caption": "Look"})
            picture.add_field("file", PNG, filename="x.png")
            async with http.post(f"{world.url}/sandbox/upload/1001", data=picture) as response:
                assert response.status == 200
            while "message" not in (event := await live.receive_json()):
                pass
            assert (event["message"]["text"], event["message"]["file"]["photo"]) == ("Look", True)
            say = {"person": 1001, "text": "/deposit"}
            async with http.post(f"{world.url}/sandbox/do/say", json=say) as response:
                assert response.status == 200
            while "message" not in (event := await live.receive_json()) or not event["message"]["bot"]:
                pass
            assert event["message"]["rows"][0][0]["text"] == "Stripe"


async def test_the_payment_pages_pay_and_decline(world: Sandbox) -> None:
    await world.stripe.stray(100, webhook="never")
    session = world.stripe.new_session(
        5000, "usd", {"success_url": "https://t.me/bot", "cancel_url": "https://t.me/bot"}
    )
    async with aiohttp.ClientSession() as http:

        async def does(action: str, **form: str) -> str:
            page = f"{world.page_url}/stripe/pay/{session['id']}"
            async with http.post(page, data={"action": action, "webhook": "never", **form}) as response:
                assert response.status == 200
                return await response.text()

        assert "Your card has expired." in await does("decline", reason="expired_card")
        assert "insufficient funds" in await does("pay", card="4000000000009995")
        assert "Paid" not in await does("refund")
        assert "Paid" in await does("pay", card="4000002760003184")
        assert world.stripe.taken() == {"USD": 5100}
        assert "Given back: 25.00 USD" in await does("refund_part")
        assert "Given back: 50.00 USD" in await does("refund")
        assert "Refund" not in await does("refund")
        assert "Dispute: needs_response" in await does("dispute")
        assert "Dispute: won" in await does("win")
        assert 'value="lose"' not in await does("lose")
    assert world.stripe.taken() == {"USD": 100}


async def test_a_payment_without_a_page_has_one_for_what_follows(world: Sandbox) -> None:
    async with stripe_of(world) as client, aiohttp.ClientSession() as http:
        params = await kept_card(world, client)
        charged = await client.v1.payment_intents.create_async(params)
        page = f"{world.page_url}/stripe/pay/{charged.id}"
        async with http.post(page, data={"action": "refund", "webhook": "never"}) as response:
            assert "Given back: 7.00 USD" in await response.text()
        world.stripe.spoil(params["payment_method"])
        with pytest.raises(stripe.CardError):
            await client.v1.payment_intents.create_async(params)
        async with http.get(f"{world.page_url}/stripe/pay/{list(world.stripe.intents)[-1]}") as response:
            assert "This payment is closed" in await response.text()
        async with http.get(f"{world.page_url}/stripe/pay/pi_none") as response:
            assert response.status == 404


async def test_yookassas_page_gives_money_back_too(world: Sandbox) -> None:
    ref = await world.yookassa.stray(1001, webhook="never")
    page = f"{world.page_url}/yookassa/pay/{ref}"
    async with aiohttp.ClientSession() as http:
        for action, words in (("refund_part", "5.00 RUB"), ("refund", "10.01 RUB"), ("dispute", "10.01 RUB")):
            async with http.post(page, data={"action": action, "webhook": "never"}) as response:
                assert words in await response.text()
    assert world.yookassa.taken() == {"RUB": 0}


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Host": "127.0.0.1.evil.example"}],
)
async def test_other_sites_do_not_get_in(world: Sandbox, headers: dict[str, str]) -> None:
    async with aiohttp.ClientSession() as http, http.get(f"{world.page_url}/", headers=headers) as response:
        assert response.status == 404


async def test_the_page_lives_in_the_bots_web_app_and_stops_with_it(world: Sandbox) -> None:
    app = web.Application()
    app.add_subapp("/sandbox/", chat.application(world))
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/sandbox"
    async with aiohttp.ClientSession() as http, http.ws_connect(f"{url}/live") as live:
        await live.receive_json()
        began = time.monotonic()
        await runner.cleanup()
        assert (await live.receive()).type is aiohttp.WSMsgType.CLOSE
    assert time.monotonic() - began < 2
