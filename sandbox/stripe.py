"""Stripe in miniature: Checkout, kept cards, refunds and disputes, as payers, banks and the cabinet move them.

What the bot calls is `sandbox.stripe_api`; the objects are those of https://docs.stripe.com/api.
"""

import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Callable
from copy import deepcopy
from typing import NamedTuple

from sandbox.deliveries import Deliveries, Notice, Raw, Webhook
from sandbox.provider import Json, Provider, shape, shown

VERSION = "2026-10-28.endive"
SHAPES = shape("stripe")
# https://docs.stripe.com/testing#cards: what a bank says to a card on the page, and to one that was kept.
# 0341 differs: there is no way to keep a card without a payment here, so its first payment goes through.
CARDS: dict[str, dict[str, str]] = SHAPES["cards"]
CARD = "…4242"
AUTHENTICATION = "authentication_required"
DECLINES = {
    "insufficient_funds": "Your card has insufficient funds.",
    "generic_decline": "Your card was declined.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    "fraudulent": "Your card was declined.",
    AUTHENTICATION: "Your card was declined. This transaction requires authentication.",
}
# The others come as card_declined
OWN_CODES = ("expired_card", "incorrect_cvc", "processing_error", AUTHENTICATION)


class Told(NamedTuple):
    """What an event tells: the object as it was at that moment."""

    kind: str
    thing: Json
    before: Json | None  # in the places that changed


def told(kind: str, thing: Json, before: Json | None = None) -> Told:
    return Told(kind, deepcopy(shown(thing)), before)


class StripeError(Exception):
    """https://docs.stripe.com/api/errors"""

    def __init__(self, status: int, message: str, /, **more: object) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"message": message, "type": "invalid_request_error", **more}


