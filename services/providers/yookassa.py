"""YooKassa: payments on its page, notifications without a signature. https://yookassa.ru/developers"""

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_network
from uuid import UUID

import aiohttp
from yookassa.domain.common.locale import Locale
from yookassa.domain.models.cancellation_details import CancellationDetailsReasonCode as Cause
from yookassa.domain.notification.webhook_notification_types import WebhookNotificationType
from yookassa.domain.request.payment_request import PaymentRequest

from db.models import ProviderName
from db.money import CURRENCIES, Money
from services.errors import DeliveryForbidden, DeliveryMalformed, ProviderRejected, ProviderUnknown
from services.providers import (
    Checkout,
    Concern,
    Delivery,
    News,
    Order,
    Payment,
    PaymentState,
    Reason,
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
_NO_SUCH_OBJECT = "no such object"
_BEGINNING_OF_TIME = datetime.fromtimestamp(0, UTC)

# https://yookassa.ru/developers/payment-acceptance/getting-started/payment-process#lifecycle
_STATES = {
    "pending": PaymentState.PENDING,
    # Held, not taken: we ask for money at once, so this is a payment still on its way.
    "waiting_for_capture": PaymentState.PENDING,
    "succeeded": PaymentState.SUCCEEDED,
    "canceled": PaymentState.CANCELLED,
}

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
        body = self._request(order)
        try:
            # Checked by the SDK's model but not sent by it: that one takes amounts through float.
            PaymentRequest(body).validate()
        except (ValueError, TypeError):
            raise ProviderRejected("invalid request") from None
        payment = await self._ask("POST", "/payments", body=body, key=order.id)
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
        if _payment_id(ref) is None:
            return None
        try:
            payment = await self._ask("GET", f"/payments/{ref}")
        except ProviderRejected as refusal:
            if refusal.reason == _NO_SUCH_OBJECT:
                return None
            raise
        status, test = payment.get("status"), payment.get("test")
        shop, amount = nested(payment, "recipient").get("account_id"), payment.get("amount")
        occurred_at = _moment(payment.get("captured_at")) or _moment(payment.get("created_at"))
        currency = amount.get("currency") if isinstance(amount, dict) else None
        if payment.get("id") != ref or not isinstance(status, str) or occurred_at is None:
            raise ProviderUnknown("bad answer")
        if not isinstance(shop, str) or not isinstance(test, bool) or not isinstance(currency, str):
            raise ProviderUnknown("bad answer")
        money = _money(amount)
        if money is None and currency in CURRENCIES:
            raise ProviderUnknown("bad answer")
        # A status we do not know is no end.
        state, reason = _STATES.get(status, PaymentState.PENDING), None
        if state is PaymentState.CANCELLED:
            cause = nested(payment, "cancellation_details").get("reason")
            reason = _REASONS.get(word(cause), Reason.OTHER)
            if cause == Cause.EXPIRED_ON_CONFIRMATION:
                state = PaymentState.EXPIRED
        return Payment(
            provider=self.name,
            order_id=order_id(nested(payment, "metadata").get("operation_id")),
            session_ref=None,
            payment_ref=ref,
            state=state,
            amount=money,
            reason=reason,
            occurred_at=occurred_at,
            ours=shop == self._shop_id and not (test and self._live),
            method=_title(nested(payment, "payment_method").get("title")),
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
        # Notifications have no id of their own; this is what repeats when one is repeated.
        return Verified(
            event_id=f"{event}:{ref}:{status}",
            event_type=event,
            payment_ref=ref if event.startswith("payment.") else None,
            verified_by="address",
            concern=Concern.ASK if event.startswith("payment.") else Concern.NONE,
        )

    def read(self, body: bytes) -> Payment | None:
        """Which payment to fetch. `ours` is False and `amount` None: anybody could have written this."""
        try:
            notification = json_object(body)
        except ValueError:
            return None
        event, subject = notification.get("event"), nested(notification, "object")
        ref, status = _payment_id(subject.get("id")), word(subject.get("status"))
        if not isinstance(event, str) or not event.startswith("payment.") or ref is None:
            return None
        return Payment(
            provider=self.name,
            order_id=None,
            session_ref=None,
            payment_ref=ref,
            state=_STATES.get(status or "", PaymentState.PENDING),
            amount=None,
            reason=None,
            occurred_at=_moment(subject.get("created_at")) or _BEGINNING_OF_TIME,
            ours=False,
            method=None,
        )

    async def look(self, body: bytes) -> list[News]:
        """Asks for the payment that a notification names; nothing else in it is believed."""
        news = self.read(body)
        if news is None or news.payment_ref is None:
            return []
        payment = await self.fetch(news.payment_ref)
        if payment is None:
            return []
        if payment.state is PaymentState.PENDING and news.state is not PaymentState.PENDING:
            raise ProviderUnknown("its answer is behind its news")
        return [payment]

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _request(self, order: Order) -> dict[str, object]:
        amount = {"value": order.amount.plain, "currency": order.amount.currency}
        description = order.description[:128]
        request: dict[str, object] = {
            "amount": amount,
            "capture": True,  # otherwise the money is only held
            "confirmation": {
                "type": "redirect",
                "return_url": order.return_url,
                "locale": Locale.RUSSIAN if order.language == "ru" else Locale.ENGLISH,
            },
            "description": description,
            "metadata": {"operation_id": str(order.id), "player_id": str(order.player_id)},
        }
        if self._receipt is not None:
            item = {
                "description": description,
                "quantity": 1,
                "amount": amount,
                "vat_code": self._receipt.vat_code,
                # Money taken before it is known what it will be spent on:
                # https://yookassa.ru/developers/payment-acceptance/receipts/54fz/parameters-values
                "payment_subject": "payment",
                "payment_mode": "advance",
            }
            receipt: dict[str, object] = {"customer": {"email": self._receipt.email}, "items": [item]}
            if self._receipt.tax_system_code is not None:
                receipt["tax_system_code"] = self._receipt.tax_system_code
            request["receipt"] = receipt
        return request

    async def _ask(
        self, method: str, path: str, *, body: Mapping[str, object] | None = None, key: UUID | None = None
    ) -> Mapping[str, object]:
        """A call, tried up to three times with the same key, in limited time whatever the other side does.

        https://yookassa.ru/developers/using-api/interaction-format
        """
        try:
            async with asyncio.timeout(self._timeout):
                for pause in _PAUSES:
                    try:
                        return await self._try(method, path, body, key)
                    except ProviderUnknown:
                        await asyncio.sleep(pause)
                return await self._try(method, path, body, key)
        except TimeoutError:
            raise ProviderUnknown("timeout") from None

    async def _try(
        self, method: str, path: str, body: Mapping[str, object] | None, key: UUID | None
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
                headers={"Idempotence-Key": str(key)} if key else None,
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
        # https://yookassa.ru/developers/using-api/response-handling/http-codes
        raise ProviderRejected(_NO_SUCH_OBJECT if status == 404 and code == "not_found" else "refused")


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
