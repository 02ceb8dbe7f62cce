"""YooKassa in miniature: payments, kept cards and refunds of one shop. https://yookassa.ru/developers/api"""

import json
import re
import uuid
from base64 import b64encode
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from sandbox.deliveries import Deliveries, Notice, Raw, Webhook
from sandbox.provider import Json, Provider, Remembered, shape, shown

SHAPES = shape("yookassa")
# https://yookassa.ru/developers/payment-acceptance/getting-started/payment-methods
LIFETIME = timedelta(hours=1)
HOLD = timedelta(days=7)
# https://yookassa.ru/developers/payment-acceptance/testing-and-going-live/testing#test-bank-card-data
CARDS: dict[str, dict[str, str]] = SHAPES["cards"]
CARD = "…4477"
NOT_BY_BANKS = ("expired_on_confirmation", "expired_on_capture", "canceled_by_merchant")


class YooKassaError(Exception):
    """https://yookassa.ru/developers/using-api/response-handling/response-format#error"""

    def __init__(self, status: int, code: str, description: str, parameter: str | None = None) -> None:
        super().__init__(description)
        self.status = status
        self.body = {"type": "error", "id": str(uuid.uuid4()), "code": code, "description": description}
        if parameter:
            self.body["parameter"] = parameter


def invalid(description: str, parameter: str | None = None) -> YooKassaError:
    return YooKassaError(400, "invalid_request", description, parameter)