class Stripe(Provider):
    """The objects, what the world does with them, and the events about them."""

    def __init__(self, key: str, secret: str, deliveries: Deliveries, page_url: Callable[[], str]) -> None:
        super().__init__(deliveries, page_url)
        self.key, self.secret = key, secret
        self.sessions: dict[str, Json] = {}
        self.intents: dict[str, Json] = {}
        self.charges: dict[str, Json] = {}
        self.customers: dict[str, Json] = {}
        self.methods: dict[str, Json] = {}
        self.refunds: dict[str, Json] = {}
        self.disputes: dict[str, Json] = {}
        self.refund_state = "succeeded"  # how a refund that the bot asks for begins
        self.slow_charges = False  # True: a kept card's payment is `processing` until settle()

    # What a payer and his bank do

    async def pay(
        self,
        ref: str,
        webhook: Webhook = "now",
        copies: int = 5,
        *,
        card: str = CARD,
        amount: int | None = None,
        currency: str | None = None,
        livemode: bool | None = None,
        metadata: dict[str, str] | None = None,
        delayed: bool = False,
        after_expiry: bool = False,
    ) -> None:
        """Pays a session, in full or oddly; `delayed` completes it unpaid, like a bank debit.

        `card`: a test card by its last digits; with one that banks refuse this is decline().
        """
        session = self.session(ref, "open", "expired" if after_expiry else "open")
        number = card_number(card)
        if reason := CARDS[number].get("page"):
            await self._emit(webhook, copies, *self._refuse(self._intent(session), reason, number))
            return
        self._ended(ref)
        intent = self._intent(session)
        odd = {"amount": amount, "currency": currency, "livemode": livemode, "metadata": metadata}
        for name, value in odd.items():
            if value is not None:
                intent[name] = session["amount_total" if name == "amount" else name] = value
        session |= {"status": "complete", "url": None, "amount_subtotal": session["amount_total"]}
        session["customer_details"] = SHAPES["customer_details"]
        events: list[Told] = []
        method = self.new_method(number, livemode=intent["livemode"])
        if intent["setup_future_usage"]:
            if session["customer"] is None:
                session["customer"] = intent["customer"] = self.new_customer({})["id"]
            method["customer"] = session["customer"]
            events.append(told("payment_method.attached", method))
        intent["payment_method"] = method["id"]
        if delayed:
            intent["status"] = "processing"
            events = [told("payment_intent.processing", intent), *events]
        else:
            session["payment_status"] = "paid"
            events = [*self.take(intent), *events]
        await self._emit(webhook, copies, *events, told("checkout.session.completed", session))

    async def settle(self, ref: str, webhook: Webhook = "now", copies: int = 5, *, paid: bool = True) -> None:
        """Ends a delayed payment of a session or of an intent."""
        session = self.session(ref, "complete") if ref in self.sessions else None
        intent = self.intents[session["payment_intent"] if session else ref]
        if intent["status"] != "processing":
            raise ValueError(f"{intent['id']} is {intent['status']}")
        events = self.take(intent) if paid else self._refuse(intent, "generic_decline")
        if session:
            session["payment_status"] = "paid" if paid else "unpaid"
            events.append(told(f"checkout.session.async_payment_{'succeeded' if paid else 'failed'}", session))
        await self._emit(webhook, copies, *events)

    async def decline(
        self, ref: str, webhook: Webhook = "now", copies: int = 5, *, reason: str = "insufficient_funds"
    ) -> None:
        """The bank says no; the page stays open and may still be paid."""
        intent = self._intent(self.session(ref, "open"))
        await self._emit(webhook, copies, *self._refuse(intent, reason))

    async def expire(self, ref: str, webhook: Webhook = "now", copies: int = 5) -> None:
        await self._tell(webhook, copies, self.close(ref))

    async def stray(
        self,
        amount: int,
        currency: str = "usd",
        webhook: Webhook = "now",
        metadata: dict[str, str] | None = None,
    ) -> str:
        """Money that no order of the bot asked for; answers the payment intent's id."""
        session = self.new_session(amount, currency, {"metadata": metadata or {}})
        await self.pay(session["id"], webhook)
        return str(session["payment_intent"])

    # What happens to kept cards

    async def keep(self, customer: str, webhook: Webhook = "now", copies: int = 5, *, card: str = CARD) -> str:
        """A customer's card is kept without a payment, any of the test cards; answers its pm_…"""
        method = self.new_method(card_number(card))
        method["customer"] = self.customer(customer)["id"]
        await self._emit(webhook, copies, told("payment_method.attached", method))
        return str(method["id"])

    async def unkeep(self, ref: str, webhook: Webhook = "now", copies: int = 5) -> None:
        """A kept card is taken away in the cabinet."""
        await self._emit(webhook, copies, self.detach(ref))

    async def delete_customer(self, ref: str, webhook: Webhook = "now", copies: int = 5) -> None:
        """A customer is deleted in the cabinet, and all his cards are given up."""
        customer = self.customer(ref)
        del self.customers[ref]
        gone = [self.detach(card["id"]) for card in self.cards(ref)]
        await self._emit(webhook, copies, *gone, told("customer.deleted", customer))

    async def renew(
        self, ref: str, webhook: Webhook = "now", copies: int = 5, *, last4: str = "1111", exp_year: int = 2040
    ) -> None:
        """The bank sends the owner a new card, and Stripe hears of it."""
        method = self.method(ref)
        before = {"card": {name: method["card"][name] for name in ("exp_year", "last4")}}
        method["card"] |= {"exp_year": exp_year, "last4": last4}
        await self._emit(webhook, copies, told("payment_method.automatically_updated", method, before))

    def spoil(self, ref: str, reason: str | None = "insufficient_funds") -> None:
        """What the bank says from now on to a kept card, `authentication_required` too; None: yes."""
        self.method(ref)["_kept"] = reason

    def cards(self, customer: str) -> list[Json]:
        """The kept cards of a customer, oldest first."""
        return [method for method in self.methods.values() if method["customer"] == customer]

    # What happens to money taken

    async def refund(
        self,
        ref: str,
        amount: int | None = None,
        webhook: Webhook = "now",
        copies: int = 5,
        *,
        state: str = "succeeded",
        metadata: dict[str, str] | None = None,
    ) -> str:
        """Gives a payment (cs_… or pi_…) back in the cabinet, what is left of it or a part; answers re_….

        `state`: succeeded, pending or failed; a pending one ends by finish_refund().
        """
        refund, events = self.give_back(self._charge(ref), amount, metadata, "pending" if state == "failed" else state)
        if state == "failed":
            events += self._end_refund(refund, done=False)
        await self._emit(webhook, copies, *events)
        return str(refund["id"])

    async def finish_refund(self, ref: str, webhook: Webhook = "now", copies: int = 5, *, done: bool = True) -> None:
        """How a pending refund ends; `done=False` also makes one fail that had succeeded."""
        await self._emit(webhook, copies, *self._end_refund(self.refunds[ref], done=done))

    async def dispute(
        self,
        ref: str,
        amount: int | None = None,
        webhook: Webhook = "now",
        copies: int = 5,
        *,
        inquiry: bool = False,
        reason: str = "fraudulent",
    ) -> str:
        """The payer's bank takes a payment (cs_… or pi_…) back, or only asks (`inquiry`); answers du_…"""
        charge, created = self._charge(ref), int(time.time())
        if charge["disputed"]:
            raise ValueError(f"{charge['id']} is disputed already")
        charge["disputed"] = True
        dispute: Json = deepcopy(SHAPES["dispute"]) | {
            "id": f"du_{new_id()}",
            "amount": amount or charge["amount"] - charge["amount_refunded"] or charge["amount"],
            "charge": charge["id"],
            "created": created,
            **{name: charge[name] for name in ("currency", "livemode", "payment_intent")},
            "is_charge_refundable": inquiry,
            "payment_method_details": {
                "card": {
                    "brand": charge["payment_method_details"]["card"]["brand"],
                    "case_type": "inquiry" if inquiry else "chargeback",
                    "network": charge["payment_method_details"]["card"]["brand"],
                    "network_reason_code": "10.4",
                },
                "type": "card",
            },
            "reason": reason,
            "status": "warning_needs_response" if inquiry else "needs_response",
        }
        dispute["evidence_details"]["due_by"] = created + 604_800
        self.disputes[dispute["id"]] = dispute
        events: list[Told] = [told("charge.dispute.created", dispute)]
        if not inquiry:
            events.append(self._withdraw(dispute))
        await self._emit(webhook, copies, *events)
        return str(dispute["id"])

    async def escalate(self, ref: str, webhook: Webhook = "now", copies: int = 5) -> None:
        """An inquiry becomes a dispute, and the money goes."""
        await self._emit(webhook, copies, *self._escalate(self.disputes[ref]))

    async def close_dispute(self, ref: str, webhook: Webhook = "now", copies: int = 5, *, won: bool = True) -> None:
        """How a dispute or an inquiry ends; a lost inquiry becomes a dispute first."""
        dispute = self.disputes[ref]
        asked = dispute["status"].startswith("warning_")
        if dispute["status"] in ("won", "lost", "warning_closed"):
            raise ValueError(f"{ref} is {dispute['status']}")
        events = self._escalate(dispute) if asked and not won else []
        before = {"status": dispute["status"]}
        dispute["status"] = "lost" if not won else "warning_closed" if asked else "won"
        dispute["is_charge_refundable"] = won
        self.charges[dispute["charge"]]["disputed"] = not won
        events.append(told("charge.dispute.closed", dispute, before))
        if won and not asked:
            self._taken[dispute["currency"].upper()] += dispute["amount"]
            events.append(told("charge.dispute.funds_reinstated", dispute))
        await self._emit(webhook, copies, *events)

    # What tests and the page look at

    def events(self, ref: str) -> list[Raw]:
        """All events so far about a session or payment intent, its refunds, disputes and kept card, signed now."""
        refs = {ref}
        for session in self.sessions.values():
            if ref in (session["id"], session["payment_intent"]):
                refs |= {session["id"], session["payment_intent"]}
        for intent in refs & self.intents.keys():
            refs.add(self.intents[intent]["payment_method"])
        for thing in (*self.charges.values(), *self.refunds.values(), *self.disputes.values()):
            if thing["payment_intent"] in refs:
                refs.add(thing["id"])
        return self._about(refs)

    def newest(self) -> str:
        return list(self.sessions)[-1]

    def page(self, ref: str) -> Json | None:
        """What the payment page shows of a session, or of an intent that a kept card paid."""
        session = next((item for item in self.sessions.values() if ref in (item["id"], item["payment_intent"])), {})
        intent = self.intents.get(session.get("payment_intent", ref) or "", {})
        if not session and not intent:
            return None
        statuses = {"open": "open", "complete": "paid", "expired": "closed", "succeeded": "paid", "processing": "paid"}
        charge = self.charges.get(intent.get("latest_charge", ""), {})
        paid = intent.get("status") == "succeeded"
        dispute = next((item for item in self.disputes.values() if item["charge"] == charge.get("id")), None)
        given = charge["amount_refunded"] if paid else 0
        amount, currency = session["amount_total"] if session else intent["amount"], (session or intent)["currency"]
        return {
            "status": statuses.get((session or intent)["status"], "closed"),
            "amount": _written(amount, currency),
            "description": session.get("_description") or intent.get("description") or "",
            "problem": (intent.get("last_payment_error") or {}).get("message", ""),
            "reasons": [reason for reason in DECLINES if reason != AUTHENTICATION],
            "cards": [
                {"number": number, "brand": card["brand"], "page": card.get("page"), "kept": card.get("kept")}
                for number, card in CARDS.items()
            ],
            "keeps": bool(session and session["_intent"].get("setup_future_usage")),
            "refunded": _written(given, currency) if given else "",
            "disputed": dispute["status"] if dispute else "",
            "can": self._possible(charge, dispute) if paid else [],
            "back": session["success_url" if session["status"] == "complete" else "cancel_url"] if session else "",
        }

    @staticmethod
    def _possible(charge: Json, dispute: Json | None) -> list[str]:
        if dispute is None:
            left = charge["amount"] - charge["amount_refunded"]
            return [*(["refund"] if left else []), *(["refund_part"] if left > 1 else []), "dispute", "inquire"]
        match dispute["status"]:
            case "won" | "lost" | "warning_closed":
                return []
            case _:
                return ["win", "lose"]

    async def act(self, ref: str, what: str, webhook: Webhook) -> None:
        """One of the things that page() says can be done to a payment."""
        charge = self._charge(ref)
        match what:
            case "refund":
                await self.refund(ref, webhook=webhook)
            case "refund_part":
                await self.refund(ref, (charge["amount"] - charge["amount_refunded"]) // 2, webhook)
            case "dispute" | "inquire":
                await self.dispute(ref, webhook=webhook, inquiry=what == "inquire")
            case "win" | "lose":
                for dispute in [item for item in self.disputes.values() if item["charge"] == charge["id"]]:
                    await self.close_dispute(dispute["id"], webhook, won=what == "win")

    # The objects and how they change, for this file and the API

    def session(self, ref: str, *statuses: str) -> Json:
        session = _found(self.sessions, "checkout.session", ref)
        if statuses and session["status"] not in statuses:
            raise StripeError(400, f"This Checkout Session has a status of `{session['status']}`.")
        return session

    def customer(self, ref: str) -> Json:
        return _found(self.customers, "customer", ref)

    def method(self, ref: str) -> Json:
        return _found(self.methods, "payment_method", ref)

    def intent(self, ref: str) -> Json:
        return _found(self.intents, "payment_intent", ref)

    def new_customer(self, values: Json) -> Json:
        customer: Json = deepcopy(SHAPES["customer"]) | {"id": f"cus_{new_id()}", "created": int(time.time()), **values}
        self.customers[customer["id"]] = customer
        return customer

    def new_method(self, number: str, *, livemode: bool = False) -> Json:
        brand = CARDS[number]["brand"]
        method: Json = deepcopy(SHAPES["payment_method"]) | {
            "id": f"pm_{new_id()}",
            "created": int(time.time()),
            "livemode": livemode,
            "_kept": CARDS[number].get("kept"),
        }
        method["card"] |= {
            "brand": brand,
            "display_brand": brand,
            "fingerprint": hashlib.sha256(number.encode()).hexdigest()[:16],
            "last4": number[-4:],
            "networks": {"available": [brand], "preferred": None},
        }
        self.methods[method["id"]] = method
        return method

    def new_intent(self, amount: int, currency: str, values: Json) -> Json:
        ref = f"pi_{new_id()}"
        intent: Json = deepcopy(SHAPES["intent"]) | {
            "id": ref,
            "amount": amount,
            "client_secret": f"{ref}_secret_NotARealSecret",
            "created": int(time.time()),
            "currency": currency,
            "customer": None,
            "description": None,
            "livemode": False,
            "metadata": {},
            **values,
        }
        self.intents[ref] = intent
        return intent

    def charge_kept(self, intent: Json) -> list[Told]:
        """A kept card pays without its owner: https://docs.stripe.com/payments/save-and-reuse"""
        method = self.methods[intent["payment_method"]]
        if reason := method["_kept"]:
            return self._refuse(intent, reason)
        if self.slow_charges:
            intent["status"] = "processing"
            return [told("payment_intent.processing", intent)]
        return self.take(intent)

    def take(self, intent: Json) -> list[Told]:
        """The money of an intent is taken with its payment method."""
        before = {**intent, "status": "requires_payment_method", "latest_charge": None}
        amount = intent["amount"]
        charge = self._new_charge(intent)
        intent |= {"status": "succeeded", "amount_received": amount, "latest_charge": charge["id"]}
        intent["last_payment_error"] = None
        self._taken[intent["currency"].upper()] += amount
        kinds = ("payment_intent.created", "charge.succeeded", "payment_intent.succeeded")
        return [told(*pair) for pair in zip(kinds, (before, charge, intent), strict=True)]

    def detach(self, ref: str) -> Told:
        method = self.method(ref)
        if (customer := method["customer"]) is None:
            words = "not attached to a customer so detachment is impossible."
            raise StripeError(400, f"The payment method you provided is {words}")
        method["customer"] = None
        return told("payment_method.detached", method, {"customer": customer})

    def give_back(
        self, charge: Json, amount: int | None, metadata: dict[str, str] | None, state: str
    ) -> tuple[Json, list[Told]]:
        """A refund of a charge, in one of its first states; https://docs.stripe.com/api/refunds/create"""
        left = charge["amount"] - charge["amount_refunded"]
        if not left:
            raise StripeError(400, f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
        if any(item["charge"] == charge["id"] and not item["is_charge_refundable"] for item in self.disputes.values()):
            words = f"Charge {charge['id']} has been charged back; cannot issue a refund."
            raise StripeError(400, words, code="charge_disputed")
        asked = left if amount is None else amount
        if not 0 < asked <= left:
            given, unrefunded = (_written(minor, charge["currency"]) for minor in (asked, left))
            words = f"Refund amount ({given}) is greater than unrefunded amount on charge ({unrefunded})"
            raise StripeError(400, words, param="amount")
        refund: Json = deepcopy(SHAPES["refund"]) | {
            "id": f"re_{new_id()}",
            "amount": asked,
            "balance_transaction": f"txn_{new_id()}",
            "charge": charge["id"],
            "created": int(time.time()),
            **{name: charge[name] for name in ("currency", "customer", "payment_intent", "payment_method")},
            "metadata": metadata or {},
            "status": state,
        }
        self.refunds[refund["id"]] = refund
        before = {"amount_refunded": charge["amount_refunded"]}
        charge["amount_refunded"] += asked
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        if state == "succeeded":
            self._taken[charge["currency"].upper()] -= asked
        return refund, [told("refund.created", refund), told("charge.refunded", charge, before)]

    def close(self, ref: str) -> Notice:
        session = self.session(ref, "open")
        self._ended(ref)
        session |= {"status": "expired", "url": None}
        return self.notice(told("checkout.session.expired", session))

    def notice(self, event: Told, key: str | None = None) -> Notice:
        kind, thing, before = event
        body = {
            "id": f"evt_{new_id()}",
            "object": "event",
            "account": None,
            "api_version": VERSION,
            "context": None,
            "created": int(time.time()),
            "data": {"object": thing, **({"previous_attributes": before} if before else {})},
            "livemode": thing.get("livemode", False),  # refunds do not say
            "pending_webhooks": 1,
            "request": {"id": f"req_{new_id()}", "idempotency_key": key},
            "type": kind,
        }
        return Notice("stripe", kind, thing["id"], json.dumps(body, indent=2).encode(), self.sign)

    def post(self, events: list[Told], key: str | None = None) -> None:
        """Sends events that a call of the bot's led to; it does not wait for them."""
        self._post(*(self.notice(event, key) for event in events))

    def sign(self, body: bytes) -> dict[str, str]:
        """https://docs.stripe.com/webhooks#verify-manually"""
        now = str(int(time.time()))
        digest = hmac.new(self.secret.encode(), now.encode() + b"." + body, hashlib.sha256).hexdigest()
        return {"Stripe-Signature": f"t={now},v1={digest}"}

    def time_is_up(self, ref: str) -> None:
        self._post(self.close(ref))

    def new_session(self, amount: int, currency: str, values: Json) -> Json:
        ref, created = f"cs_test_{new_id()}", int(time.time())
        session: Json = deepcopy(SHAPES["session"]) | {
            "id": ref,
            "amount_total": amount,
            "amount_subtotal": amount,
            "created": created,
            "currency": currency,
            "expires_at": created + 86400,
            "url": f"{self._page_url()}/stripe/pay/{ref}",
            "_description": "",
            "_intent": {"metadata": values.get("metadata", {}), "description": None},
            **values,
        }
        self.sessions[ref] = session
        self._ends_in(session["expires_at"] - created, ref, self.time_is_up)
        return session

    def _intent(self, session: Json) -> Json:
        """The session's payment intent; Stripe makes it at the first attempt to pay."""
        if intent := self.intents.get(session["payment_intent"]):
            return intent
        known = {name: session[name] for name in ("customer", "livemode")}
        made = self.new_intent(session["amount_total"], session["currency"], known | session["_intent"])
        session["payment_intent"] = made["id"]
        return made

    def _new_charge(self, intent: Json, **values: object) -> Json:
        method = self.methods.get(intent["payment_method"])
        charge: Json = deepcopy(SHAPES["charge"]) | {
            "id": f"ch_{new_id()}",
            "amount": intent["amount"],
            "amount_captured": intent["amount"],
            "balance_transaction": f"txn_{new_id()}",
            "created": int(time.time()),
            "payment_intent": intent["id"],
            "payment_method": intent["payment_method"],
            **{name: intent[name] for name in ("currency", "customer", "description", "livemode", "metadata")},
            **values,
        }
        if method:
            names = ("brand", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4")
            charge["payment_method_details"]["card"] |= {name: method["card"][name] for name in names}
        self.charges[charge["id"]] = charge
        return charge

    def _charge(self, ref: str) -> Json:
        """The charge that took the money of a session or an intent."""
        intent = self.intent(self.session(ref)["payment_intent"] if ref in self.sessions else ref)
        if intent["status"] != "succeeded":
            raise ValueError(f"{intent['id']} is {intent['status']}")
        return self.charges[intent["latest_charge"]]

    def _refuse(self, intent: Json, reason: str, number: str | None = None) -> list[Told]:
        """A bank's no: to a kept card, or to one typed into the page."""
        ref = intent["payment_method"]
        method = self.methods[ref] if ref else self.new_method(number or card_number(CARD))
        code = reason if reason in OWN_CODES else "card_declined"
        words = DECLINES.get(reason, "Your card was declined.")
        charge = self._new_charge(
            intent,
            paid=False,
            captured=False,
            amount_captured=0,
            status="failed",
            failure_code=code,
            failure_message=words,
        )
        intent |= {"status": "requires_payment_method", "payment_method": None, "latest_charge": charge["id"]}
        intent["last_payment_error"] = {
            "charge": charge["id"],
            "code": code,
            "decline_code": reason,
            "doc_url": f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}",
            "message": words,
            "payment_method": shown(method),
            "type": "card_error",
        }
        return [told("charge.failed", charge), told("payment_intent.payment_failed", intent)]

    def _end_refund(self, refund: Json, *, done: bool) -> list[Told]:
        before, sign = {"status": refund["status"]}, 1 if refund["status"] == "succeeded" else 0
        if refund["status"] not in ("pending", "requires_action") and (done or not sign):
            raise ValueError(f"{refund['id']} is {refund['status']}")
        currency = refund["currency"].upper()
        if done:
            refund["status"] = "succeeded"
            self._taken[currency] -= refund["amount"]
            return [told("refund.updated", refund, before)]
        self._taken[currency] += refund["amount"] * sign
        refund |= {"status": "failed", "failure_reason": "expired_or_canceled_card"}
        refund["failure_balance_transaction"] = f"txn_{new_id()}"
        charge = self.charges[refund["charge"]]
        charge["amount_refunded"] -= refund["amount"]
        charge["refunded"] = False
        return [told("refund.updated", refund, before), told("refund.failed", refund, before)]

    def _escalate(self, dispute: Json) -> list[Told]:
        before = {"status": dispute["status"]}
        if not dispute["status"].startswith("warning_") or dispute["status"] == "warning_closed":
            raise ValueError(f"{dispute['id']} is {dispute['status']}")
        dispute |= {"status": "needs_response", "is_charge_refundable": False}
        dispute["payment_method_details"]["card"]["case_type"] = "chargeback"
        return [told("charge.dispute.updated", dispute, before), self._withdraw(dispute)]

    def _withdraw(self, dispute: Json) -> Told:
        self._taken[dispute["currency"].upper()] -= dispute["amount"]
        return told("charge.dispute.funds_withdrawn", dispute)

    async def _emit(self, webhook: Webhook, copies: int, *events: Told) -> None:
        await self._tell(webhook, copies, *(self.notice(event) for event in events))


def new_id() -> str:
    return re.sub(r"[-_]", "0", secrets.token_urlsafe(18))


def card_number(text: str) -> str:
    """The test card whose number ends so: `…3184`."""
    end = re.sub(r"\D", "", text)
    found = next((number for number in CARDS if end and number.endswith(end)), None)
    if found is None:
        raise ValueError(f"no test card {text}; there are {', '.join('…' + number[-4:] for number in CARDS)}")
    return found


def _found(things: dict[str, Json], kind: str, ref: str) -> Json:
    if (thing := things.get(ref)) is None:
        raise StripeError(404, f"No such {kind}: '{ref}'", code="resource_missing", param="id")
    return thing


def _written(minor: int, currency: str) -> str:
    whole, cents = divmod(minor, 100)
    return f"{whole:,}.{cents:02} {currency.upper()}"
