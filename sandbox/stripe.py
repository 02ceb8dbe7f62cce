"""Stripe's Checkout as far as deposits need it: https://docs.stripe.com/api/checkout/sessions."""

import hashlib
import hmac
import json
import re
import secrets
import time
from base64 import b64decode
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from sandbox.deliveries import Deliveries, Notice, Raw, Webhook
from sandbox.provider import Json, Provider, Remembered, shape, shown

VERSION = "2026-10-28.endive"
SHAPES = shape("stripe")
CURRENCIES = ("usd", "eur", "gbp", "rub", "pln", "czk", "try", "kzt", "inr", "brl")  # with two decimals
SMALLEST, LARGEST = 50, 99_999_999
DECLINES = {
    "insufficient_funds": "Your card has insufficient funds.",
    "generic_decline": "Your card was declined.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    "fraudulent": "Your card was declined.",
}
OWN_CODES = ("expired_card", "incorrect_cvc", "processing_error")  # the others come as card_declined


class StripeError(Exception):
    """https://docs.stripe.com/api/errors"""

    def __init__(self, status: int, message: str, **more: str) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"message": message, "type": "invalid_request_error", **more}


class Stripe(Provider):
    """Sessions, payment intents and the events about them."""

    def __init__(self, key: str, secret: str, deliveries: Deliveries, page_url: Callable[[], str]) -> None:
        super().__init__(deliveries, page_url)
        self.key, self.secret = key, secret
        self.sessions: dict[str, Json] = {}
        self.intents: dict[str, Json] = {}

    # What a payer and the world do

    async def pay(
        self,
        ref: str,
        webhook: Webhook = "now",
        copies: int = 5,
        *,
        amount: int | None = None,
        currency: str | None = None,
        livemode: bool | None = None,
        metadata: dict[str, str] | None = None,
        delayed: bool = False,
        after_expiry: bool = False,
    ) -> None:
        """Pays a session, in full or oddly; `delayed` completes it unpaid, like a bank debit."""
        session = self._session(ref, "open", "expired" if after_expiry else "open")
        self._ended(ref)
        intent = self._intent(session)
        odd = {"amount": amount, "currency": currency, "livemode": livemode, "metadata": metadata}
        for name, value in odd.items():
            if value is not None:
                intent[name] = session["amount_total" if name == "amount" else name] = value
        session |= {"status": "complete", "url": None, "amount_subtotal": session["amount_total"]}
        session["customer_details"] = SHAPES["customer_details"]
        if delayed:
            intent["status"] = "processing"
            events = [("payment_intent.processing", intent)]
        else:
            events = self._take(session, intent)
        await self._emit(webhook, copies, *events, ("checkout.session.completed", session))

    async def settle(self, ref: str, webhook: Webhook = "now", copies: int = 5, *, paid: bool = True) -> None:
        """Ends a delayed payment."""
        session = self._session(ref, "complete")
        intent = self.intents[session["payment_intent"]]
        if intent["status"] != "processing":
            raise ValueError(f"{intent['id']} is {intent['status']}")
        events = self._take(session, intent) if paid else self._refuse(intent, "generic_decline")
        end = f"checkout.session.async_payment_{'succeeded' if paid else 'failed'}"
        await self._emit(webhook, copies, *events, (end, session))

    async def decline(
        self, ref: str, webhook: Webhook = "now", copies: int = 5, *, reason: str = "insufficient_funds"
    ) -> None:
        """The bank says no; the page stays open and may still be paid."""
        intent = self._intent(self._session(ref, "open"))
        await self._emit(webhook, copies, *self._refuse(intent, reason))

    async def expire(self, ref: str, webhook: Webhook = "now", copies: int = 5) -> None:
        await self._tell(webhook, copies, self._close(ref))

    async def stray(
        self,
        amount: int,
        currency: str = "usd",
        webhook: Webhook = "now",
        metadata: dict[str, str] | None = None,
    ) -> str:
        """Money that no order of the bot asked for; answers the payment intent's id."""
        session = self._new(amount, currency, {"metadata": metadata or {}})
        await self.pay(session["id"], webhook)
        return str(session["payment_intent"])

    def events(self, ref: str) -> list[Raw]:
        """All events so far about a session or payment intent, signed now."""
        pairs = ({session["id"], session["payment_intent"]} for session in self.sessions.values())
        return self._about(next((pair for pair in pairs if ref in pair), {ref}))

    def newest(self) -> str:
        return list(self.sessions)[-1]

    def page(self, ref: str) -> Json | None:
        """What the payment page shows of a session."""
        if (session := self.sessions.get(ref)) is None:
            return None
        intent = self.intents.get(session["payment_intent"], {})
        whole, cents = divmod(session["amount_total"], 100)
        return {
            "status": {"open": "open", "complete": "paid", "expired": "closed"}[session["status"]],
            "amount": f"{whole:,}.{cents:02} {session['currency'].upper()}",
            "description": session["_description"],
            "problem": (intent.get("last_payment_error") or {}).get("message", ""),
            "reasons": list(DECLINES),
            "card_number": "4242 4242 4242 4242",
            "back": session["success_url" if session["status"] == "complete" else "cancel_url"],
        }

    # How it is done

    def _session(self, ref: str, *statuses: str) -> Json:
        if (session := self.sessions.get(ref)) is None:
            raise StripeError(404, f"No such checkout.session: '{ref}'", code="resource_missing", param="id")
        if statuses and session["status"] not in statuses:
            raise StripeError(400, f"This Checkout Session has a status of `{session['status']}`.")
        return session

    def _new(self, amount: int, currency: str, values: Json) -> Json:
        ref, created = f"cs_test_{_id()}", int(time.time())
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
        return session

    def _intent(self, session: Json) -> Json:
        """The session's payment intent; Stripe makes it at the first attempt to pay."""
        if intent := self.intents.get(session["payment_intent"]):
            return intent
        ref = session["payment_intent"] = f"pi_{_id()}"
        made: Json = deepcopy(SHAPES["intent"]) | {
            "id": ref,
            "amount": session["amount_total"],
            "client_secret": f"{ref}_secret_NotARealSecret",
            "created": int(time.time()),
            **{name: session[name] for name in ("currency", "customer", "livemode")},
            **session["_intent"],
        }
        self.intents[ref] = made
        return made

    def _take(self, session: Json, intent: Json) -> list[tuple[str, Json]]:
        before = {**intent, "status": "requires_payment_method", "latest_charge": None}
        amount, method = intent["amount"], f"pm_{_id()}"
        charge = deepcopy(SHAPES["charge"]) | {
            "id": f"ch_{_id()}",
            "amount": amount,
            "amount_captured": amount,
            "balance_transaction": f"txn_{_id()}",
            "payment_intent": intent["id"],
            "payment_method": method,
            **{
                name: intent[name]
                for name in ("created", "currency", "customer", "description", "livemode", "metadata")
            },
        }
        intent |= {"status": "succeeded", "amount_received": amount, "latest_charge": charge["id"]}
        intent |= {"payment_method": method, "last_payment_error": None}
        session["payment_status"] = "paid"
        self._taken[intent["currency"].upper()] += amount
        kinds = ("payment_intent.created", "charge.succeeded", "payment_intent.succeeded")
        return list(zip(kinds, (before, charge, intent), strict=True))

    def _refuse(self, intent: Json, reason: str) -> list[tuple[str, Json]]:
        intent |= {"status": "requires_payment_method", "latest_charge": f"ch_{_id()}"}
        intent["last_payment_error"] = {
            "charge": intent["latest_charge"],
            "code": reason if reason in OWN_CODES else "card_declined",
            "decline_code": reason,
            "doc_url": "https://stripe.com/docs/error-codes/card-declined",
            "message": DECLINES.get(reason, "Your card was declined."),
            "type": "card_error",
        }
        return [("payment_intent.payment_failed", intent)]

    def _close(self, ref: str) -> Notice:
        session = self._session(ref, "open")
        self._ended(ref)
        session |= {"status": "expired", "url": None}
        return self._notice("checkout.session.expired", session)

    async def _emit(self, webhook: Webhook, copies: int, *events: tuple[str, Json]) -> None:
        await self._tell(webhook, copies, *(self._notice(kind, thing) for kind, thing in events))

    def _notice(self, kind: str, thing: Json) -> Notice:
        event = {
            "id": f"evt_{_id()}",
            "object": "event",
            "account": None,
            "api_version": VERSION,
            "context": None,
            "created": int(time.time()),
            "data": {"object": shown(thing)},
            "livemode": thing["livemode"],
            "pending_webhooks": 1,
            "request": {"id": f"req_{_id()}", "idempotency_key": None},
            "type": kind,
        }
        subject = thing["payment_intent" if thing["object"] == "charge" else "id"]
        return Notice("stripe", kind, subject, json.dumps(event, indent=2).encode(), self.sign)

    def sign(self, body: bytes) -> dict[str, str]:
        """https://docs.stripe.com/webhooks#verify-manually"""
        now = str(int(time.time()))
        digest = hmac.new(self.secret.encode(), now.encode() + b"." + body, hashlib.sha256).hexdigest()
        return {"Stripe-Signature": f"t={now},v1={digest}"}

    # The HTTP side

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/checkout/sessions", self._api(self._create)),
            web.get("/v1/checkout/sessions", self._api(self._list_sessions)),
            web.get("/v1/checkout/sessions/{id}", self._api(self._retrieve_session)),
            web.post("/v1/checkout/sessions/{id}/expire", self._api(self._expire_session)),
            web.get("/v1/payment_intents", self._api(self._list_intents)),
            web.get("/v1/payment_intents/{id}", self._api(self._retrieve_intent)),
            web.get("/v1/balance", self._api(self._balance)),
            web.route("*", "/v1/{rest:.*}", self._api(self._unknown)),
        ]

    def _api(self, run: Callable[[web.Request, Json], Json]) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            headers = {"Request-Id": f"req_{_id()}", "Stripe-Version": VERSION}
            raw = await request.read()
            try:
                self._authorize(request)
                body = self._answer(request, raw, run, headers)
            except StripeError as error:
                return web.json_response({"error": error.error}, status=error.status, headers=headers)
            return web.Response(body=body, content_type="application/json", headers=headers)

        return handle

    def _answer(
        self,
        request: web.Request,
        raw: bytes,
        run: Callable[[web.Request, Json], Json],
        headers: dict[str, str],
    ) -> bytes:
        """Runs a call, a POST once per key: https://docs.stripe.com/api/idempotent_requests"""
        key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
        if key and (known := self._answers.get(key)):
            if known.asked != (request.path, raw):
                words = "can only be used with the same parameters they were first used with."
                raise StripeError(400, f"Keys for idempotent requests {words}", type="idempotency_error")
            headers["Idempotent-Replayed"] = "true"
            return known.body
        fields = [*request.query.items(), *parse_qsl(raw.decode(errors="replace"), keep_blank_values=True)]
        body = json.dumps(run(request, nest(fields)), indent=2).encode()
        if key:
            self._answers[key] = Remembered((request.path, raw), body)
        return body

    def _authorize(self, request: web.Request) -> None:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            given = b64decode(given + "==").decode(errors="replace").partition(":")[0]
        if not given:
            raise StripeError(401, "You did not provide an API key.")
        if given != self.key:
            raise StripeError(401, f"Invalid API Key provided: {given[:8]}****")

    def _unknown(self, request: web.Request, params: Json) -> Json:
        raise StripeError(404, f"Unrecognized request URL ({request.method}: {request.path}).")

    def _create(self, request: web.Request, params: Json) -> Json:
        """https://docs.stripe.com/api/checkout/sessions/create"""
        for name in params:
            if name not in SHAPES["parameters"]:
                raise StripeError(400, f"Received unknown parameter: {name}", code="parameter_unknown", param=name)
        if params.get("mode") != "payment":
            raise StripeError(400, "Invalid mode: the sandbox sells for payment only.", param="mode")
        if "success_url" not in params:
            raise StripeError(
                400, "Missing required param: success_url.", code="parameter_missing", param="success_url"
            )
        for name in {"success_url", "cancel_url"} & params.keys():
            url = urlsplit(params[name])
            if url.scheme not in ("http", "https") or not url.netloc:
                raise StripeError(400, "Not a valid URL", code="url_invalid", param=name)
        now = int(time.time())
        expires = _number(params, "expires_at", now + 86400)
        if not 1800 <= expires - now <= 86400:
            words = "must be at least 30 minutes and at most 24 hours from Checkout Session creation."
            raise StripeError(400, f"The `expires_at` timestamp {words}", param="expires_at")
        data = params.get("payment_intent_data", {})
        for metadata in (params.get("metadata", {}), data.get("metadata", {})):
            if len(metadata) > 50 or any(len(key) > 40 or len(value) > 500 for key, value in metadata.items()):
                raise StripeError(
                    400, "Metadata has at most 50 keys of 40 characters and values of 500.", param="metadata"
                )
        if len(params.get("client_reference_id", "")) > 200:
            raise StripeError(400, "Invalid string: must be at most 200 characters", param="client_reference_id")
        amount, currency, description = self._line_items(params)
        kept = ("cancel_url", "client_reference_id", "locale", "metadata", "submit_type", "success_url")
        values = {
            **{name: params[name] for name in kept if name in params},
            "adaptive_pricing": {"enabled": params.get("adaptive_pricing", {}).get("enabled", "true") == "true"},
            "expires_at": expires,
            "_description": description,
            "_intent": {"metadata": data.get("metadata", {}), "description": data.get("description")},
        }
        session = self._new(amount, currency, values)
        self._ends_in(expires - now, session["id"], self._time_is_up)
        return shown(session)

    def _time_is_up(self, ref: str) -> None:
        self._post(self._close(ref))

    def _line_items(self, params: Json) -> tuple[int, str, str]:
        items = params.get("line_items")
        if not isinstance(items, list) or not items:
            raise StripeError(400, "Missing required param: line_items.", code="parameter_missing", param="line_items")
        total, currency, name = 0, "", ""
        for index, item in enumerate(items):
            price, where = item.get("price_data", {}), f"line_items[{index}][price_data]"
            currency, name = price.get("currency", "").lower(), price.get("product_data", {}).get("name", "")
            if currency not in CURRENCIES:
                raise StripeError(400, f"Invalid currency: {currency}.", param=f"{where}[currency]")
            if not name:
                param = f"{where}[product_data][name]"
                raise StripeError(400, f"Missing required param: {param}.", code="parameter_missing", param=param)
            total += _number(price, "unit_amount", -1) * _number(item, "quantity", 1)
        if total < SMALLEST:
            raise StripeError(400, "The Checkout Session's total amount is too small.", code="amount_too_small")
        if total > LARGEST:
            raise StripeError(400, "Amount must be no more than 999,999.99.", code="amount_too_large")
        return total, currency, name

    def _retrieve_session(self, request: web.Request, params: Json) -> Json:
        session = shown(self._session(request.match_info["id"]))
        if "payment_intent" in params.get("expand", []) and session["payment_intent"]:
            session["payment_intent"] = self.intents[session["payment_intent"]]
        return session

    def _expire_session(self, request: web.Request, params: Json) -> Json:
        ref = request.match_info["id"]
        self._post(self._close(ref))
        return shown(self.sessions[ref])

    def _list_sessions(self, request: web.Request, params: Json) -> Json:
        wanted = {key: params[key] for key in ("payment_intent", "status") if key in params}
        fitting = (s for s in self.sessions.values() if all(s[key] == value for key, value in wanted.items()))
        return self._list(request, params, fitting)

    def _list_intents(self, request: web.Request, params: Json) -> Json:
        return self._list(request, params, self.intents.values())

    def _list(self, request: web.Request, params: Json, things: Iterable[Json]) -> Json:
        """https://docs.stripe.com/api/pagination, newest first"""
        created = params.get("created", {})
        span = created if isinstance(created, dict) else {"gte": created, "lte": created}
        since, until = _number(span, "gte", 0), _number(span, "lte", 1 << 40)
        found = [thing for thing in things if since <= thing["created"] <= until][::-1]
        if after := params.get("starting_after"):
            index = next((index for index, thing in enumerate(found) if thing["id"] == after), len(found))
            found = found[index + 1 :]
        limit = min(max(_number(params, "limit", 10), 1), 100)
        data = [shown(thing) for thing in found[:limit]]
        return {"object": "list", "data": data, "has_more": len(found) > limit, "url": request.path}

    def _retrieve_intent(self, request: web.Request, params: Json) -> Json:
        ref = request.match_info["id"]
        if ref not in self.intents:
            raise StripeError(404, f"No such payment_intent: '{ref}'", code="resource_missing", param="intent")
        return self.intents[ref]

    def _balance(self, request: web.Request, params: Json) -> Json:
        available = [{"amount": amount, "currency": currency.lower()} for currency, amount in self._taken.items()]
        return {"object": "balance", "available": available, "livemode": False, "pending": []}


def _id() -> str:
    return re.sub(r"[-_]", "0", secrets.token_urlsafe(18))


def _number(values: Json, name: str, default: int) -> int:
    try:
        return int(values.get(name, default))
    except (TypeError, ValueError):
        words = f"Invalid integer: {values[name]}"
        raise StripeError(400, words, code="parameter_invalid_integer", param=name) from None


def nest(fields: list[tuple[str, str]]) -> Json:
    """`line_items[0][price_data][currency]=usd` to nested dicts and lists."""
    tree: Json = {}
    for name, value in fields:
        path = re.findall(r"[^\[\]]+", name) + ([""] if name.endswith("[]") else [])
        branch = tree
        for step in path[:-1]:
            branch = branch.setdefault(step, {})
            if not isinstance(branch, dict):
                raise StripeError(400, f"Invalid object: {name}", param=name)
        branch[path[-1] or str(len(branch))] = value
    return {name: _lists(value) for name, value in tree.items()}


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(key.isdigit() for key in value):
        return [_lists(value[key]) for key in sorted(value, key=int)]
    return {key: _lists(inner) for key, inner in value.items()}
