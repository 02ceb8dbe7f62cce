"""The settings: what is understood, and that everything wrong is told at once, without a secret."""

import re
from ipaddress import ip_network
from pathlib import Path

import pytest
from pydantic import ValidationError

from bot.app import build_programmes
from bot.config import Config, ConfigError, load
from db.models import Language
from db.money import Money
from sandbox import Sandbox
from services.withdrawals import DEFAULT_LIMITS

REAL = {"TELEGRAM_TOKEN": "123456:AAbb-_cc"}
PROVIDERS = {
    "STRIPE_SECRET_KEY": "sk_live_1",
    "STRIPE_WEBHOOK_SECRET": "whsec_new,whsec_old",
    "YOOKASSA_SHOP_ID": "54401",
    "YOOKASSA_SECRET_KEY": "live_key",
}
WEBHOOK = {
    "TELEGRAM_MODE": "webhook",
    "TELEGRAM_WEBHOOK_SECRET": "secret_1",
    "BASE_URL": "https://bot.example.org",
}


def problems(settings: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(settings, None)
    return caught.value.problems


def test_without_settings_everything_is_played_on_this_machine() -> None:
    config = load({}, None)
    assert config.sandbox
    assert config.database_url is None
    assert (config.host, config.port, config.base_url) == ("127.0.0.1", 3000, "http://127.0.0.1:3000")
    assert (config.telegram_mode, config.default_language) == ("polling", Language.RU)
    assert (config.timezone.key, config.postback_currency) == ("Europe/Moscow", "RUB")
    assert config.admin_ids == {900, 901}
    assert config.method_cooling_hours == 0  # nobody plays for a day
    assert config.withdrawal_limits == DEFAULT_LIMITS
    assert ip_network("127.0.0.0/8") in config.yookassa_networks


def test_with_a_token_only_the_official_networks_are_believed() -> None:
    config = load(REAL, None)
    assert not config.sandbox
    assert config.admin_ids == frozenset()
    assert [str(network) for network in config.yookassa_networks] == [
        "185.71.76.0/27",
        "185.71.77.0/27",
        "77.75.153.0/25",
        "77.75.154.128/25",
        "77.75.156.11/32",
        "77.75.156.35/32",
        "2a02:5180::/32",
    ]


def test_every_setting_is_understood() -> None:
    config = load(
        {
            **REAL,
            **PROVIDERS,
            "TELEGRAM_API_URL": "http://127.0.0.1:9100/",
            "ADMIN_IDS": " 900, 901 ",
            "DATABASE_URL": "postgresql://u:p@db/looseline?sslmode=require",
            "DATA_DIR": "/var/lib/looseline",
            "HOST": "0.0.0.0",
            "PORT": "0",
            "TRUSTED_PROXIES": "10.0.0.0/8, 2001:db8::1",
            "DEFAULT_LANGUAGE": "en",
            "TIMEZONE": "Asia/Yekaterinburg",
            "REQUIRED_CHANNEL_ID": "-1001234567890",
            "STRIPE_API_URL": "http://127.0.0.1:9200",
            "YOOKASSA_API_URL": "http://127.0.0.1:9300/v3/",
            "YOOKASSA_NETWORKS": "127.0.0.0/8",
            "YOOKASSA_VAT_CODE": "1",
            "YOOKASSA_TAX_SYSTEM_CODE": "2",
            "YOOKASSA_RECEIPT_EMAIL": "kassa@example.org",
            "CRYPTOCLOUD_API_KEY": "key",
            "CRYPTOCLOUD_SHOP_ID": "shop",
            "CRYPTOCLOUD_SECRET_KEY": "secret",
            "CRYPTOCLOUD_API_URL": "http://127.0.0.1:9400/v2",
            "POSTBACK_TOKEN": "new,old",
            "POSTBACK_SECRET_KEY": "hmac",
            "POSTBACK_CURRENCY": "KZT",
            "POSTBACK_LINK": "https://1w.example/casino?sub1={sub1}&x=1",
            "POSTBACK_ALIASES": "PlayerID = user_id, topup=deposit",
            "CASINOS": "pinup, melbet",
            "PINUP_TITLE": "Pin-Up",
            "PINUP_POSTBACK_TOKEN": "pinup-new,pinup-old",
            "PINUP_POSTBACK_SECRET_KEY": "pinup-hmac",
            "PINUP_POSTBACK_LINK": "https://pinup.example/{sub1}",
            "PINUP_POSTBACK_CURRENCY": "USD",
            "PINUP_POSTBACK_ALIASES": "goal=event",
            "MELBET_POSTBACK_TOKEN": "melbet-door",
            "METRICS_TOKEN": "metrics",
            "ENCRYPTION_KEY": f"{'n' * 32},{'o' * 44}",
            "WITHDRAWAL_LIMITS": "USD:20:5000:5000.50:1000, USDT:1:2:3:4.000001",
            "METHOD_COOLING_HOURS": "72",
        },
        None,
    )
    assert config.telegram_api_url == "http://127.0.0.1:9100"
    assert config.yookassa_api_url == "http://127.0.0.1:9300/v3"
    assert config.admin_ids == {900, 901}
    assert config.data_dir == Path("/var/lib/looseline")
    assert config.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("2001:db8::1/128"))
    assert [secret.get_secret_value() for secret in config.stripe_webhook_secret] == [
        "whsec_new",
        "whsec_old",
    ]
    assert [secret.get_secret_value() for secret in config.postback_token] == ["new", "old"]
    assert config.postback_link == "https://1w.example/casino?sub1={sub1}&x=1"
    assert (config.postback_currency, config.postback_aliases) == ("KZT", {"playerid": "user_id", "topup": "deposit"})
    pinup, melbet = config.casinos["pinup"], config.casinos["melbet"]
    assert (pinup.title, pinup.postback_currency, pinup.postback_aliases) == ("Pin-Up", "USD", {"goal": "event"})
    assert [token.get_secret_value() for token in pinup.postback_token] == ["pinup-new", "pinup-old"]
    assert (melbet.title, melbet.postback_currency, melbet.postback_link) == (None, "RUB", None)
    assert set(config.secrets()) >= {"pinup-old", "pinup-hmac", "melbet-door"}
    assert config.required_channel_id == -1001234567890
    assert config.vault_secrets == ("n" * 32, "o" * 44)
    dollars = config.withdrawal_limits["USD"]
    assert (dollars.minimum, dollars.maximum) == (Money(20_00, "USD"), Money(5_000_00, "USD"))
    assert (dollars.daily, dollars.single_admin) == (Money(5_000_50, "USD"), Money(1_000_00, "USD"))
    assert config.withdrawal_limits["USDT"].single_admin == Money(4_000_001, "USDT")
    assert config.withdrawal_limits["RUB"] == DEFAULT_LIMITS["RUB"]
    assert config.method_cooling_hours == 72
    assert set(config.secrets()) >= {"123456:AAbb-_cc", "sk_live_1", "whsec_old", "hmac", "p", "metrics", "o" * 44}
    assert "sk_live_1" not in repr(config)


