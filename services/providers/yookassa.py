"""YooKassa: payments on its page or by a kept card, refunds, notifications without a signature.

https://yookassa.ru/developers
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_network
from urllib.parse import urlencode

import aiohttp
from yookassa.domain.common.locale import Locale
from yookassa.domain.models.cancellation_details import CancellationDetailsReasonCode as Cause
from yookassa.domain.notification.webhook_notification_types import WebhookNotificationType
from yookassa.domain.request.payment_request import PaymentRequest
from yookassa.domain.request.refund_request import RefundRequest

from db.models import ProviderName
from db.money import CURRENCIES, Money
from services.errors import DeliveryForbidden, DeliveryMalformed, ProviderRejected, ProviderUnknown
from services.providers import (
    Card,
    Checkout,
    Concern,
    Delivery,
    Dispute,
    News,
    Order,
    Payment,
    PaymentState,
    Reason,
    Refund,
    RefundOrder,
    RefundState,
    Verified,
    json_object,
    nested,
    order_id,
    payment_link,
    word,
)

logger = logging.getLogger(__name__)

API_URL = "https://api.yookassa.ru/v3"
# https://yookassa.ru/developers/using-api/webhooks#ip. The SDK's own list lags behind in IPv6.
NETWORKS: tuple[IPv4Network | IPv6Network, ...] = tuple(
    ip_network(text)
    for text in (
        "185.71.76.0/27",
        "185.71.77.0/27",
        "77.75.153.0/25",
        "77.75.154.128/25",
        "77.75.156.11",
        "77.75.156.35",
        "2a02:5180::/32",
    )
)

_PAUSES = (0.5, 1.0)  # seconds before the second and the third try of a call
_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_EVENT = re.compile(r"[a-z_]{1,40}\.[a-z_]{1,40}")
_STATUS = re.compile(r"[a-z_]{1,40}")
_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,2})?")
_LAST4 = re.compile(r"[0-9]{4}")
_NUMBER = re.compile(r"[0-9]{1,4}")
_LONGEST_BRAND = 30
_NO_SUCH_OBJECT = "no such object"
_BAD_CARD = "no such card"
_FORBIDDEN = "refused, not permitted"
_BEHIND = "its answer is behind its news"
_ENDS = ("succeeded", "canceled")
# In the metadata of a payment that charge() made: no page stands behind it.
_KEPT = "kept_card"
_PAGE = 100  # the most a list gives at once: https://yookassa.ru/developers/using-api/lists

# https://yookassa.ru/developers/payment-acceptance/getting-started/payment-process#lifecycle
_STATES = {
    "pending": PaymentState.PENDING,
    # Held, not taken: we ask for money at once, so this is a payment still on its way.
    "waiting_for_capture": PaymentState.PENDING,
    "succeeded": PaymentState.SUCCEEDED,
    "canceled": PaymentState.CANCELLED,
}

# https://yookassa.ru/developers/api#refund_object_status
_REFUND_STATES = {
    "pending": RefundState.PENDING,
    "succeeded": RefundState.SUCCEEDED,
    "canceled": RefundState.FAILED,
}

# What a kept method is; the rest are wallets: https://yookassa.ru/developers/api#payment_object_payment_method
_TYPES = {"bank_card": "card", "sbp": "bank_account"}

# https://yookassa.ru/developers/payment-acceptance/after-the-payment/declined-payments; the set is open.
_REASONS = {
    Cause.THREE_D_SECURE_FAILED: Reason.AUTHENTICATION_FAILED,
    Cause.CALL_ISSUER: Reason.CARD_DECLINED,
    Cause.CANCELED_BY_MERCHANT: Reason.CANCELLED_BY_SHOP,
    Cause.CARD_EXPIRED: Reason.CARD_EXPIRED,
    Cause.COUNTRY_FORBIDDEN: Reason.COUNTRY_FORBIDDEN,
    Cause.EXPIRED_ON_CAPTURE: Reason.CANCELLED_BY_SHOP,
    Cause.EXPIRED_ON_CONFIRMATION: Reason.NOT_PAID_IN_TIME,
    Cause.FRAUD_SUSPECTED: Reason.FRAUD_SUSPECTED,
    Cause.GENERAL_DECLINE: Reason.CARD_DECLINED,
    Cause.IDENTIFICATION_REQUIRED: Reason.LIMIT_EXCEEDED,  # the limits of a wallet without identification
    Cause.INSUFFICIENT_FUNDS: Reason.INSUFFICIENT_FUNDS,
    Cause.INTERNAL_TIMEOUT: Reason.BANK_UNAVAILABLE,
    Cause.INVALID_CARD_NUMBER: Reason.WRONG_CARD_DATA,
    Cause.INVALID_CSC: Reason.WRONG_CARD_DATA,
    Cause.ISSUER_UNAVAILABLE: Reason.BANK_UNAVAILABLE,
    Cause.LOAN_APPLICATION_EXPIRED: Reason.NOT_PAID_IN_TIME,
    Cause.PAYMENT_METHOD_LIMIT_EXCEEDED: Reason.LIMIT_EXCEEDED,
    Cause.PAYMENT_METHOD_RESTRICTED: Reason.CARD_DECLINED,
    Cause.PERMISSION_REVOKED: Reason.PERMISSION_REVOKED,
    Cause.REJECTED_BY_TIMEOUT: Reason.BANK_UNAVAILABLE,
}


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a shop under 54-FZ says of a deposit: https://yookassa.ru/developers/payment-acceptance/receipts/basics"""

    email: str
    """Where receipts go; players leave us no address."""
    vat_code: int
    tax_system_code: int | None = None


