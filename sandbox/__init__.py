"""The outside world in miniature, on loopback, in the real protocols: Telegram with a chat page and payments.

    async with Sandbox(bot_url="http://127.0.0.1:3000") as world:   # or: python -m sandbox --port 9100
        world.url, .telegram_url, .stripe_url, .yookassa_url (with /v3)          # one server for everything
        world.bot_token, .stripe_key, .stripe_webhook_secret, .yookassa_shop, .yookassa_key
        world.bot_url = "http://127.0.0.1:3000"               # where webhooks go; may change at any time
        world.page_url = "http://127.0.0.1:3000/sandbox"      # where browsers find the payment pages

People (sandbox.people.Person); nothing sleeps, everything waits for events, `timeout` in seconds:
        anna = world.person(1001, "Анна", username="anna", language_code="ru", started=True)  # once for an id
        await anna.says("/deposit")                 # -> Message: hers; does not wait for the bot
        await anna.sees("Stripe")                   # -> Message of the bot, new or edited since her last act
        await anna.presses("Stripe")                # -> Pressed(text, alert, url): the toast, or the link
        await anna.taps("dep:50", on=message)       # any callback data, also of a button that is gone
        await anna.sends(b"…", "passport.pdf", caption="", photo=False)
        await anna.blocks(); await anna.unblocks(); anna.deactivate()
        await anna.wait_for(lambda message: "x" in message.text, timeout=5, old=True)
        anna.messages (all), .shown (the bot's), .last, .toasts, .transcript()
        message.text, .html, .entities, .id, .edited, .raw, .file (name, mime, data)
        message.labels, .rows, .buttons (text, data, url), .button("Stripe")
`world.cast()` makes the people of the page: 1001 Анна (ru), 1002 Ben (en), 900 Admin.
`world.telegram.limits = True` turns on flood control; `.channels[-100123] = {1001}`; `.forget_queries()`.

Payments; `webhook` is "now" | "late" | "many" | "never"; the first attempts of "now", "many" are awaited:
        await world.stripe.pay(session_id, webhook="many", copies=5)
                 # oddly: amount= (minor), currency=, livemode=, metadata=, after_expiry=True, delayed=True
        await world.stripe.settle(session_id, paid=True)      # ends a delayed payment
        await world.stripe.decline(session_id, reason="insufficient_funds"); await world.stripe.expire(…)
        await world.stripe.stray(5000, "usd")                 # -> pi_… that no order of the bot belongs to
        world.stripe.events(session_id)                       # -> [Raw(event, body, headers)], signed now
        world.stripe.newest(), .sessions, .intents            # id of the newest session; the objects
        world.stripe.taken()                                  # -> {"USD": 5000}: the provider's own books
        world.yookassa.…                                      # the same, with .payments
                 # oddly: amount=, currency=, account_id=, test=, metadata=, after_expiry=True, method="sbp"
        world.deliveries.log, .late_seconds, .shuffle; await world.deliveries.drained()

Faults, by Telegram method or "VERB /path", * is a wildcard, times=None until cleared:
        world.faults.add("stripe", "POST /v1/checkout/sessions", Fault.LOST, times=1)
        world.faults.add("telegram", "sendMessage", Fault.TOO_MANY(retry_after=1), times=3)
        world.faults.add("yookassa", "*", Fault.HANG, chance=0.1)
        world.faults.clear()                                  # also cuts what hangs
        TOO_MANY(retry_after) FORBIDDEN ERROR (500) GARBAGE (502 HTML) HANG RESET LOST (done, then cut)
        LOST_500 SLOW(seconds) TRUNCATED DRIP(seconds per byte)
        world.calls["stripe", "POST /v1/checkout/sessions"]   # how often it was called

In the bot's web app: `app.add_subapp("/sandbox/", sandbox.chat.application(world))`.
Over HTTP for a world in its own process: `POST /control/NAME`, `GET /control/state`; see `sandbox.control`.
"""

from sandbox.faults import Fault
from sandbox.people import Message, Person, Pressed
from sandbox.world import Sandbox

__all__ = ["Fault", "Message", "Person", "Pressed", "Sandbox"]