@pytest.mark.parametrize(
    ("host", "address"),
    [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]"), ("localhost", "localhost")],
)
def test_the_address_in_links_follows_from_where_we_listen(host: str, address: str) -> None:
    assert load({"HOST": host, "PORT": "8080"}, None).base_url == f"http://{address}:8080"


def test_the_environment_wins_over_the_file_and_empty_is_none(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(
        "\ufeff# settings\nPORT=4000\nTELEGRAM_TOKEN=1:a\nADMIN_IDS=\nPOSTBACK_TOKEN='a-${HOME}'\n", "utf-8"
    )
    with pytest.raises(ConfigError, match=r"^POSTBACK_TOKEN: "):
        load({}, file)
    config = load({"PORT": "5000", "TELEGRAM_TOKEN": "", "POSTBACK_TOKEN": "b"}, file)
    assert (config.port, config.sandbox, config.admin_ids) == (5000, True, frozenset({900, 901}))
    assert load({"PORT": "5000"}, tmp_path / "no-file").port == 5000


def test_a_file_that_cannot_be_read_is_a_problem_and_no_crash(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"PORT=\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        load({}, tmp_path / ".env")


def test_settings_do_not_change_later() -> None:
    with pytest.raises(ValidationError):
        load({}, None).port = 1  # type: ignore[misc]  # the point of it


def test_all_problems_are_told_at_once_one_line_each() -> None:
    told = problems(
        {
            "PORT": "65536",
            "ADMIN_IDS": "1,@admin",
            "TIMEZONE": "Mars/Olympus",
            "DEFAULT_LANGUAGE": "de",
            "TELEGRAM_MODE": "webhok",
            "STRIPE_SECRET_KEY": "sk_test_1",
            "YOOKASSA_VAT_CODE": "22",
        }
    )
    assert [line.split(":")[0] for line in told] == [
        "ADMIN_IDS",
        "DEFAULT_LANGUAGE",
        "PORT",
        "STRIPE_WEBHOOK_SECRET",
        "TELEGRAM_MODE",
        "TIMEZONE",
        "YOOKASSA_RECEIPT_EMAIL",
        "YOOKASSA_VAT_CODE",
    ]
    assert "PORT: '65536' cannot be used, expected a number from 0 to 65535" in told
    assert all("\n" not in line for line in told)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TELEGRAM_TOKEN", "hush"),
        ("TELEGRAM_TOKEN", "12:hush hush"),
        ("TELEGRAM_WEBHOOK_SECRET", "hush!"),
        ("TELEGRAM_API_URL", "http://127.0.0.1:9100/bot1:hush"),
        ("TELEGRAM_API_URL", "ftp://hush"),
        ("TELEGRAM_API_URL", "http://127.0.0.1:hush"),
        ("DATABASE_URL", "mysql://u:hush@db/money"),
        ("DATABASE_URL", "postgresql://u:hush@db:port/money"),
        ("BASE_URL", "https://u:hush@example.org"),
        ("BASE_URL", "https://example.org/?hush"),
        ("STRIPE_SECRET_KEY", "pk_test_hush"),
        ("STRIPE_SECRET_KEY", "sk_test_hush hush"),
        ("STRIPE_API_URL", "http://127.0.0.1:9100/v1/hush"),
        ("YOOKASSA_SHOP_ID", "test_hush"),
        ("YOOKASSA_SECRET_KEY", "ключ hush"),
        ("POSTBACK_TOKEN", "hush/hush"),
        ("YOOKASSA_RECEIPT_EMAIL", "hush"),
        ("ENCRYPTION_KEY", "hush-that-is-too-short"),
        ("ENCRYPTION_KEY", "hush with spaces, however long it may be made"),
    ],
)
def test_what_could_be_a_secret_is_not_repeated(name: str, value: str) -> None:
    told = [line for line in problems({name: value}) if line.startswith(f"{name}:")]
    assert told
    assert "hush" not in "".join(told)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POSTBACK_LINK", "https://1w.example/?sub1=hush"),
        ("POSTBACK_LINK", "https://1w.example/?sub1={sub1}&user={user_hush}"),
        ("POSTBACK_LINK", "https://1w.example/?sub1={sub1} hush"),
        ("POSTBACK_LINK", "ftp://hush/{sub1}"),
        ("POSTBACK_LINK", "hush{sub1}"),
        ("POSTBACK_ALIASES", "hush"),
        ("POSTBACK_ALIASES", "hush=player"),
        ("POSTBACK_ALIASES", "hush=unknown"),
        ("POSTBACK_ALIASES", "=user_id,hush=amount"),
        ("POSTBACK_ALIASES", "hush=user_id,HUSH=amount"),
        ("POSTBACK_CURRENCY", "₽"),
        ("POSTBACK_CURRENCY", "rub"),
    ],
)
def test_a_casinos_settings_must_make_sense(name: str, value: str) -> None:
    (told,) = problems({"POSTBACK_TOKEN": "t", name: value})
    assert told.startswith(f"{name}: ")
    assert "expected" in told
    assert "hush" not in told
    (told,) = problems({"CASINOS": "pinup", "PINUP_POSTBACK_TOKEN": "t", f"PINUP_{name}": value})
    assert told.startswith(f"PINUP_{name}: ")
    assert "hush" not in told


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"CASINOS": "pinup"}, "PINUP_POSTBACK_TOKEN"),
        ({"CASINOS": "pinup", "PINUP_POSTBACK_LINK": "https://x/{sub1}"}, "PINUP_POSTBACK_TOKEN"),
        ({"CASINOS": "pinup", "PINUP_POSTBACK_TOKEN": "a/b"}, "PINUP_POSTBACK_TOKEN"),
        ({"POSTBACK_LINK": "https://x/{sub1}"}, "POSTBACK_TOKEN"),
        ({"CASINOS": "1win", "1WIN_POSTBACK_TOKEN": "t"}, "CASINOS"),
        ({"CASINOS": "Pin-Up"}, "CASINOS"),
        ({"CASINOS": "pinup,pinup", "PINUP_POSTBACK_TOKEN": "t"}, "CASINOS"),
    ],
)
def test_what_is_missing_for_a_casino_is_one_line(settings: dict[str, str], name: str) -> None:
    (told,) = problems(settings)
    assert told.startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WITHDRAWAL_LIMITS", "USD:10:5000:5000"),
        ("WITHDRAWAL_LIMITS", "XYZ:10:5000:5000:1000"),
        ("WITHDRAWAL_LIMITS", "USD:100:10:5000:1000"),
        ("WITHDRAWAL_LIMITS", "USD:-1:10:5000:1000"),
        ("WITHDRAWAL_LIMITS", "USD:10:5000:5000:lots"),
        ("WITHDRAWAL_LIMITS", "USD:10:5000:5000:0.001"),
        ("METHOD_COOLING_HOURS", "-1"),
        ("METHOD_COOLING_HOURS", "a day"),
    ],
)
def test_limits_that_cannot_be_meant_are_refused_and_shown(name: str, value: str) -> None:
    (told,) = problems({name: value})
    assert told.startswith(f"{name}: '{value}' cannot be used, expected ")