class YooKassa:
    """Deposits through a YooKassa shop.

    The SDK gives its request model and its constants. Its transport cannot be used: it blocks, has no socket
    timeout, keeps keys in class attributes, retries only 202 and shows a network failure as AttributeError.
    """

    name = ProviderName.YOOKASSA
    label = "YooKassa"
    currencies: tuple[str, ...] = ("RUB",)

    def __init__(
        self,
        shop_id: str,
        secret_key: str,
        api_url: str | None = None,
        networks: Sequence[IPv4Network | IPv6Network] = NETWORKS,
        receipt: Receipt | None = None,
        *,
        timeout: float = 25,
    ) -> None:
        """`api_url`: another server with YooKassa's protocol, to its `/v3`. `timeout`: seconds for a call.

        `networks`: where notifications may come from. `receipt`: for a shop whose receipts YooKassa makes.
        """
        self._shop_id = shop_id
        self._authorization = aiohttp.encode_basic_auth(shop_id, secret_key, "utf-8")
        self._live = secret_key.startswith("live_")
        self._api_url = (api_url or API_URL).rstrip("/")
        self._networks = tuple(networks)
        self._receipt = receipt
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None

    async def create(self, order: Order) -> Checkout:
        """Makes a payment: https://yookassa.ru/developers/api#create_payment

        Its page lives an hour whatever `order.expires_at` says. Raises ProviderRejected, ProviderUnknown.
        """
        confirmation = {
            "type": "redirect",
            "return_url": order.return_url,
            "locale": Locale.RUSSIAN if order.language == "ru" else Locale.ENGLISH,
        }
        body = self._request(order, {"confirmation": confirmation})
        if order.keep_card:
            # https://yookassa.ru/developers/payment-acceptance/scenario-extensions/recurring-payments/save-payment-method
            body["save_payment_method"] = True
        _check(PaymentRequest, body)
        deadline = self._deadline()
        try:
            payment = await self._ask("POST", "/payments", body=body, key=str(order.id), deadline=deadline)
        except ProviderRejected as refusal:
            if refusal.reason != _FORBIDDEN or not order.keep_card:
                raise
            # A shop may keep cards only once its manager allowed it. The player can pay all the same.
            del body["save_payment_method"]
            payment = await self._ask("POST", "/payments", body=body, key=f"alone-{order.id}", deadline=deadline)
        if payment.get("status") == "canceled":
            raise ProviderRejected("canceled")
        ref = _payment_id(payment.get("id"))
        url = payment_link(nested(payment, "confirmation").get("confirmation_url"))
        fits = payment.get("status") == "pending" and _money(payment.get("amount")) == order.amount
        if ref is None or url is None or not fits:
            raise ProviderUnknown("bad answer")
        return Checkout(ref, url)

    async def fetch(self, ref: str) -> Payment | None:
        """https://yookassa.ru/developers/api#get_payment. Raises ProviderRejected, ProviderUnknown."""
        raw = await self._find("/payments", ref)
        if raw is None:
            return None
        return self._named(ref, raw)

    async def customer(self, player_id: int) -> str | None:
        """YooKassa keeps no record of players: a kept card belongs to whoever knows its id."""
        return None

    async def charge(self, order: Order, card_ref: str) -> Payment | None:
        """https://yookassa.ru/developers/payment-acceptance/scenario-extensions/recurring-payments/pay-with-saved

        A card that YooKassa does not know (any more) is a Payment too, CANCELLED for PERMISSION_REVOKED. None: the bank
        wanted to see the player, and that payment is cancelled for good. Raises ProviderRejected, ProviderUnknown.
        """
        if _payment_id(card_ref) is None:
            raise ProviderRejected("invalid request")
        body = self._request(order, {"payment_method_id": card_ref}, **{_KEPT: "yes"})
        _check(PaymentRequest, body)
        try:
            raw = await self._ask("POST", "/payments", body=body, key=f"saved-{order.id}")
        except ProviderRejected as refusal:
            if refusal.reason != _BAD_CARD:
                raise
            return self._refused(order)
        payment = self._payment(raw)
        if payment is None or (payment.amount, payment.order_id) != (order.amount, order.id):
            raise ProviderUnknown("bad answer")
        return None if _wants_owner(payment) else payment

    def _refused(self, order: Order) -> Payment:
        """A payment that was not even made."""
        return Payment(
            provider=self.name,
            order_id=order.id,
            session_ref=None,
            payment_ref=None,
            state=PaymentState.CANCELLED,
            amount=order.amount,
            reason=Reason.PERMISSION_REVOKED,
            occurred_at=datetime.now(UTC),
            ours=True,
            method=None,
        )

    async def forget(self, card_ref: str) -> None:
        """YooKassa has no call for this: a card is forgotten by never naming its id again."""

    async def refund(self, order: RefundOrder) -> Refund:
        """https://yookassa.ru/developers/api#create_refund. Raises ProviderRejected, ProviderUnknown."""
        if _payment_id(order.payment_ref) is None:
            raise ProviderRejected("invalid request")
        body: dict[str, object] = {
            "payment_id": order.payment_ref,
            "amount": _written(order.amount),
            "metadata": {"refund_id": str(order.id)},
        }
        if order.description:
            body["description"] = order.description[:250]
        if self._receipt is not None:
            body["receipt"] = _receipt(self._receipt, order.amount, order.description)
        _check(RefundRequest, body)
        refund = _refund(await self._ask("POST", "/refunds", body=body, key=str(order.id)))
        fits = refund is not None and (refund.payment_ref, refund.amount) == (order.payment_ref, order.amount)
        if refund is None or not fits or refund.request_id not in (None, order.id):
            raise ProviderUnknown("bad answer")
        return replace(refund, request_id=order.id)

    async def fetch_refund(self, ref: str) -> Refund | None:
        """https://yookassa.ru/developers/api#get_refund. Raises ProviderRejected, ProviderUnknown."""
        raw = await self._find("/refunds", ref)
        if raw is None:
            return None
        refund = _refund(raw)
        if refund is None or refund.ref != ref:
            raise ProviderUnknown("bad answer")
        return refund

    async def history(self, since: datetime) -> AsyncIterator[Payment | Refund | Dispute]:
        """https://yookassa.ru/developers/api#get_payments_list and #get_refunds_list, newest first; no disputes there.

        A payment's time there is that of its page. Raises ProviderRejected, ProviderUnknown.
        """
        start = since.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        async for raw in self._list("/payments", {"created_at.gte": start, "status": "succeeded"}):
            payment = self._payment(raw)
            if payment is None:
                raise ProviderUnknown("bad answer")
            if payment.state is PaymentState.SUCCEEDED:
                yield payment
        async for raw in self._list("/refunds", {"created_at.gte": start}):
            refund = _refund(raw)
            if refund is None:
                raise ProviderUnknown("bad answer")
            yield refund

    async def _list(self, path: str, query: Mapping[str, str]) -> AsyncIterator[Mapping[str, object]]:
        """All of a list, a hundred at a time: https://yookassa.ru/developers/using-api/lists"""
        asked = {"limit": str(_PAGE), **query}
        while True:
            answer = await self._ask("GET", f"{path}?{urlencode(asked)}")
            items, cursor = answer.get("items"), answer.get("next_cursor")
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise ProviderUnknown("bad answer")
            for item in items:
                yield item
            if cursor is None:
                return
            if not isinstance(cursor, str) or not cursor or cursor == asked.get("cursor"):
                raise ProviderUnknown("bad answer")
            asked["cursor"] = cursor

    async def _find(self, path: str, ref: str) -> Mapping[str, object] | None:
        if _payment_id(ref) is None:
            return None
        try:
            return await self._ask("GET", f"{path}/{ref}")
        except ProviderRejected as refusal:
            if refusal.reason == _NO_SUCH_OBJECT:
                return None
            raise

    def _named(self, ref: str, raw: Mapping[str, object]) -> Payment:
        payment = self._payment(raw)
        if payment is None or payment.payment_ref != ref:
            raise ProviderUnknown("bad answer")
        return payment

    def _payment(self, payment: Mapping[str, object]) -> Payment | None:
        """https://yookassa.ru/developers/api#payment_object; None: it makes no sense."""
        ref, status, test = _payment_id(payment.get("id")), payment.get("status"), payment.get("test")
        shop, amount = nested(payment, "recipient").get("account_id"), payment.get("amount")
        occurred_at = _moment(payment.get("captured_at")) or _moment(payment.get("created_at"))
        if ref is None or not isinstance(status, str) or occurred_at is None or _hides_amount(amount):
            return None
        if not isinstance(shop, str) or not isinstance(test, bool):
            return None
        # A status we do not know is no end.
        state, reason = _STATES.get(status, PaymentState.PENDING), None
        if state is PaymentState.CANCELLED:
            cause = nested(payment, "cancellation_details").get("reason")
            reason = _REASONS.get(word(cause), Reason.OTHER)
            if cause == Cause.EXPIRED_ON_CONFIRMATION:
                state = PaymentState.EXPIRED
        method = nested(payment, "payment_method")
        return Payment(
            provider=self.name,
            order_id=order_id(nested(payment, "metadata").get("operation_id")),
            session_ref=None,
            payment_ref=ref,
            state=state,
            amount=_money(amount),
            reason=reason,
            occurred_at=occurred_at,
            ours=shop == self._shop_id and not (test and self._live),
            method=_title(method.get("title")),
            card=_card(method) if state is PaymentState.SUCCEEDED else None,
        )

    def verify(self, delivery: Delivery) -> Verified:
        """Lets a notification in by its sender's address; nothing it says about money is proven by that.

        https://yookassa.ru/developers/using-api/webhooks. Raises DeliveryForbidden, DeliveryMalformed.
        """
        remote = delivery.remote
        if isinstance(remote, IPv6Address) and remote.ipv4_mapped is not None:
            remote = remote.ipv4_mapped  # a dual-stack socket tells IPv4 senders this way
        if not any(remote in network for network in self._networks):
            raise DeliveryForbidden("address")
        try:
            notification = json_object(delivery.body)
        except ValueError:
            raise DeliveryMalformed("not a JSON object") from None
        event, subject = notification.get("event"), nested(notification, "object")
        ref, status = _payment_id(subject.get("id")), subject.get("status")
        if notification.get("type") != WebhookNotificationType.NOTIFICATION:
            raise DeliveryMalformed("not a notification")
        if not isinstance(event, str) or not _EVENT.fullmatch(event):
            raise DeliveryMalformed("no event")
        if ref is None or not isinstance(status, str) or not _STATUS.fullmatch(status):
            raise DeliveryMalformed("no object")
        asks = event.startswith(("payment.", "refund."))
        # Notifications have no id of their own; this is what repeats when one is repeated.
        return Verified(
            event_id=f"{event}:{ref}:{status}",
            event_type=event,
            payment_ref=ref if event.startswith("payment.") else _payment_id(subject.get("payment_id")),
            verified_by="address",
            concern=Concern.ASK if asks else Concern.NONE,
        )

    def read(self, body: bytes) -> News | None:
        """Nothing: anybody on YooKassa's network could have written it, so no notification is believed."""
        return None

    async def look(self, body: bytes) -> list[News]:
        """Asks for the payment or refund that a notification names; nothing else in it is believed."""
        try:
            notification = json_object(body)
        except ValueError:
            return []
        event, subject = word(notification.get("event")) or "", nested(notification, "object")
        ref, status = _payment_id(subject.get("id")), word(subject.get("status")) or ""
        if ref is None:
            return []
        if event.startswith("payment."):
            return await self._look_at_payment(ref, ended=status in _ENDS)
        if event.startswith("refund."):
            refund = await self.fetch_refund(ref)
            if refund is not None and refund.state is RefundState.PENDING and status in _ENDS:
                raise ProviderUnknown(_BEHIND)
            return [] if refund is None else [refund]
        return []

    async def _look_at_payment(self, ref: str, *, ended: bool) -> list[News]:
        raw = await self._find("/payments", ref)
        if raw is None:
            return []
        payment = self._named(ref, raw)
        if payment.state is PaymentState.PENDING and ended:
            raise ProviderUnknown(_BEHIND)
        if _KEPT in nested(raw, "metadata") and _wants_owner(payment):
            return []  # charge() said so, and its order goes on with a page
        return [payment]

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _request(self, order: Order, how: Mapping[str, object], **metadata: str) -> dict[str, object]:
        request: dict[str, object] = {
            "amount": _written(order.amount),
            "capture": True,  # otherwise the money is only held
            **how,
            "description": order.description[:128],
            "metadata": {"operation_id": str(order.id), "player_id": str(order.player_id), **metadata},
        }
        if self._receipt is not None:
            request["receipt"] = _receipt(self._receipt, order.amount, order.description)
        return request

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, object] | None = None,
        key: str | None = None,
        deadline: float | None = None,
    ) -> Mapping[str, object]:
        """A call, tried up to three times with the same key, in limited time whatever the other side does.

        `deadline`: of a method that asks more than once. https://yookassa.ru/developers/using-api/interaction-format
        """
        try:
            async with asyncio.timeout_at(deadline or self._deadline()):
                for pause in _PAUSES:
                    try:
                        return await self._try(method, path, body, key)
                    except ProviderUnknown:
                        await asyncio.sleep(pause)
                return await self._try(method, path, body, key)
        except TimeoutError:
            raise ProviderUnknown("timeout") from None

    def _deadline(self) -> float:
        return asyncio.get_running_loop().time() + self._timeout

    async def _try(
        self, method: str, path: str, body: Mapping[str, object] | None, key: str | None
    ) -> Mapping[str, object]:
        if self._session is None:  # not in __init__: a session belongs to a running loop
            self._session = aiohttp.ClientSession(
                headers={"Authorization": self._authorization},
                timeout=aiohttp.ClientTimeout(total=self._timeout * 0.4),
            )
        try:
            async with self._session.request(
                method,
                self._api_url + path,
                json=body,
                headers={"Idempotence-Key": key} if key else None,
                allow_redirects=False,
            ) as response:
                status, raw = response.status, await response.read()
        except (aiohttp.ClientError, OSError) as error:
            raise ProviderUnknown("timeout" if isinstance(error, TimeoutError) else "network") from None
        if status == 429:
            raise ProviderUnknown("too many requests")
        if status >= 500:
            raise ProviderUnknown("server error")
        try:
            answer = json_object(raw)
        except ValueError:
            raise ProviderUnknown("bad answer") from None
        if status == 200:
            return answer
        # 202 (still at work) and whatever a proxy says in YooKassa's place settle nothing.
        if not 400 <= status < 500 or answer.get("type") != "error":
            raise ProviderUnknown("bad answer")
        code, parameter = word(answer.get("code")), word(answer.get("parameter"))
        logger.warning(
            "yookassa refused",
            extra={"status": status, "code": code, "param": parameter, "request": word(answer.get("id"))},
        )
        if parameter == "Idempotence-Key":
            # The key was used with another request, which may well have made a payment.
            raise ProviderUnknown("idempotency conflict")
        if parameter == "payment_method_id":
            raise ProviderRejected(_BAD_CARD)
        # https://yookassa.ru/developers/using-api/response-handling/http-codes
        if status == 404 and code == "not_found":
            raise ProviderRejected(_NO_SUCH_OBJECT)
        raise ProviderRejected(_FORBIDDEN if status == 403 and code == "forbidden" else "refused")


