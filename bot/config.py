"""The settings: read once from .env and the environment, checked all together, then unchangeable."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import SplitResult, unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dotenv import dotenv_values
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from db.models import Language
from db.money import InvalidAmount, Money
from services.providers.casino import ALIASED
from services.providers.yookassa import NETWORKS
from services.withdrawals import DEFAULT_LIMITS, WithdrawalLimits

Network = IPv4Network | IPv6Network

FIRST_CASINO = "1win"
"""The casino whose settings stand without a name in front."""

_LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
_TELEGRAM_PORTS = (443, 80, 88, 8443)  # https://core.telegram.org/bots/api#setwebhook


class ConfigError(Exception):
    """The settings cannot be used; one line for each problem, and never a secret in any of them."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def _text(pattern: str, expected: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(expected)
        return value

    return check


def _number(lowest: int, highest: int, expected: str) -> Callable[[str], int]:
    def check(value: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,19}", value) or not lowest <= int(value) <= highest:
            raise ValueError(expected)
        return int(value)

    return check


def _list(value: str) -> tuple[str, ...]:
    return tuple(part for part in re.split(r"[\s,]+", value) if part)


def _ids(value: str) -> frozenset[int]:
    expected = "expected Telegram ids with commas between them, like 123456789,987654321"
    return frozenset(map(_number(1, 2**52, expected), _list(value)))


def _networks(value: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(part) for part in _list(value))
    except ValueError as error:
        raise ValueError(f"expected networks with commas between them, like 10.0.0.0/8,192.168.1.7 ({error})") from None


def _url(*, path: bool) -> Callable[[str], str]:
    expected = "expected http://… or https://… " + ("and no ? or #" if path else "and nothing after the host")

    def check(value: str) -> str:
        address = _split(value)
        if address is None or address.scheme not in {"http", "https"} or address.query or address.fragment:
            raise ValueError(expected)
        if address.username is not None or (address.path.rstrip("/") and not path):
            raise ValueError(expected)
        return value.rstrip("/")

    return check


def _database(value: str) -> SecretStr:
    address = _split(value, host=False)
    if address is None or address.scheme not in {"postgres", "postgresql"}:
        raise ValueError("expected postgresql://user:password@host:5432/database")
    return SecretStr(value)


def _split(value: str, *, host: bool = True) -> SplitResult | None:
    """The parts of an address; None when it is none."""
    try:
        address = urlsplit(value)
        _ = address.port  # looked at only when asked for
    except ValueError:
        return None
    return address if address.hostname or not host else None


def _zone(value: str) -> ZoneInfo:
    try:
        return ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("expected a time zone like Europe/Moscow") from None


def _secret(pattern: str, expected: str) -> Callable[[str], SecretStr]:
    check = _text(pattern, expected)
    return lambda value: SecretStr(check(value))


def _secrets(pattern: str, expected: str) -> Callable[[str], tuple[SecretStr, ...]]:
    check = _secret(pattern, expected)
    return lambda value: tuple(check(part) for part in value.replace(",", " ").split())


def _limits(value: str) -> dict[str, WithdrawalLimits]:
    expected = "expected currency:smallest:largest:in 24 hours:by one admin, like USD:10:5000:5000:1000,RUB:…"
    limits = dict(DEFAULT_LIMITS)
    for part in _list(value):
        currency, *amounts = part.split(":")
        if currency not in limits or len(amounts) != 4:
            raise ValueError(expected)
        try:
            smallest, largest, daily, single = (Money.parse(amount, currency) for amount in amounts)
        except InvalidAmount:
            raise ValueError(expected) from None
        if not smallest <= min(largest, daily):
            raise ValueError(expected)
        limits[currency] = WithdrawalLimits(smallest, largest, daily, single)
    return limits


def _link(value: str) -> str:
    address = _split(value.replace("{sub1}", "sub1"))
    if (
        address is None
        or address.scheme not in {"http", "https"}
        or not re.fullmatch(r"[!-z|~]+", value.replace("{sub1}", ""))
    ):
        raise ValueError("expected http://… or https://… and no other braces than those of {sub1}")
    if "{sub1}" not in value:
        raise ValueError("expected an address with the literal {sub1} in it, where the player's click id goes")
    return value