def test_without_a_key_of_its_own_the_vault_uses_the_token() -> None:
    assert load(REAL, None).vault_secrets == (REAL["TELEGRAM_TOKEN"],)
    assert load(REAL, None).method_cooling_hours == 24
    assert len(load({}, None).vault_secrets) == 1


@pytest.mark.parametrize("name", ["STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "YOOKASSA_SHOP_ID"])
def test_half_a_provider_is_refused(name: str) -> None:
    settings = {**REAL, **PROVIDERS}
    del settings[name]
    assert [line.split(":")[0] for line in problems(settings)] == [name]


def test_live_keys_need_a_real_bot() -> None:
    assert all(re.search("live key needs a TELEGRAM_TOKEN", line) for line in problems(PROVIDERS))
    load({**REAL, **PROVIDERS}, None)
    load({**PROVIDERS, "STRIPE_SECRET_KEY": "sk_test_1", "YOOKASSA_SECRET_KEY": "test_1"}, None)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"TELEGRAM_WEBHOOK_SECRET": ""}, "TELEGRAM_WEBHOOK_SECRET"),
        ({"BASE_URL": ""}, "BASE_URL"),
        ({"BASE_URL": "http://bot.example.org"}, "BASE_URL"),
        ({"BASE_URL": "https://bot.example.org:3000"}, "BASE_URL"),
    ],
)
def test_webhooks_of_telegram_need_an_address_and_a_secret(change: dict[str, str], name: str) -> None:
    assert [line.split(":")[0] for line in problems({**REAL, **WEBHOOK, **change})] == [name]