def _check(model: type[PaymentRequest | RefundRequest], body: Mapping[str, object]) -> None:
    """Checked by the SDK's model but not sent by it: that one takes amounts through float."""
    try:
        model(body).validate()
    except (ValueError, TypeError):
        raise ProviderRejected("invalid request") from None


def _receipt(shop: Receipt, amount: Money, description: str) -> dict[str, object]:
    item = {
        "description": description[:128],
        "quantity": 1,
        "amount": _written(amount),
        "vat_code": shop.vat_code,
        # Money taken before it is known what it will be spent on:
        # https://yookassa.ru/developers/payment-acceptance/receipts/54fz/parameters-values
        "payment_subject": "payment",
        "payment_mode": "advance",
    }
    receipt: dict[str, object] = {"customer": {"email": shop.email}, "items": [item]}
    if shop.tax_system_code is not None:
        receipt["tax_system_code"] = shop.tax_system_code
    return receipt


def _refund(refund: Mapping[str, object]) -> Refund | None:
    """https://yookassa.ru/developers/api#refund_object; None: it makes no sense. Only our shop's are shown to us."""
    ref, payment_ref = _payment_id(refund.get("id")), _payment_id(refund.get("payment_id"))
    status, amount, occurred_at = refund.get("status"), refund.get("amount"), _moment(refund.get("created_at"))
    if ref is None or payment_ref is None or not isinstance(status, str) or occurred_at is None:
        return None
    if _hides_amount(amount):
        return None
    return Refund(
        provider=ProviderName.YOOKASSA,
        ref=ref,
        payment_ref=payment_ref,
        request_id=order_id(nested(refund, "metadata").get("refund_id")),
        state=_REFUND_STATES.get(status, RefundState.PENDING),
        amount=_money(amount),
        occurred_at=occurred_at,
        ours=True,
    )


