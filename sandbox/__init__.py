"""The outside world in miniature, on loopback, in the real protocols: Telegram with a chat page, payments, a casino.

    async with Sandbox(bot_url="http://127.0.0.1:3000") as world:   # or: python -m sandbox --port 9100
        world.url, .telegram_url, .stripe_url, .yookassa_url (with /v3)          # one server for everything
        world.bot_token, .stripe_key, .stripe_webhook_secret, .yookassa_shop, .yookassa_key
        world.bot_url = "http://127.0.0.1:3000"               # where webhooks go; may change at any time
        world.page_url = "http://127.0.0.1:3000/sandbox"      # where browsers find the payment pages

People (sandbox.people.Person); nothing sleeps, everything waits for events, `timeout` in seconds:
        anna = world.person(1001, "Анна", username="anna", language_code="ru", started=True)  # once for an id
        await anna.says("/deposit")                 # -> Message: hers; does not wait for the bot; also entities=
        await anna.sees("Stripe")                   # -> Message of the bot, new or edited since her last act
        await anna.presses("Stripe")                # -> Pressed(text, alert, url): the toast, or the link
        await anna.taps("dep:50", on=message)       # any callback data, also of a button that is gone
        await anna.sends(b"…", "passport.pdf", caption="", photo=False)
        await anna.sends(PNG, "a.png", photo=True)  # the bot may send it on by its file_id
        await anna.blocks(); await anna.unblocks(); anna.deactivate()
        await anna.joins(world.channel_id); await anna.leaves(world.channel_id)   # -> chat_member, if it is asked for
        await anna.wait_for(lambda message: "x" in message.text, timeout=5, old=True)
        anna.messages (all; len() of it is cheap), .shown (the bot's), .last, .toasts, .transcript()
        message.text, .entities, .id, .edited, .raw, .file (name, mime, data)
        message.labels, .rows, .buttons (text, data, url), .button("Stripe")
`world.cast()` makes the people of the page: 1001 Анна (ru), 1002 Ben (en), 900 Admin (en), 901 Boss (ru).
`world.telegram.limits = True` turns on flood control, `.rate` = 30 messages a second in all; `.forget_queries()`.
Channels: "Looseline News" (@looseline_news, world.channel_id), empty at first; others by `.channels[-100123] = {1001}`.
        world.telegram.channels (members by id), .posts       # -> [Message]: what the bot posted in channels

Payments; `webhook` is "now" | "late" | "many" | "never"; the first attempts of "now", "many" are awaited:
        await world.stripe.pay(session_id, webhook="many", copies=5)
                 # oddly: amount= (minor), currency=, livemode=, metadata=, after_expiry=True, delayed=True
        await world.stripe.settle(session_id, paid=True)      # ends a delayed payment
        await world.stripe.decline(session_id, reason="insufficient_funds"); await world.stripe.expire(…)
        await world.stripe.stray(5000, "usd")                 # -> pi_… that no order of the bot belongs to
        world.stripe.events(session_id)                       # -> [Raw(event, body, headers)], signed now
                 # of a payment: with those of its refunds, disputes and the card it kept; of any other id: its own
        world.stripe.newest(), .sessions, .intents            # id of the newest session; the objects
        world.stripe.taken()                                  # -> {"USD": 5000}: the provider's own books
                 # less what was given back (once it succeeded) and what disputes took
        world.yookassa.…                                      # the same, with .payments
                 # oddly: amount=, currency=, account_id=, test=, metadata=, after_expiry=True, method="sbp"
Kept cards; test cards are named by their last digits, see sandbox/shapes:
        await world.stripe.pay(session_id, card="…3184")      # kept if the session says so; "…9995": a decline
        world.stripe.cards(customer)                          # -> [payment_method]: what a cus_… keeps
        await world.stripe.keep(customer, card="…0341")       # -> pm_…: any test card, without a payment
                 # charged later: 4242, 5555…4444, 3155 ok; 3184 authentication_required; 0341 and 0002 declined;
                 # 9995 insufficient funds; 0069 expired. On the page the last three are declines, 0341 pays.
        await world.stripe.unkeep(pm), .renew(pm, last4="1111")  # in the cabinet; by the bank
        await world.stripe.delete_customer(customer)          # in the cabinet, with all his cards
        world.stripe.spoil(pm, "insufficient_funds")          # what the bank says to it from now on; None: yes
        world.stripe.slow_charges = True                      # kept cards are `processing` until settle(pi_…)
        await world.yookassa.pay(payment_id, card="…4477")    # kept if the payment asked for it
        world.yookassa.methods; .spoil(method_id, "3d_secure_failed"); .revoke(method_id)
        world.yookassa.recurring = False                      # a shop that may not keep cards

Money given back and taken back; `ref` is cs_… or pi_…, at YooKassa the payment's id; amounts in minor units:
        await world.stripe.refund(ref, amount=None, webhook="now", state="succeeded")   # -> re_…, in the cabinet
                 # state: "pending" (ends by finish_refund) or "failed"; at YooKassa "canceled"
        await world.stripe.finish_refund(refund_id, done=True)   # done=False: fails, also after it had succeeded
        world.stripe.refund_state = "pending"                 # how refunds that the bot asks for begin
        await world.stripe.dispute(ref, amount=None, inquiry=False)      # -> du_…
        await world.stripe.escalate(dispute_id)               # an inquiry becomes a dispute, and the money goes
        await world.stripe.close_dispute(dispute_id, won=True)
        await world.yookassa.refund(…), .finish_refund(…), .refund_state; no disputes
        world.stripe.charges, .customers, .methods, .refunds, .disputes; world.yookassa.refunds

The casino, programme 1win; amounts as a cabinet writes them ("1 000,50", "-5") or ints, which are numbers in JSON:
        world.postback_token, world.casino_link               # for the bot; {sub1} in the link is for its click id
        player = world.casino.register("c7f3a9")              # -> "952674853": an account; None: come by no link
        await world.casino.registered(player)                 # tells the bot, when you like -> [Raw]
        await world.casino.deposit(player, "25.5", first=None, both=False)   # first: None: if it is
                 # both: reported as first_deposit and as deposit, with one transaction id
        await world.casino.withdraw(player, 500); await world.casino.win(player, 250)
        await world.casino.fire("ftd", user_id="1", amount="{amount}", sub1="{sub1}")   # exactly this, and no more
        await world.casino.again(world.casino.log[-1])        # the same once more
                 # all take sub1=, transaction_id=, country=, currency= (None: left out), method="GET" | "POST",
                 # body="query" | "form" | "json", webhook=, copies=
        world.casino.secret = "…"                             # adds a signature, see sandbox.casino.signature
        world.casino.log[-1].event, .parameters, .raw, .status, .answer, .answers; world.casino.players
Raw(event, body, headers, method, path) is also what to deliver by oneself: webhook="never".

        world.deliveries.log, .late_seconds, .shuffle; await world.deliveries.drained()

Faults, by Telegram method or "VERB /path", * is a wildcard, times=None until cleared:
        world.faults.add("stripe", "POST /v1/checkout/sessions", Fault.LOST, times=1)
        world.faults.add("telegram", "sendMessage", Fault.TOO_MANY(retry_after=1), times=3)
        world.faults.add("yookassa", "*", Fault.HANG, chance=0.1)
        world.faults.add("telegram", "sendMessage", Fault.FORBIDDEN, chance=0.01)   # each call by itself
        world.faults.clear()                                  # also cuts what hangs
        TOO_MANY(retry_after) FORBIDDEN ERROR (500) GARBAGE (502 HTML) HANG RESET LOST (done, then cut)
        LOST_500 SLOW(seconds) TRUNCATED DRIP(seconds per byte)
        world.calls["stripe", "POST /v1/checkout/sessions"]   # how often it was called

In the bot's web app: `app.add_subapp("/sandbox/", sandbox.chat.application(world))`; the pages are /sandbox/,
/sandbox/casino (the desk, with ?sub1= where the bot's link leads) and /sandbox/channel.
Over HTTP for a world in its own process: `POST /control/NAME`, `GET /control/state`; see `sandbox.control`.
"""

from sandbox.faults import Fault
from sandbox.people import Message, Person, Pressed
from sandbox.world import Sandbox

__all__ = ["Fault", "Message", "Person", "Pressed", "Sandbox"]
