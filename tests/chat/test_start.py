"""The first meeting: age, rules, language, and what stays closed until then."""

import pytest

from sandbox import Sandbox
from tests.chat.people import grown_up


@pytest.mark.parametrize("command", ["/deposit", "/balance", "/history", "/menu", "hello"])
async def test_nothing_about_money_is_shown_before_the_rules_are_accepted(town: Sandbox, command: str) -> None:
    anna = town.person(1001, "Анна", language_code="ru")
    await anna.says(command)
    asked = await anna.sees("Только для тех, кому есть 18")
    for button in ("o:balance:0", "o:deposit:0", "c:stripe:USD:0:", "p:stripe:USD:1000:abcdefgh:0", "h:1:", "k:1"):
        pressed = await anna.taps(button, on=asked)
        assert pressed.text == "Сначала подтвердите возраст и правила."
    assert anna.shown == [asked]
    assert not town.stripe.sessions


async def test_the_rules_are_asked_for_once(town: Sandbox) -> None:
    anna = town.person(1001, "Анна", language_code="ru")
    await anna.says("/start")
    await anna.presses("Правила")
    await anna.sees("Платите своей картой")
    await anna.presses("Мне есть 18")
    await anna.sees("Здравствуйте, Анна!")
    await anna.says("/start again")
    await anna.sees("Здравствуйте, Анна!")
    await anna.says("/balance")
    await anna.sees("Пока пусто")


async def test_a_person_is_addressed_in_telegrams_language_and_may_choose_another(town: Sandbox) -> None:
    ben = town.person(1002, "Ben", language_code="en-GB")
    await ben.says("/start")
    await ben.sees("Only for people of 18 or older")
    await ben.presses("Русский")
    await ben.sees("Только для тех, кому есть 18")
    await ben.presses("English")
    await ben.presses("I am 18 or older")
    await ben.sees("Hello, Ben!")
    await ben.presses("Settings")
    await ben.presses("Русский")
    settings = await ben.sees("Язык: Русский")
    assert "✓ Русский" in settings.labels
    await ben.says("/menu")
    await ben.sees("Главное меню")


async def test_help_and_a_person_are_there_before_the_rules_too(town: Sandbox) -> None:
    anna = town.person(1001, "Анна", language_code="ru")
    await anna.says("/help")
    await anna.sees("Как работают деньги")
    await anna.says("/paysupport")
    await anna.sees("напишите человеку")


async def test_a_name_of_html_and_four_thousand_letters_is_shown_as_it_is_and_cut(town: Sandbox) -> None:
    odd = await grown_up(town, name="<b>&</b>" + "х" * 4000)
    welcome = await odd.sees("Здравствуйте, <b>&</b>ххх")
    assert len(welcome.text) < 400