class YooKassa(Provider):
    """Payments of one shop and the notifications about them."""

    def __init__(self, shop: str, key: str, deliveries: Deliveries, page_url: Callable[[], str]) -> None:
        super().__init__(deliveries, page_url)
        self.shop, self.key = shop, key
        self.payments: dict[str, Json] = {}
        self.methods: dict[str, Json] = {}  # the kept ones
        self.refunds: dict[str, Json] = {}
        self.refund_state = "succeeded"  # how a refund that the bot asks for begins
        self.recurring = True  # False: the manager has not allowed this shop to keep cards

    # What a payer and the world do

    async def pay(
        self,
        ref: str,
        webhook: Webhook = "now",
        copies: int = 5,
        *,
        card: str = CARD,
        method: str = "bank_card",
        amount: int | None = None,
        currency: str | None = None,
        account_id: str | None = None,
        test: bool | None = None,
        metadata: dict[str, str] | None = None,
        after_expiry: bool = False,
    ) -> None:
        """Pays, in full or oddly; `amount` in hundredths. A two-stage payment then waits for its capture.

        `card`: a test card by its last digits; with one that banks refuse this is decline().
        """
        number = card_number(card)
        if method == "bank_card" and (reason := CARDS[number].get("reason")):
            await self.decline(ref, webhook, copies, reason=reason)
            return
        payment = self._payment(ref, "pending", "canceled" if after_expiry else "pending")
        self._ended(ref)
        for gone in ("confirmation", "cancellation_details"):
            payment.pop(gone, None)
        asked = payment["amount"]
        payment["amount"] = {
            "value": asked["value"] if amount is None else _decimal(amount),
            "currency": currency or asked["currency"],
        }
        payment["recipient"] = {**payment["recipient"], "account_id": account_id or self.shop}
        payment["test"] = payment["test"] if test is None else test
        payment["metadata"] = payment["metadata"] if metadata is None else metadata
        paid_by = _method(ref, method, number, saved=payment["_save"])
        if paid_by["saved"]:
            self.methods[ref] = dict(paid_by)
        payment |= {"paid": True, "payment_method": paid_by}
        if method == "bank_card":
            payment["authorization_details"] = SHAPES["authorization_details"]
        if payment["_capture"]:
            await self._tell(webhook, copies, self._take(payment))
        else:
            payment |= {"status": "waiting_for_capture", "expires_at": _time(datetime.now(UTC) + HOLD)}
            await self._tell(webhook, copies, self._notice("payment.waiting_for_capture", payment))

    async def decline(
        self, ref: str, webhook: Webhook = "now", copies: int = 5, *, reason: str = "insufficient_funds"
    ) -> None:
        """Ends the payment: at YooKassa a refused payment is cancelled and cannot be tried again."""
        await self._tell(webhook, copies, self._cancel(ref, reason))

    async def expire(self, ref: str, webhook: Webhook = "now", copies: int = 5) -> None:
        await self.decline(ref, webhook, copies, reason="expired_on_confirmation")

    # What happens to kept cards and to money taken

    def spoil(self, method: str, reason: str | None = "insufficient_funds") -> None:
        """What the bank says from now on to a kept card; None: yes."""
        self.methods[method]["_reason"] = reason

    def revoke(self, method: str) -> None:
        """The player takes the permission back at his bank: the next payment with it is refused."""
        self.spoil(method, "permission_revoked")

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
        """Gives a payment back in the cabinet, what is left of it or a part in hundredths; answers the refund's id.

        `state`: succeeded, pending or canceled; only success is told. A pending one ends by finish_refund().
        """
        left = self._left(self._payment(ref, "succeeded"))
        asked = {"description": "Refund", "metadata": metadata or {}}
        refund, *notices = self._give_back(ref, left if amount is None else amount, asked, state)
        await self._tell(webhook, copies, *notices)
        return str(refund["id"])

    async def finish_refund(self, ref: str, webhook: Webhook = "now", copies: int = 5, *, done: bool = True) -> None:
        """How a pending refund ends."""
        await self._tell(webhook, copies, *self._end_refund(self.refunds[ref], done=done))

    async def stray(
        self,
        amount: int,
        currency: str = "RUB",
        webhook: Webhook = "now",
        metadata: dict[str, str] | None = None,
    ) -> str:
        """Money that no order of the bot asked for; answers the payment's id."""
        asked = {"capture": True, "metadata": metadata or {}}
        payment = self._new({"value": _decimal(amount), "currency": currency}, asked)
        await self.pay(payment["id"], webhook)
        return str(payment["id"])

    def events(self, ref: str) -> list[Raw]:
        """All notifications so far about a payment and its refunds."""
        return self._about({ref, *(refund["id"] for refund in self.refunds.values() if refund["payment_id"] == ref)})

    def newest(self) -> str:
        return list(self.payments)[-1]

    def page(self, ref: str) -> Json | None:
        """What the payment page shows of a payment."""
        if (payment := self.payments.get(ref)) is None:
            return None
        return {
            "status": {"pending": "open", "canceled": "closed"}.get(payment["status"], "paid"),
            "amount": _written(payment["amount"]),
            "description": payment.get("description", ""),
            "problem": payment.get("cancellation_details", {}).get("reason", ""),
            "reasons": [reason for reason in SHAPES["reasons"] if reason not in NOT_BY_BANKS],
            "cards": [
                {"number": number, "brand": card["card_type"], "page": card.get("reason"), "kept": card.get("reason")}
                for number, card in CARDS.items()
            ],
            "keeps": payment["_save"],
            "refunded": _written(payment["refunded_amount"]) if self._given(payment) else "",
            "disputed": "",
            "can": self._possible(payment),
            "back": payment["_return_url"],
        }

    def _possible(self, payment: Json) -> list[str]:
        left = self._left(payment) if payment["status"] == "succeeded" else 0
        return [*(["refund"] if left else []), *(["refund_part"] if left > 1 else [])]

    async def act(self, ref: str, what: str, webhook: Webhook) -> None:
        """One of the things that page() says can be done to a payment."""
        left = self._left(self._payment(ref, "succeeded"))
        await self.refund(ref, left // 2 if what == "refund_part" else left, webhook)

    # How it is done

    def _payment(self, ref: str, *statuses: str) -> Json:
        if (payment := self.payments.get(ref)) is None:
            words = "Payment doesn't exist or incorrect payment ID"
            raise YooKassaError(404, "not_found", words, "payment_id")
        if statuses and payment["status"] not in statuses:
            raise invalid(f"The payment is {payment['status']}", "payment_id")
        return payment

    def _new(self, amount: Json, asked: Json) -> Json:
        ref = re.sub(r"^(.{14}).", r"\g<1>5", str(uuid.uuid4()))
        confirmation = asked.get("confirmation", {})
        payment: Json = {
            "id": ref,
            "status": "pending",
            "amount": amount,
            **{name: asked[name] for name in ("description", "merchant_customer_id") if name in asked},
            "recipient": {"account_id": self.shop, "gateway_id": "100700"},
            "payment_method": {"type": "bank_card", "id": ref, "saved": False, "status": "inactive"},
            "created_at": _time(datetime.now(UTC)),
            "confirmation": {
                **{name: confirmation[name] for name in ("type", "return_url", "enforce") if name in confirmation},
                "confirmation_url": f"{self._page_url()}/yookassa/pay/{ref}",
            },
            "test": True,
            "paid": False,
            "refundable": False,
            "metadata": asked.get("metadata", {}),
            "_capture": asked.get("capture", False),
            "_save": asked.get("save_payment_method", False) is True,
            "_return_url": confirmation.get("return_url", ""),
        }
        self.payments[ref] = payment
        return payment

    def _take(self, payment: Json) -> Notice:
        amount, value = payment["amount"], Decimal(payment["amount"]["value"])
        payment.pop("expires_at", None)
        payment |= {
            "status": "succeeded",
            "captured_at": _time(datetime.now(UTC)),
            "income_amount": {**amount, "value": f"{value * Decimal('0.965'):.2f}"},
            "refunded_amount": {**amount, "value": "0.00"},
            "refundable": True,
        }
        self._taken[amount["currency"]] += int(value * 100)
        return self._notice("payment.succeeded", payment)

    def _cancel(self, ref: str, reason: str) -> Notice:
        payment = self._payment(ref, "pending", "waiting_for_capture")
        self._ended(ref)
        for gone in ("confirmation", "expires_at"):
            payment.pop(gone, None)
        details = {"party": SHAPES["reasons"].get(reason, "payment_network"), "reason": reason}
        payment |= {"status": "canceled", "paid": False, "cancellation_details": details}
        return self._notice("payment.canceled", payment)

    def _given(self, payment: Json) -> int:
        return _minor(payment["refunded_amount"]) if "refunded_amount" in payment else 0

    def _left(self, payment: Json) -> int:
        """What can still be given back; refunds on their way count."""
        waiting = (refund for refund in self.refunds.values() if refund["status"] == "pending")
        held = sum(_minor(refund["amount"]) for refund in waiting if refund["payment_id"] == payment["id"])
        return _minor(payment["amount"]) - self._given(payment) - held

    def _give_back(self, ref: str, amount: int, asked: Json, state: str) -> tuple[Json, *tuple[Notice, ...]]:
        payment = self._payment(ref, "succeeded")
        if not 0 < amount <= self._left(payment):
            raise invalid("The amount is more than what is left of the payment", "amount")
        refund: Json = {
            "id": re.sub(r"^(.{14}).", r"\g<1>5", str(uuid.uuid4())),
            "payment_id": ref,
            "status": "pending",
            "created_at": _time(datetime.now(UTC)),
            "amount": {"value": _decimal(amount), "currency": payment["amount"]["currency"]},
            **{name: asked[name] for name in ("description", "metadata") if asked.get(name)},
        }
        self.refunds[refund["id"]] = refund
        return refund, *(self._end_refund(refund, done=state == "succeeded") if state != "pending" else [])

    def _end_refund(self, refund: Json, *, done: bool) -> list[Notice]:
        if refund["status"] != "pending":
            raise ValueError(f"{refund['id']} is {refund['status']}")
        if not done:
            details = {"party": "refund_network", "reason": "general_decline"}
            refund |= {"status": "canceled", "cancellation_details": details}
            return []
        payment, amount = self.payments[refund["payment_id"]], _minor(refund["amount"])
        refund |= {"status": "succeeded", "refund_authorization_details": {"rrn": "900000000072"}}
        payment["refunded_amount"] = {**payment["amount"], "value": _decimal(self._given(payment) + amount)}
        payment["refundable"] = self._left(payment) > 0
        self._taken[refund["amount"]["currency"]] -= amount
        return [self._notice("refund.succeeded", refund)]

    def _notice(self, event: str, thing: Json) -> Notice:
        # Nothing is signed, the sender is known by address: https://yookassa.ru/developers/using-api/webhooks
        body = {"type": "notification", "event": event, "object": shown(thing)}
        raw = json.dumps(body, ensure_ascii=False).encode()
        return Notice("yookassa", event, thing["id"], raw, lambda body: {})

    # The HTTP side

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v3/payments", self._api(self._create)),
            web.get("/v3/payments", self._api(self._list)),
            web.get("/v3/payments/{id}", self._api(self._retrieve)),
            web.post("/v3/payments/{id}/capture", self._api(self._capture)),
            web.post("/v3/payments/{id}/cancel", self._api(self._cancel_by_shop)),
            web.post("/v3/refunds", self._api(self._create_refund)),
            web.get("/v3/refunds", self._api(self._list_refunds)),
            web.get("/v3/refunds/{id}", self._api(self._retrieve_refund)),
            web.get("/v3/me", self._api(self._me)),
            web.route("*", "/v3/{rest:.*}", self._api(self._unknown)),
        ]

    def _api(self, run: Callable[[web.Request, Json], Json]) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            raw = await request.read()
            try:
                expected = b64encode(f"{self.shop}:{self.key}".encode()).decode()
                if request.headers.get("Authorization") != f"Basic {expected}":
                    words = "Basic authentication failed. Check the shop id and the secret key"
                    raise YooKassaError(401, "invalid_credentials", words)
                body = self._answer(request, raw, run)
            except YooKassaError as error:
                return web.json_response(error.body, status=error.status)
            return web.Response(body=body, content_type="application/json")

        return handle

    def _answer(self, request: web.Request, raw: bytes, run: Callable[[web.Request, Json], Json]) -> bytes:
        """Runs a call, a POST once per key: https://yookassa.ru/developers/using-api/interaction-format#idempotence"""
        key = request.headers.get("Idempotence-Key", "")
        if request.method != "POST":
            return json.dumps(run(request, {}), ensure_ascii=False).encode()
        if not 1 <= len(key) <= 64:
            words = "too long" if key else "missing"
            hint = "Send the value in accordance with the documentation"
            raise invalid(f"Idempotence key is {words}. {hint}", "Idempotence-Key")
        if known := self._answers.get(key):
            if known.asked != (request.path, raw):
                raise invalid("Idempotence key duplicated with different parameters", "Idempotence-Key")
            return known.body
        try:
            params = json.loads(raw or b"{}")
        except ValueError:
            raise invalid("Can't parse the request body as JSON") from None
        if not isinstance(params, dict):
            raise invalid("The request body must be an object")
        body = json.dumps(run(request, params), ensure_ascii=False).encode()
        self._answers[key] = Remembered((request.path, raw), body)
        return body

    def _unknown(self, request: web.Request, params: Json) -> Json:
        raise YooKassaError(404, "not_found", "The sandbox does not know this address")

    def _me(self, request: web.Request, params: Json) -> Json:
        """https://yookassa.ru/developers/api#me_object"""
        known = {"account_id": self.shop, "status": "enabled", "test": True, "fiscalization_enabled": False}
        return {**known, "payment_methods": list(SHAPES["methods"])}

    def _create(self, request: web.Request, params: Json) -> Json:
        """https://yookassa.ru/developers/api#create_payment"""
        amount = self._amount(params)
        self._check_words(params, 128)
        if not self.recurring and (params.get("save_payment_method") or "payment_method_id" in params):
            raise YooKassaError(403, "forbidden", "This store can't make recurring payments. Contact the manager")
        if "payment_method_id" in params:
            return self._pay_with_kept(amount, params)
        confirmation = params.get("confirmation") or {}
        if confirmation.get("type") != "redirect":
            raise invalid("The sandbox confirms by redirect only", "confirmation.type")
        url = urlsplit(str(confirmation.get("return_url", "")))
        if url.scheme not in ("http", "https") or not url.netloc or len(confirmation["return_url"]) > 2048:
            raise invalid("Incorrect return_url", "confirmation.return_url")
        payment = self._new(amount, params)
        self._ends_in(LIFETIME.total_seconds(), payment["id"], self._time_is_up)
        return shown(payment)

    def _check_words(self, params: Json, longest: int) -> None:
        if len(str(params.get("description", ""))) > longest:
            raise invalid("Description is too long", "description")
        metadata = params.get("metadata") or {}
        fits = (isinstance(value, str) and len(key) <= 32 and len(value) <= 512 for key, value in metadata.items())
        if len(metadata) > 16 or not all(fits):
            raise invalid("Metadata has at most 16 keys of 32 characters and strings of 512", "metadata")

    def _pay_with_kept(self, amount: Json, params: Json) -> Json:
        """https://yookassa.ru/developers/payment-acceptance/scenario-extensions/recurring-payments/pay-with-saved"""
        method = self.methods.get(str(params["payment_method_id"]))
        if method is None:
            raise invalid("Payment method doesn't exist or is not saved", "payment_method_id")
        payment = self._new(amount, params)
        del payment["confirmation"]
        payment["payment_method"] = shown(method)
        if reason := method.get("_reason"):
            self._post(self._cancel(payment["id"], reason))
            return shown(payment)
        payment |= {"paid": True, "authorization_details": SHAPES["authorization_details"]}
        if payment["_capture"]:
            self._post(self._take(payment))
        else:
            payment |= {"status": "waiting_for_capture", "expires_at": _time(datetime.now(UTC) + HOLD)}
        return shown(payment)

    def _create_refund(self, request: web.Request, params: Json) -> Json:
        """https://yookassa.ru/developers/api#create_refund"""
        amount = self._amount(params)
        self._check_words(params, 250)
        refund, *notices = self._give_back(str(params.get("payment_id")), _minor(amount), params, self.refund_state)
        self._post(*notices)
        return shown(refund)

    def _retrieve_refund(self, request: web.Request, params: Json) -> Json:
        if (refund := self.refunds.get(request.match_info["id"])) is None:
            raise YooKassaError(404, "not_found", "Refund doesn't exist or incorrect refund ID", "refund_id")
        return shown(refund)

    def _time_is_up(self, ref: str) -> None:
        self._post(self._cancel(ref, "expired_on_confirmation"))

    def _amount(self, params: Json) -> Json:
        amount = params.get("amount")
        if not isinstance(amount, dict):
            raise invalid("Amount is missing", "amount")
        value = str(amount.get("value"))
        if not re.fullmatch(r"\d{1,10}(\.\d{1,2})?", value) or not Decimal(value):
            raise invalid("Incorrect amount value", "amount.value")
        if amount.get("currency") != "RUB":
            raise invalid("The shop does not accept this currency", "amount.currency")
        return {"value": f"{Decimal(value):.2f}", "currency": "RUB"}

    def _retrieve(self, request: web.Request, params: Json) -> Json:
        return shown(self._payment(request.match_info["id"]))

    def _capture(self, request: web.Request, params: Json) -> Json:
        payment = self._payment(request.match_info["id"], "waiting_for_capture")
        if "amount" in params:
            payment["amount"] = self._amount(params)
        self._post(self._take(payment))
        return shown(payment)

    def _cancel_by_shop(self, request: web.Request, params: Json) -> Json:
        payment = self._payment(request.match_info["id"], "waiting_for_capture")
        self._post(self._cancel(payment["id"], "canceled_by_merchant"))
        return shown(payment)

    def _list(self, request: web.Request, params: Json) -> Json:
        return self._listed(request, self.payments)

    def _list_refunds(self, request: web.Request, params: Json) -> Json:
        return self._listed(request, self.refunds)

    def _listed(self, request: web.Request, things: dict[str, Json]) -> Json:
        """https://yookassa.ru/developers/using-api/lists, newest first"""
        asked = request.query
        found = [thing for thing in reversed(things.values()) if _fits(thing, asked.get)]
        if cursor := asked.get("cursor"):
            index = next((index for index, thing in enumerate(found) if thing["id"] == cursor), None)
            if index is None:
                raise invalid("Incorrect cursor", "cursor")
            found = found[index:]
        limit = asked.get("limit", "10")
        if not limit.isdecimal() or not 1 <= int(limit) <= 100:
            raise invalid("Limit must be between 1 and 100", "limit")
        page: Json = {"type": "list", "items": [shown(thing) for thing in found[: int(limit)]]}
        if len(found) > int(limit):
            page["next_cursor"] = found[int(limit)]["id"]
        return page