def _card(method: Mapping[str, object]) -> Card | None:
    """https://yookassa.ru/developers/api#payment_object_payment_method; None unless it was kept."""
    ref, kind = _payment_id(method.get("id")), word(method.get("type"))
    if method.get("saved") is not True or ref is None or kind is None:
        return None
    card = nested(method, "card")
    brand, account = word(card.get("card_type")) or kind, method.get("account_number")
    month, year = _number(card.get("expiry_month")), _number(card.get("expiry_year"))
    return Card(
        ref=ref,
        payment_type=_TYPES.get(kind, "wallet"),
        brand=brand if len(brand) <= _LONGEST_BRAND else None,
        last4=_last4(card.get("last4")) or _last4(account[-4:] if isinstance(account, str) else None),
        exp_month=month if month is not None and 1 <= month <= 12 else None,
        exp_year=year if year is not None and 2000 <= year <= 2200 else None,
    )


def _last4(value: object) -> str | None:
    return value if isinstance(value, str) and _LAST4.fullmatch(value) else None


def _number(value: object) -> int | None:
    """`"2034"`, `"07"`."""
    return int(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else None


def _wants_owner(payment: Payment) -> bool:
    """The bank wants the player himself."""
    return payment.state is PaymentState.CANCELLED and payment.reason is Reason.AUTHENTICATION_FAILED


def _written(amount: Money) -> dict[str, str]:
    return {"value": amount.plain, "currency": amount.currency}


def _hides_amount(amount: object) -> bool:
    """No amount, or one in a currency we keep that cannot be read."""
    currency = amount.get("currency") if isinstance(amount, dict) else None
    return not isinstance(currency, str) or (_money(amount) is None and currency in CURRENCIES)


def _payment_id(value: object) -> str | None:
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def _money(value: object) -> Money | None:
    """`{"value": "1500.00", "currency": "RUB"}`, and nothing that merely looks like it."""
    if not isinstance(value, dict):
        return None
    text, currency = value.get("value"), value.get("currency")
    if not isinstance(text, str) or not isinstance(currency, str) or not _DECIMAL.fullmatch(text):
        return None
    try:
        return Money.exact(text, currency)
    except ValueError:
        return None


def _moment(value: object) -> datetime | None:
    """ISO 8601 in UTC: `2026-10-01T10:00:00.201Z`."""
    try:
        parsed = datetime.fromisoformat(value) if isinstance(value, str) else None
        return parsed.astimezone(UTC) if parsed is not None and parsed.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _title(value: object) -> str | None:
    """`Bank card *4477`."""
    return value if isinstance(value, str) and 0 < len(value) <= 100 and value.isprintable() else None