def test_a_telegram_on_this_machine_may_call_plain_http() -> None:
    settings = {**REAL, **WEBHOOK, "BASE_URL": "http://127.0.0.1:3000"}
    assert load({**settings, "TELEGRAM_API_URL": "http://127.0.0.1:9100"}, None).telegram_mode == "webhook"
    assert problems({**settings, "TELEGRAM_API_URL": "http://10.0.0.5:9100"})


def test_the_casinos_of_the_settings_become_programmes() -> None:
    casinos = {
        "CASINOS": "pinup,melbet",
        "PINUP_TITLE": "Pin-Up",
        "PINUP_POSTBACK_TOKEN": "p",
        "MELBET_POSTBACK_TOKEN": "m",
    }
    assert build_programmes(load(REAL, None), None) == {}
    found = build_programmes(load({**REAL, **casinos}, None), None)
    assert [(name, one.title, one.tokens) for name, one in found.items()] == [
        ("pinup", "Pin-Up", ["p"]),
        ("melbet", "Melbet", ["m"]),
    ]
    played = build_programmes(load(casinos, None), Sandbox())
    assert played["1win"].tokens == ["sandbox-postback"]
    assert "{sub1}" in (played["1win"].link or "")
    own = {"POSTBACK_TOKEN": "mine", "POSTBACK_SECRET_KEY": "hush", "POSTBACK_CURRENCY": "KZT"}
    real = build_programmes(load(own, None), Sandbox())["1win"]
    assert (real.tokens, real.secret, real.currency, real.link) == (["mine"], "hush", "KZT", None)


def test_the_example_names_every_setting_and_is_valid() -> None:
    text = (Path(__file__).parents[2] / ".env.example").read_text("utf-8")
    named = re.findall(r"^#?([A-Z_]+)=", text, re.MULTILINE)
    assert sorted(named) == sorted(name.upper() for name in Config.model_fields)
    assert load({}, Path(__file__).parents[2] / ".env.example").sandbox
