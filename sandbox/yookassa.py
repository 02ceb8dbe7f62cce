"""YooKassa's payments as far as deposits need them: https://yookassa.ru/developers/api#payment."""

import json
import re
import uuid
from base64 import b64encode
from collections.abc import Callable
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

    # What a payer and the world do

    async def pay(
        self,
        ref: str,
        webhook: Webhook = "now",
        copies: int = 5,
        *,
        method: str = "bank_card",
        amount: int | None = None,
        currency: str | None = None,
        account_id: str | None = None,
        test: bool | None = None,
        metadata: dict[str, str] | None = None,
        after_expiry: bool = False,
    ) -> None:
        """Pays, in full or oddly; `amount` in hundredths. A two-stage payment then waits for its capture."""
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
        paid_by = {
            "type": method,
            "id": ref,
            "saved": False,
            "status": "inactive",
            **SHAPES["methods"][method],
        }
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
        """All notifications so far about a payment."""
        return self._about({ref})

    def newest(self) -> str:
        return list(self.payments)[-1]

    def page(self, ref: str) -> Json | None:
        """What the payment page shows of a payment."""
        if (payment := self.payments.get(ref)) is None:
            return None
        return {
            "status": {"pending": "open", "canceled": "closed"}.get(payment["status"], "paid"),
            "amount": f"{Decimal(payment['amount']['value']):,.2f} {payment['amount']['currency']}",
            "description": payment.get("description", ""),
            "problem": payment.get("cancellation_details", {}).get("reason", ""),
            "reasons": [reason for reason in SHAPES["reasons"] if reason not in NOT_BY_BANKS],
            "card_number": "5555 5555 5555 4477",
            "back": payment["_return_url"],
        }

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

    def _notice(self, event: str, payment: Json) -> Notice:
        # Nothing is signed, the sender is known by address: https://yookassa.ru/developers/using-api/webhooks
        body = {"type": "notification", "event": event, "object": shown(payment)}
        raw = json.dumps(body, ensure_ascii=False).encode()
        return Notice("yookassa", event, payment["id"], raw, lambda body: {})

    # The HTTP side

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v3/payments", self._api(self._create)),
            web.get("/v3/payments", self._api(self._list)),
            web.get("/v3/payments/{id}", self._api(self._retrieve)),
            web.post("/v3/payments/{id}/capture", self._api(self._capture)),
            web.post("/v3/payments/{id}/cancel", self._api(self._cancel_by_shop)),
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
        confirmation = params.get("confirmation") or {}
        if confirmation.get("type") != "redirect":
            raise invalid("The sandbox confirms by redirect only", "confirmation.type")
        url = urlsplit(str(confirmation.get("return_url", "")))
        if url.scheme not in ("http", "https") or not url.netloc or len(confirmation["return_url"]) > 2048:
            raise invalid("Incorrect return_url", "confirmation.return_url")
        if len(str(params.get("description", ""))) > 128:
            raise invalid("Description is too long", "description")
        metadata = params.get("metadata") or {}
        fits = (isinstance(value, str) and len(key) <= 32 and len(value) <= 512 for key, value in metadata.items())
        if len(metadata) > 16 or not all(fits):
            raise invalid("Metadata has at most 16 keys of 32 characters and strings of 512", "metadata")
        payment = self._new(amount, params)
        self._ends_in(LIFETIME.total_seconds(), payment["id"], self._time_is_up)
        return shown(payment)

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
        """https://yookassa.ru/developers/using-api/lists, newest first"""
        asked = request.query
        found = [payment for payment in reversed(self.payments.values()) if _fits(payment, asked.get)]
        if cursor := asked.get("cursor"):
            index = next((index for index, payment in enumerate(found) if payment["id"] == cursor), None)
            if index is None:
                raise invalid("Incorrect cursor", "cursor")
            found = found[index:]
        limit = asked.get("limit", "10")
        if not limit.isdecimal() or not 1 <= int(limit) <= 100:
            raise invalid("Limit must be between 1 and 100", "limit")
        page: Json = {"type": "list", "items": [shown(payment) for payment in found[: int(limit)]]}
        if len(found) > int(limit):
            page["next_cursor"] = found[int(limit)]["id"]
        return page


def _fits(payment: Json, asked: Callable[[str], str | None]) -> bool:
    created = datetime.fromisoformat(payment["created_at"])
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
    return asked("status") in (None, payment["status"])


def _decimal(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02}"


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