def _fits(thing: Json, asked: Callable[[str], str | None]) -> bool:
    created = datetime.fromisoformat(thing["created_at"])
    compare: dict[str, Callable[[datetime], bool]] = {
        "gte": created.__ge__, "gt": created.__gt__, "lte": created.__le__, "lt": created.__lt__
    }  # fmt: skip
    for name, passes in compare.items():
        if value := asked(f"created_at.{name}"):
            try:
                if not passes(datetime.fromisoformat(value).astimezone(UTC)):
                    return False
            except ValueError:
                raise invalid("Incorrect date", f"created_at.{name}") from None
    return all(asked(name) in (None, thing.get(name)) for name in ("status", "payment_id"))


def card_number(text: str) -> str:
    """The test card whose number ends so: `…4477`."""
    end = re.sub(r"\D", "", text)
    found = next((number for number in CARDS if end and number.endswith(end)), None)
    if found is None:
        raise ValueError(f"no test card {text}; there are {', '.join('…' + number[-4:] for number in CARDS)}")
    return found


def _method(ref: str, kind: str, number: str, *, saved: bool) -> Json:
    """What a payment was made with; a kept one has the id of its first payment."""
    details = deepcopy(SHAPES["methods"][kind])
    if kind == "bank_card":
        details["title"] = f"Bank card *{number[-4:]}"
        details["card"] |= {"first6": number[:6], "last4": number[-4:], **CARDS[number]}
    return {"type": kind, "id": ref, "saved": saved, "status": "active" if saved else "inactive", **details}


def _written(amount: Json) -> str:
    return f"{Decimal(amount['value']):,.2f} {amount['currency']}"


def _minor(amount: Json) -> int:
    return int(Decimal(amount["value"]) * 100)


def _decimal(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02}"


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
