"""What the bot can call at the Stripe in miniature: https://docs.stripe.com/api."""

import json
import re
import time
from base64 import b64decode
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from sandbox.provider import Json, Remembered, shown
from sandbox.stripe import SHAPES, VERSION, Stripe, StripeError, Told, new_id, told

CURRENCIES = ("usd", "eur", "gbp", "rub", "pln", "czk", "try", "kzt", "inr", "brl")  # with two decimals
SMALLEST, LARGEST = 50, 99_999_999

Run = Callable[[web.Request, Json], Json]


def routes(stripe: Stripe) -> list[web.RouteDef]:
    api = Api(stripe)
    return [
        web.post("/v1/checkout/sessions", api(api.create_session)),
        web.get("/v1/checkout/sessions", api(api.list_sessions)),
        web.get("/v1/checkout/sessions/{id}", api(api.retrieve_session)),
        web.post("/v1/checkout/sessions/{id}/expire", api(api.expire_session)),
        web.post("/v1/payment_intents", api(api.create_intent)),
        web.get("/v1/payment_intents", api(api.list_intents)),
        web.get("/v1/payment_intents/{id}", api(api.retrieve_intent)),
        web.post("/v1/payment_intents/{id}/confirm", api(api.confirm_intent)),
        web.post("/v1/payment_intents/{id}/cancel", api(api.cancel_intent)),
        web.get("/v1/charges/{id}", api(api.retrieve_charge)),
        web.post("/v1/customers", api(api.create_customer)),
        web.get("/v1/customers/{id}", api(api.retrieve_customer)),
        web.get("/v1/customers/{id}/payment_methods", api(api.list_methods)),
        web.get("/v1/payment_methods", api(api.list_methods)),
        web.get("/v1/payment_methods/{id}", api(api.retrieve_method)),
        web.post("/v1/payment_methods/{id}/detach", api(api.detach_method)),
        web.post("/v1/refunds", api(api.create_refund)),
        web.get("/v1/refunds", api(api.list_refunds)),
        web.get("/v1/refunds/{id}", api(api.retrieve_refund)),
        web.get("/v1/disputes", api(api.list_disputes)),
        web.get("/v1/disputes/{id}", api(api.retrieve_dispute)),
        web.get("/v1/balance", api(api.balance)),
        web.route("*", "/v1/{rest:.*}", api(api.unknown)),
    ]


