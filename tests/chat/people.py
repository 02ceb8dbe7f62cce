"""What the conversations have in common: somebody who took the rules, and the way to a payment link."""

from sandbox import Message, Person, Sandbox


async def grown_up(town: Sandbox, telegram_id: int = 1001, name: str = "Анна", *, language_code: str = "ru") -> Person:
    """Somebody who confirmed the age and the rules, and stands at the main menu."""
    person = town.person(telegram_id, name, language_code=language_code)
    await person.says("/start")
    await person.sees("18")
    await person.presses("a")
    await person.sees(name[:20])
    return person


async def asks_to_pay(person: Person, provider: str, amount: str) -> Message:
    """From /deposit to the message with the link; the amount is one of the buttons or is typed."""
    await person.says("/deposit")
    await person.presses(provider)
    amounts = await person.sees("Другая сумма")
    if any(label.replace("\u00a0", " ") == amount for label in amounts.labels):
        await person.presses(amount.replace(" ", "\u00a0"))
    else:
        await person.presses("Другая сумма")
        await person.sees("одним числом")
        await person.says(amount)
    return await person.sees("Оплатить")


def plain(text: str) -> str:
    """With ordinary spaces, as tests are typed."""
    return text.replace("\u00a0", " ")