def _aliases(value: str) -> dict[str, str]:
    pairs = [part.lower().partition("=") for part in value.split(",") if part.strip()]
    aliases = {theirs.strip(): ours.strip() for theirs, _, ours in pairs}
    if "" in aliases or not set(aliases.values()) <= set(ALIASED) or len(aliases) < len(pairs):
        raise ValueError(
            f"expected theirs=ours with commas between them, each of theirs once, ours one of {', '.join(ALIASED)}"
        )
    return aliases


_ANY_SECRET = (r"[!-~]+", "expected a key without spaces, in Latin letters, digits and signs")
_PATH_SECRET = (r"[A-Za-z0-9_-]+", "expected only Latin letters, digits, - and _")

Secret = Annotated[SecretStr, BeforeValidator(_secret(*_ANY_SECRET))]
Address = Annotated[str, BeforeValidator(_url(path=True))]
Host = Annotated[str, BeforeValidator(_url(path=False))]


class CasinoSettings(BaseModel):
    """What a casino's programme needs. 1Win's stand by themselves, others' have the casino's name in front."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=str.upper, arbitrary_types_allowed=True)

    postback_token: Annotated[tuple[SecretStr, ...], BeforeValidator(_secrets(*_PATH_SECRET))] = ()
    postback_secret_key: Secret | None = None
    postback_currency: Annotated[
        str, BeforeValidator(_text(r"[A-Z]{3,5}", "expected a currency of 3 to 5 capital letters, like KZT"))
    ] = "RUB"
    postback_link: Annotated[str | None, BeforeValidator(_link)] = None
    postback_aliases: Annotated[Mapping[str, str], BeforeValidator(_aliases)] = Field(default_factory=dict)


class Casino(CasinoSettings):
    """One more casino, named in CASINOS."""

    title: Annotated[
        str | None, BeforeValidator(_text(r"[^<>&\s][^<>&\n]{0,23}", "expected a name of 1 to 24 letters"))
    ] = None


class Config(CasinoSettings):
    """Every setting under its own name in small letters."""

    telegram_token: Annotated[
        SecretStr | None,
        BeforeValidator(_secret(r"[0-9]+:[A-Za-z0-9_-]+", "expected the token from @BotFather: digits:letters")),
    ] = None
    telegram_api_url: Host | None = None
    telegram_mode: Literal["polling", "webhook"] = "polling"
    telegram_webhook_secret: Annotated[
        SecretStr | None,
        BeforeValidator(_secret(r"[A-Za-z0-9_-]{1,256}", "expected 1 to 256 of A-Z, a-z, 0-9, _ and -")),
    ] = None
    admin_ids: Annotated[frozenset[int], BeforeValidator(_ids)] = frozenset()
    database_url: Annotated[SecretStr | None, BeforeValidator(_database)] = None
    data_dir: Path = Path("data")
    host: Annotated[str, BeforeValidator(_text(r"[^\s/]+", "expected an address to listen on"))] = "127.0.0.1"
    port: Annotated[int, BeforeValidator(_number(0, 65535, "expected a number from 0 to 65535"))] = 3000
    base_url: Address = ""
    trusted_proxies: Annotated[tuple[Network, ...], BeforeValidator(_networks)] = ()
    default_language: Language = Language.RU
    timezone: Annotated[ZoneInfo, BeforeValidator(_zone)] = ZoneInfo("Europe/Moscow")
    required_channel_id: Annotated[
        int | None, BeforeValidator(_number(-(2**52), -1, "expected a channel's id, like -1001234567890"))
    ] = None
    stripe_secret_key: Annotated[
        SecretStr | None,
        BeforeValidator(_secret(r"(?!pk_)[!-~]+", "expected the secret key, sk_…, not the publishable one")),
    ] = None
    stripe_webhook_secret: Annotated[tuple[SecretStr, ...], BeforeValidator(_secrets(*_ANY_SECRET))] = ()
    stripe_api_url: Host | None = None
    yookassa_shop_id: Annotated[str | None, BeforeValidator(_text(r"[0-9]+", "expected the number of the shop"))] = None
    yookassa_secret_key: Secret | None = None
    yookassa_api_url: Address | None = None
    yookassa_networks: Annotated[tuple[Network, ...], BeforeValidator(_networks)] = NETWORKS
    yookassa_vat_code: Annotated[int | None, BeforeValidator(_number(1, 12, "expected a number from 1 to 12"))] = None
    yookassa_tax_system_code: Annotated[int | None, BeforeValidator(_number(1, 6, "expected a number from 1 to 6"))] = (
        None
    )
    yookassa_receipt_email: Annotated[
        str | None, BeforeValidator(_text(r"[^@\s]+@[^@\s]+\.[^@\s]+", "expected an e-mail address"))
    ] = None
    cryptocloud_api_key: Secret | None = None
    cryptocloud_shop_id: str | None = None
    cryptocloud_secret_key: Secret | None = None
    cryptocloud_api_url: Address | None = None
    casinos: Mapping[str, Casino] = Field(default_factory=dict)
    metrics_token: Secret | None = None
    encryption_key: Annotated[
        tuple[SecretStr, ...],
        BeforeValidator(_secrets(r"[!-~]{32,}", "expected 32 or more Latin letters, digits and signs")),
    ] = ()
    withdrawal_limits: Annotated[Mapping[str, WithdrawalLimits], BeforeValidator(_limits)] = DEFAULT_LIMITS
    method_cooling_hours: Annotated[int, BeforeValidator(_number(0, 8760, "expected hours, from 0 to 8760"))] = 24

    @property
    def sandbox(self) -> bool:
        """Without a Telegram token the outside world is played on this machine."""
        return self.telegram_token is None

    @property
    def vault_secrets(self) -> tuple[str, ...]:
        """What payout details are encrypted with. Without ENCRYPTION_KEY the bot's token serves: then it cannot be
        changed without losing them."""
        if self.encryption_key:
            return tuple(key.get_secret_value() for key in self.encryption_key)
        return (
            self.telegram_token.get_secret_value() if self.telegram_token else "sandbox-key-which-protects-nothing",
        )

    def secrets(self) -> Iterator[str]:
        """Every value that must not be seen anywhere."""
        for settings in (self, *self.casinos.values()):
            for _, value in settings:
                for part in value if isinstance(value, tuple) else (value,):
                    if isinstance(part, SecretStr):
                        yield part.get_secret_value()
        if self.database_url and (password := urlsplit(self.database_url.get_secret_value()).password):
            yield unquote(password)


_TOGETHER = (
    {"STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"},
    {"YOOKASSA_SHOP_ID", "YOOKASSA_SECRET_KEY"},
    {"CRYPTOCLOUD_API_KEY", "CRYPTOCLOUD_SHOP_ID", "CRYPTOCLOUD_SECRET_KEY"},
)
# Whose values may be repeated in a complaint. Into any other a key may have been pasted.
_SHOWN = frozenset(
    {
        *("ADMIN_IDS", "CASINOS", "DEFAULT_LANGUAGE", "HOST", "PORT", "POSTBACK_CURRENCY", "TELEGRAM_MODE", "TIMEZONE"),
        *("METHOD_COOLING_HOURS", "WITHDRAWAL_LIMITS"),
        *("REQUIRED_CHANNEL_ID", "TRUSTED_PROXIES", "YOOKASSA_NETWORKS"),
        *("YOOKASSA_TAX_SYSTEM_CODE", "YOOKASSA_VAT_CODE"),
    }
)


def load(environ: Mapping[str, str], env_file: Path | None) -> Config:
    """Reads the settings: the environment wins over the file, an empty value is none. Raises ConfigError."""
    try:
        # Without interpolation: a password may well contain ${…}.
        written = dotenv_values(env_file, interpolate=False, encoding="utf-8-sig") if env_file else {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{env_file} cannot be read: {error}"]) from error

    def read(names: Iterable[str]) -> dict[str, str]:
        values = {name: (environ.get(name, written.get(name)) or "").strip() for name in names}
        return {name: value for name, value in values.items() if value}

    given = read(name.upper() for name in Config.model_fields)
    casinos = _list(given.get("CASINOS", ""))
    fields = [name.upper() for name in Casino.model_fields]
    given |= read(f"{casino.upper()}_{name}" for casino in casinos for name in fields)
    problems = list(_contradictions(given))
    sections = {
        casino: {name: given[key] for name in fields if (key := f"{casino.upper()}_{name}") in given}
        for casino in casinos
    }
    try:
        config = Config.model_validate({**_with_defaults(given), "CASINOS": sections})
    except ValidationError as error:
        for wrong in error.errors():
            # ("PORT",), or ("CASINOS", "pinup", "POSTBACK_TOKEN")
            name = str(wrong["loc"][0]) if len(wrong["loc"]) == 1 else f"{wrong['loc'][1]}_{wrong['loc'][2]}".upper()
            if name in given:
                problems.append(_line(name, given[name], wrong["msg"]))
    if problems:
        raise ConfigError(sorted(problems))
    return config


def _with_defaults(given: Mapping[str, str]) -> dict[str, str]:
    """Adds the two defaults that follow from other settings."""
    host = given.get("HOST", "127.0.0.1")
    # "Everywhere" is no address to go to.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  compared, not listened on
    host = f"[{host}]" if ":" in host else host
    values = {"BASE_URL": f"http://{host}:{given.get('PORT', 3000)}", **given}
    if "TELEGRAM_TOKEN" not in given:
        # The sandbox's admins, nothing to wait for, and notifications that come from this machine.
        values = {
            "ADMIN_IDS": "900,901",
            "METHOD_COOLING_HOURS": "0",
            "YOOKASSA_NETWORKS": ",".join(map(str, (*NETWORKS, *_LOOPBACK))),
            **values,
        }
    return values


def _line(name: str, value: str, problem: str) -> str:
    shown = repr(value[:80]) if name in _SHOWN or name.endswith("_POSTBACK_CURRENCY") else "the value (not shown)"
    problem = problem.removeprefix("Value error, ").replace("Input should be", "expected")
    return f"{name}: {shown} cannot be used, {problem}"


def _contradictions(given: Mapping[str, str]) -> Iterator[str]:
    """What is wrong between settings that may each be right."""
    for names in _TOGETHER:
        for name in sorted(names - given.keys()) if names & given.keys() else ():
            yield f"{name}: missing, it belongs together with {' and '.join(sorted(names & given.keys()))}"
    if "YOOKASSA_VAT_CODE" in given and "YOOKASSA_RECEIPT_EMAIL" not in given:
        yield "YOOKASSA_RECEIPT_EMAIL: missing, receipts (YOOKASSA_VAT_CODE is set) must be sent to somebody"
    for name in ("YOOKASSA_RECEIPT_EMAIL", "YOOKASSA_TAX_SYSTEM_CODE"):
        if name in given and "YOOKASSA_VAT_CODE" not in given:
            yield f"{name}: set, but no receipt is sent without YOOKASSA_VAT_CODE"
    if "TELEGRAM_TOKEN" not in given:
        for name in ("STRIPE_SECRET_KEY", "YOOKASSA_SECRET_KEY"):
            if re.match("(sk_|rk_)?live_", given.get(name, "")):
                yield f"{name}: a live key needs a TELEGRAM_TOKEN, the sandbox takes only test keys"
    yield from _casino_contradictions(given)
    if given.get("TELEGRAM_MODE") == "webhook":
        yield from _webhook_contradictions(given)


def _casino_contradictions(given: Mapping[str, str]) -> Iterator[str]:
    casinos = _list(given.get("CASINOS", ""))
    if not all(re.fullmatch(r"[a-z0-9]{1,20}", name) and name != FIRST_CASINO for name in casinos) or len(
        set(casinos)
    ) < len(casinos):
        yield _line(
            "CASINOS",
            given["CASINOS"],
            f"expected other names than {FIRST_CASINO} with commas between them, each once, of 1 to 20 of a-z and 0-9",
        )
        return
    for name in casinos:
        if f"{name.upper()}_POSTBACK_TOKEN" not in given:
            yield f"{name.upper()}_POSTBACK_TOKEN: missing, CASINOS names {name}"
    if "POSTBACK_LINK" in given and "POSTBACK_TOKEN" not in given:
        yield "POSTBACK_TOKEN: missing, it belongs together with POSTBACK_LINK"


def _webhook_contradictions(given: Mapping[str, str]) -> Iterator[str]:
    if "TELEGRAM_WEBHOOK_SECRET" not in given:
        yield "TELEGRAM_WEBHOOK_SECRET: missing, TELEGRAM_MODE=webhook needs it"
    if "BASE_URL" not in given:
        yield "BASE_URL: missing, TELEGRAM_MODE=webhook needs the public address"
        return
    telegram = _split(given.get("TELEGRAM_API_URL", ""))
    if "TELEGRAM_TOKEN" not in given or (telegram and _is_loopback(telegram.hostname or "")):
        return
    address = _split(given["BASE_URL"])
    if address and (address.scheme != "https" or (address.port or 443) not in _TELEGRAM_PORTS):
        ports = ", ".join(map(str, _TELEGRAM_PORTS))
        yield f"BASE_URL: cannot be called by Telegram, expected an https address on port {ports}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