class Api:
    """Each public method answers one kind of call: the request, its parameters nested, the object back."""

    def __init__(self, stripe: Stripe) -> None:
        self._stripe = stripe
        self._answers: dict[str, Remembered] = {}

    def __call__(self, run: Run) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            headers = {"Request-Id": f"req_{new_id()}", "Stripe-Version": VERSION}
            raw = await request.read()
            try:
                self._authorize(request)
                status, body = self._answer(request, raw, run, headers)
            except StripeError as error:
                return web.json_response({"error": error.error}, status=error.status, headers=headers)
            return web.Response(status=status, body=body, content_type="application/json", headers=headers)

        return handle

    def _answer(self, request: web.Request, raw: bytes, run: Run, headers: dict[str, str]) -> tuple[int, bytes]:
        """Runs a call, a POST once per key: https://docs.stripe.com/api/idempotent_requests"""
        key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
        if key and (known := self._answers.get(key)):
            if known.asked != (request.path, raw):
                words = "can only be used with the same parameters they were first used with."
                raise StripeError(400, f"Keys for idempotent requests {words}", type="idempotency_error")
            headers["Idempotent-Replayed"] = "true"
            return known.status, known.body
        fields = [*request.query.items(), *parse_qsl(raw.decode(errors="replace"), keep_blank_values=True)]
        params = nest(fields)
        try:
            status, answer = 200, self._expanded(run(request, params), params.get("expand", []))
        except StripeError as error:
            if error.status != 402:
                raise
            # What was refused as it stood may be asked again; a bank's no is an answer, and kept as one.
            status, answer = error.status, {"error": error.error}
        body = json.dumps(answer, indent=2).encode()
        if key:
            self._answers[key] = Remembered((request.path, raw), body, status)
        return status, body

    def _authorize(self, request: web.Request) -> None:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            given = b64decode(given + "==").decode(errors="replace").partition(":")[0]
        if not given:
            raise StripeError(401, "You did not provide an API key.")
        if given != self._stripe.key:
            raise StripeError(401, f"Invalid API Key provided: {given[:8]}****")

    def _expanded(self, thing: Json, paths: object) -> Json:
        """https://docs.stripe.com/expand"""
        thing = shown(thing)
        for path in paths if isinstance(paths, list) else []:
            name, _, rest = str(path).partition(".")
            if name == "data" and isinstance(thing.get("data"), list):
                thing["data"] = [self._expanded(item, [rest]) for item in thing["data"]]
                continue
            if name not in thing:
                words = f"This property cannot be expanded ({path})."
                raise StripeError(400, words, param=f"expand[{path}]")
            inner = thing[name] if isinstance(thing[name], dict) else self._named(thing[name])
            if inner is not None:
                thing[name] = self._expanded(inner, [rest] if rest else [])
        return thing

    def _named(self, ref: object) -> Json | None:
        stripe = self._stripe
        for things in (stripe.intents, stripe.charges, stripe.methods, stripe.customers, stripe.disputes):
            if isinstance(ref, str) and ref in things:
                return things[ref]
        return None

    def _post(self, request: web.Request, events: list[Told]) -> None:
        self._stripe.post(events, request.headers.get("Idempotency-Key"))

    def unknown(self, request: web.Request, params: Json) -> Json:
        raise StripeError(404, f"Unrecognized request URL ({request.method}: {request.path}).")

    # Checkout

    def create_session(self, request: web.Request, params: Json) -> Json:
        """https://docs.stripe.com/api/checkout/sessions/create"""
        for name in params:
            if name not in SHAPES["parameters"]:
                raise StripeError(400, f"Received unknown parameter: {name}", code="parameter_unknown", param=name)
        if params.get("mode") != "payment":
            raise StripeError(400, "Invalid mode: the sandbox sells for payment only.", param="mode")
        _required(params, "success_url")
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
        _check_metadata(params)
        _check_metadata(data)
        if len(params.get("client_reference_id", "")) > 200:
            raise StripeError(400, "Invalid string: must be at most 200 characters", param="client_reference_id")
        future = data.get("setup_future_usage")
        if future not in (None, "on_session", "off_session"):
            words = f"Invalid setup_future_usage: {future}"
            raise StripeError(400, words, param="payment_intent_data[setup_future_usage]")
        self._given_customer(params)
        amount, currency, description = self._line_items(params)
        kept = ("cancel_url", "client_reference_id", "customer", "locale", "metadata", "submit_type", "success_url")
        values = {
            **{name: params[name] for name in kept if name in params},
            "adaptive_pricing": {"enabled": params.get("adaptive_pricing", {}).get("enabled", "true") == "true"},
            "expires_at": expires,
            "_description": description,
            "_intent": {
                "metadata": data.get("metadata", {}),
                "description": data.get("description"),
                "setup_future_usage": future,
            },
        }
        return self._stripe.new_session(amount, currency, values)

    def _line_items(self, params: Json) -> tuple[int, str, str]:
        items = params.get("line_items")
        if not isinstance(items, list) or not items:
            raise StripeError(400, "Missing required param: line_items.", code="parameter_missing", param="line_items")
        total, currency, name = 0, "", ""
        for index, item in enumerate(items):
            price, where = item.get("price_data", {}), f"line_items[{index}][price_data]"
            currency, name = price.get("currency", "").lower(), price.get("product_data", {}).get("name", "")
            _check_currency(currency, f"{where}[currency]")
            if not name:
                param = f"{where}[product_data][name]"
                raise StripeError(400, f"Missing required param: {param}.", code="parameter_missing", param=param)
            total += _number(price, "unit_amount", -1) * _number(item, "quantity", 1)
        if total < SMALLEST:
            raise StripeError(400, "The Checkout Session's total amount is too small.", code="amount_too_small")
        if total > LARGEST:
            raise StripeError(400, "Amount must be no more than 999,999.99.", code="amount_too_large")
        return total, currency, name

    def retrieve_session(self, request: web.Request, params: Json) -> Json:
        return self._stripe.session(request.match_info["id"])

    def expire_session(self, request: web.Request, params: Json) -> Json:
        ref = request.match_info["id"]
        self._stripe.time_is_up(ref)
        return self._stripe.sessions[ref]

    def list_sessions(self, request: web.Request, params: Json) -> Json:
        return _listed(request, params, self._stripe.sessions.values(), "payment_intent", "status", "customer")

    # Payment intents

    def create_intent(self, request: web.Request, params: Json) -> Json:
        """https://docs.stripe.com/api/payment_intents/create, with a kept card and at once."""
        for name in ("amount", "currency"):
            _required(params, name)
        amount, currency = _number(params, "amount", 0), params["currency"].lower()
        _check_currency(currency, "currency")
        if not SMALLEST <= amount <= LARGEST:
            code = "amount_too_small" if amount < SMALLEST else "amount_too_large"
            raise StripeError(400, "Amount must be at least 50 and at most 99999999.", code=code, param="amount")
        confirm, off_session = (params.get(name) == "true" for name in ("confirm", "off_session"))
        if off_session and not confirm:
            raise StripeError(400, "off_session can only be used with confirm=true", param="off_session")
        _check_metadata(params)
        self._given_customer(params)
        methods = params.get("automatic_payment_methods", {})
        if confirm and methods.get("allow_redirects") != "never" and "payment_method_types" not in params:
            words = "This PaymentIntent is configured to accept payment methods that redirect; provide a `return_url`."
            raise StripeError(400, words, param="return_url")
        if method := params.get("payment_method"):
            self._check_kept(method, params.get("customer"))
        kept = ("customer", "description", "metadata", "payment_method", "setup_future_usage")
        values = {name: params[name] for name in kept if name in params}
        intent = self._stripe.new_intent(amount, currency, values)
        created = told("payment_intent.created", intent)
        if confirm:
            return self._confirm(request, intent, created)
        intent["status"] = "requires_confirmation" if method else "requires_payment_method"
        self._post(request, [created])
        return intent

    def confirm_intent(self, request: web.Request, params: Json) -> Json:
        intent = self._stripe.intent(request.match_info["id"])
        if intent["status"] not in ("requires_confirmation", "requires_payment_method"):
            raise _unexpected(intent, "confirm")
        if method := params.get("payment_method"):
            self._check_kept(method, intent["customer"])
            intent["payment_method"] = method
        return self._confirm(request, intent)

    def _confirm(self, request: web.Request, intent: Json, *before: Told) -> Json:
        if intent["payment_method"] is None:
            raise StripeError(400, "You must provide a payment method.", param="payment_method")
        events = self._stripe.charge_kept(intent)
        if before and events[0].kind == before[0].kind:
            before = ()
        self._post(request, [*before, *events])
        if (failure := intent["last_payment_error"]) is not None:
            # https://docs.stripe.com/error-handling#payment-errors
            raise StripeError(402, failure["message"], **{**failure, "payment_intent": shown(intent)})
        return intent

    def cancel_intent(self, request: web.Request, params: Json) -> Json:
        """https://docs.stripe.com/api/payment_intents/cancel"""
        intent = self._stripe.intent(request.match_info["id"])
        if any(intent["id"] == session["payment_intent"] for session in self._stripe.sessions.values()):
            raise StripeError(400, "You cannot cancel this PaymentIntent because it was created by a Checkout Session.")
        if intent["status"] in ("succeeded", "canceled", "processing"):
            raise _unexpected(intent, "cancel")
        reason = params.get("cancellation_reason")
        if reason not in (None, "abandoned", "duplicate", "fraudulent", "requested_by_customer"):
            raise StripeError(400, f"Invalid cancellation_reason: {reason}", param="cancellation_reason")
        intent |= {"status": "canceled", "canceled_at": int(time.time()), "cancellation_reason": reason}
        self._post(request, [told("payment_intent.canceled", intent)])
        return intent

    def retrieve_intent(self, request: web.Request, params: Json) -> Json:
        return self._stripe.intent(request.match_info["id"])

    def list_intents(self, request: web.Request, params: Json) -> Json:
        return _listed(request, params, self._stripe.intents.values(), "customer")

    def retrieve_charge(self, request: web.Request, params: Json) -> Json:
        return self._found(self._stripe.charges, "charge", request)

    # Customers and their cards

    def create_customer(self, request: web.Request, params: Json) -> Json:
        _check_metadata(params)
        known: Json = {
            name: params[name] for name in ("description", "email", "metadata", "name", "phone") if name in params
        }
        customer = self._stripe.new_customer(known)
        self._post(request, [told("customer.created", customer)])
        return customer

    def retrieve_customer(self, request: web.Request, params: Json) -> Json:
        return self._stripe.customer(request.match_info["id"])

    def list_methods(self, request: web.Request, params: Json) -> Json:
        customer = request.match_info.get("id") or params.get("customer")
        return _listed(request, params, self._stripe.cards(customer) if customer else [], "type")

    def retrieve_method(self, request: web.Request, params: Json) -> Json:
        return self._stripe.method(request.match_info["id"])

    def detach_method(self, request: web.Request, params: Json) -> Json:
        event = self._stripe.detach(request.match_info["id"])
        self._post(request, [event])
        return event.thing

    def _given_customer(self, params: Json) -> None:
        customer = params.get("customer")
        if customer is not None and customer not in self._stripe.customers:
            raise StripeError(400, f"No such customer: '{customer}'", code="resource_missing", param="customer")

    def _check_kept(self, ref: str, customer: str | None) -> None:
        method = self._stripe.methods.get(ref)
        if method is None:
            raise StripeError(400, f"No such PaymentMethod: '{ref}'", code="resource_missing", param="payment_method")
        if method["customer"] is None:
            words = (
                "was previously used with a PaymentIntent without Customer attachment or was detached from a Customer."
            )
            raise StripeError(400, f"The provided PaymentMethod {words} It may not be used again.")
        if method["customer"] != customer:
            words = "The payment method must be attached to the customer."
            raise StripeError(
                400,
                f"The customer does not have a payment method with the ID {ref}. {words}",
                code="resource_missing",
                param="payment_method",
            )

    # Money given back and taken back

    def create_refund(self, request: web.Request, params: Json) -> Json:
        """https://docs.stripe.com/api/refunds/create"""
        intent = self._stripe.intents.get(params.get("payment_intent", ""))
        ref = intent["latest_charge"] if intent else params.get("charge", "")
        charge = self._stripe.charges.get(ref)
        if "payment_intent" in params and intent is None:
            words = f"No such payment_intent: '{params['payment_intent']}'"
            raise StripeError(404, words, code="resource_missing", param="payment_intent")
        if charge is None or not charge["paid"]:
            raise StripeError(400, "This PaymentIntent does not have a successful charge to refund.")
        _check_metadata(params)
        amount = _number(params, "amount", 0) if "amount" in params else None
        refund, events = self._stripe.give_back(charge, amount, params.get("metadata"), self._stripe.refund_state)
        refund["reason"] = params.get("reason")
        self._post(request, events)
        return refund

    def retrieve_refund(self, request: web.Request, params: Json) -> Json:
        return self._found(self._stripe.refunds, "refund", request)

    def list_refunds(self, request: web.Request, params: Json) -> Json:
        return _listed(request, params, self._stripe.refunds.values(), "charge", "payment_intent")

    def retrieve_dispute(self, request: web.Request, params: Json) -> Json:
        return self._found(self._stripe.disputes, "dispute", request)

    def list_disputes(self, request: web.Request, params: Json) -> Json:
        return _listed(request, params, self._stripe.disputes.values(), "charge", "payment_intent")

    def balance(self, request: web.Request, params: Json) -> Json:
        taken = self._stripe.taken().items()
        available = [{"amount": amount, "currency": currency.lower()} for currency, amount in taken]
        return {"object": "balance", "available": available, "livemode": False, "pending": []}

    @staticmethod
    def _found(things: dict[str, Json], kind: str, request: web.Request) -> Json:
        ref = request.match_info["id"]
        if ref not in things:
            raise StripeError(404, f"No such {kind}: '{ref}'", code="resource_missing", param="id")
        return things[ref]


def _listed(request: web.Request, params: Json, things: Iterable[Json], *filters: str) -> Json:
    """https://docs.stripe.com/api/pagination, newest first"""
    created = params.get("created", {})
    span = created if isinstance(created, dict) else {"gte": created, "lte": created}
    since, until = _number(span, "gte", 0), _number(span, "lte", 1 << 40)
    wanted = {name: params[name] for name in filters if name in params}
    found = [
        thing
        for thing in things
        if since <= thing["created"] <= until and all(thing[name] == value for name, value in wanted.items())
    ][::-1]
    if after := params.get("starting_after"):
        index = next((index for index, thing in enumerate(found) if thing["id"] == after), len(found))
        found = found[index + 1 :]
    limit = min(max(_number(params, "limit", 10), 1), 100)
    data = [shown(thing) for thing in found[:limit]]
    return {"object": "list", "data": data, "has_more": len(found) > limit, "url": request.path}


def _required(params: Json, name: str) -> None:
    if name not in params:
        raise StripeError(400, f"Missing required param: {name}.", code="parameter_missing", param=name)


def _check_currency(currency: str, param: str) -> None:
    if currency not in CURRENCIES:
        raise StripeError(400, f"Invalid currency: {currency}.", param=param)


def _check_metadata(params: Json) -> None:
    metadata = params.get("metadata", {})
    if len(metadata) > 50 or any(len(key) > 40 or len(value) > 500 for key, value in metadata.items()):
        raise StripeError(400, "Metadata has at most 50 keys of 40 characters and values of 500.", param="metadata")


def _unexpected(intent: Json, verb: str) -> StripeError:
    words = f"You cannot {verb} this PaymentIntent because it has a status of {intent['status']}."
    return StripeError(400, words, code="payment_intent_unexpected_state", payment_intent=shown(intent))


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
