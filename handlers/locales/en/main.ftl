# Every word people see, in English. The same ids and variables stand in ru/.
# Values arrive finished: amounts and times as strings, names already safe for HTML.

# Common parts

provider = { $provider ->
    [stripe] Stripe
    [yookassa] YooKassa
   *[other] { $provider }
}
reason = { $reason ->
    [insufficient-funds] there was not enough money on the card or account
    [card-expired] the card has expired
    [card-declined] the bank declined the card
    [wrong-card-data] the card details were not right
    [fraud-suspected] the payment looked suspicious to the bank
    [authentication-failed] the payment was not confirmed with the bank
    [limit-exceeded] the limit of the card or wallet is used up
    [not-paid-in-time] the time to pay ran out
    [cancelled-by-shop] the payment was cancelled on our side
    [country-forbidden] cards of this country are not accepted
    [permission-revoked] the permission to pay was withdrawn
    [bank-unavailable] the bank does not answer at the moment
    [provider-unavailable] the payment system did not answer
   *[other] the payment system gave no reason
}
status = { $status ->
    [created] created
    [pending] waiting for payment
    [review] waiting for a decision
    [approved] approved
    [sending] being sent
    [completed] done
    [failed] failed
    [cancelled] cancelled
    [expired] expired
    [unknown] the outcome is being checked
    [proposed] proposed
    [posted] posted
    [declined] declined
    [verified] verified
    [rejected] rejected
    [removed] removed
    [credited] credited to the player
    [sent_back] sent back to the payer
    [closed] closed
    [mended] mended
    [resolved] closed
    [frozen] withdrawals stopped
    [active] withdrawals allowed
    [queued] queued
    [done] processed
    [ignored] let go
    [dead] not yet
    [let_go] let go
    [replayed] put back to work
    [sent] sent
    [open] open
    [won] won
    [lost] lost
    [void] void
    [stopped] stopped
    [held] paused
    [succeeded] done
   *[other] { $status }
}
language-ru = Русский
language-en = English

# Buttons

button-accept = I am 18 or older and accept the rules
button-rules = Rules
button-back = Back
button-menu = Menu
button-balance = Balance
button-deposit = Deposit
button-history = History
button-settings = Settings
button-help = Help
button-other-amount = Other amount
button-cancel = Cancel
button-pay = Pay { $amount }
button-check = Check payment
button-older = Older →
button-newer = ← Newer
button-chosen = ✓ { $label }
button-private = Open the private chat

# Commands in Telegram's menu

command-menu = Main menu
command-balance = Balance
command-deposit = Deposit money
command-history = History of money movements
command-settings = Language and news
command-help = What the bot can do
command-paysupport = A question about a payment

# The beginning

rules-short =
    👋 This is Looseline: it keeps your money for bets and shows the balance and the whole history.

    <b>Only for people of 18 or older.</b> A bet is a risk of losing money: decide for yourself, and never risk what you need to live.

    To go on, confirm your age and the rules. You are asked only once.
rules =
    <b>Rules</b>

    1. You must be 18 or older to use this bot.
    2. A bet is a risk of losing money. Do not bet your last or borrowed money.
    3. A deposit is credited when the payment system has confirmed it. An open payment page is not a payment yet.
    4. Pay with your own card or account, and withdraw to your own.
    5. Records in the history never change and never vanish: a mistake is mended by a new record.
    6. You can ask about a payment at any time: /paysupport.
welcome = Hello, { $name }! Good to see you. What shall I show?
menu =
    <b>Main menu</b>

    Balance, deposits, withdrawals and history are one button away.

# Money

balance = <b>Balance</b>
balance-wallet =
    <b>{ $available }</b> available
    In bets: { $in_bets }
    In withdrawals: { $in_withdrawals }
    Deposited in total: { $deposited }
    Withdrawn in total: { $withdrawn }
balance-empty =
    <b>Balance</b>

    Nothing here yet: there have been no deposits. A wallet opens with the first deposit in its currency.

history = <b>History</b>
history-line =
    <b>{ $amount }</b> · { movement }
    { $at } · balance { $after }
history-line-held =
    <b>{ $amount }</b>, set aside before · { movement }
    { $at } · balance { $after }
history-empty =
    <b>History</b>

    Nothing here yet: no money has moved. Every deposit, bet and withdrawal will appear here.
history-page-empty = There is nothing on this page. Open the history again: /history
movement = { $kind ->
    [deposit] { $provider ->
        [none] deposit
       *[other] deposit via { provider }
    }
    [fee_charged] fee
    [bet_placed] bet accepted
    [bet_won] bet won
    [bet_lost] bet lost
    [bet_cancelled] bet returned
    [withdrawal_hold] withdrawal: money set aside
    [withdrawal_paid] withdrawal paid out
    [withdrawal_release] withdrawal not made: money returned
    [refund] payment refunded
    [chargeback] payment disputed at the bank
    [exchange] currency exchange
    [subscription] subscription
    [bonus_added] bonus
    [adjustment] correction
    [suspense_released] found payment credited
    [reversal] record reversed
   *[other] money moved
}

# Deposits

deposit-providers =
    <b>Deposit</b>

    How would you like to pay?
deposit-none = Deposits are not available now: no payment system is connected. Balance and history are open as usual.
deposit-amounts =
    <b>Deposit via { provider }</b>

    Choose an amount in { $currency } or press “Other amount”. From { $minimum } to { $maximum }.
deposit-type-amount =
    <b>Deposit via { provider }</b>

    Type the amount in { $currency } as one number: 500, 1 000,50 or 19.99. From { $minimum } to { $maximum }.
deposit-creating = Preparing the { provider } link for { $amount }…
deposit-link =
    <b>{ $amount } via { provider }</b>

    The button opens the payment page; the link is valid until { $until }. The money is credited when { provider } confirms the payment, and I will write here then.

    Deposit number: { $id }
deposit-unanswered =
    <b>{ $amount } via { provider }</b>

    { provider } has not answered yet. No money was taken. The link will come here by itself as soon as { provider } answers: there is no need to repeat.

    Deposit number: { $id }
deposit-checking =
    <b>{ $amount } via { provider }</b>

    Checking the payment. If you paid, { provider } will confirm it soon and the money will be credited by itself; I will write here.

    Deposit number: { $id }
deposit-still-pending = { provider } has not confirmed the payment yet. As soon as it does, the money is credited and I will write to you.
deposit-declined = { provider } has not been paid yet: { reason }. The payment page is still open, you can pay another way.
deposit-left =
    All right, we stop here.

    The bot cannot cancel a payment on the payment system's page: if you have paid, or pay by that link while it is valid, the money will be credited.

deposit-link-ready =
    <b>{ $amount } via { provider }</b>

    { provider } has answered: the link is ready. The money is credited when { provider } confirms the payment, and I will write here then.

    Deposit number: { $id }
deposit-credited =
    ✅ <b>{ $amount }</b> credited via { provider }.

    Available: { $balance }
    Deposit number: { $id }
deposit-failed =
    The deposit of <b>{ $amount }</b> via { provider } did not go through: { reason }. Your balance has not changed.

    Deposit number: { $id }
deposit-in-review =
    A payment via { provider } has arrived, but { $received } came where { $amount } was expected. A person will look at it; the money is not lost.

    Deposit number: { $id }
deposit-closed-paid = ✅ { $amount } via { provider }: paid and credited. Deposit number: { $id }
deposit-closed-review = { $amount } via { provider }: a person is looking at the payment. Deposit number: { $id }
deposit-closed-failed = The deposit of { $amount } via { provider } is closed: { reason }. Deposit number: { $id }

# Refusals: what is wrong and what to do

amount-too-small = That is less than possible. Type an amount from { $minimum }.
amount-too-large = That is more than possible at once. Type an amount up to { $maximum }.
amount-too-precise = Too many digits after the decimal point. Type, for example, 1 000,50 or 19.99.
not-an-amount = That does not look like an amount. Type one number, for example 500, 1 000,50 or 19.99.
provider-unavailable = { provider } does not take deposits now. Choose another way: /deposit
provider-refused = { provider } did not accept this payment. No money was taken. Try another amount or another way: /deposit
too-many-open-deposits = You already have { $limit } open payment links. Pay one of them or wait: each lasts an hour.
deposit-not-found = You have no such deposit. All money movements are in the history: /history
rules-not-accepted = First confirm your age and the rules.
player-frozen = Withdrawals are stopped for now. Deposits and history work. Whom to write to: /paysupport
not-found = This is gone, or it is not yours. Open what you need again: /menu
already-decided = This is already decided: { status }.

# When something did not work

temporarily-unavailable = Our database does not answer now. Nothing is lost: money and history are safe. Please try again in a minute.
provider-failed = The payment system does not answer now. No money is lost, we keep checking. Please try again in a minute.
incident = Something went wrong; the error is recorded under the code { $code }. Please try again. If it goes on, name this code in /paysupport.
slow-down = Too fast. Please pause for a few seconds, then I will answer.
stale-button = This button is no longer valid. Open /menu
unknown-command = There is no such command. Here is what there is:
unknown-message = I only understand commands and buttons. Here is what can be opened:
only-private = I only talk about money in the private chat.

# Settings and help

settings =
    <b>Settings</b>

    Language: { $language }

    News are rare messages to all players. About your own money the bot always writes.
help =
    <b>What Looseline can do</b>

    /balance — your money by currency
    /deposit — deposit money
    /withdraw — withdraw money
    /methods — cards you pay with, and where you are paid
    /history — every movement of money, statistics
    /export — a report in a file, monthly statements
    /settings — language
    /paysupport — a question about a payment
    /menu — main menu, leaves any step

    <b>How money works</b>
    You pay on the payment system's page; the bot never sees your card. We credit once the payment system has confirmed it, exactly once and exactly what arrived. Every movement stays in the history.
    For a withdrawal the money is set aside at once, and a person sends it, usually within a day.

    <b>18+. Bets are a risk of losing money</b>
    Decide beforehand how much you can afford to lose, and never borrow for bets. If it is hard to stop, take a break and talk to somebody close to you or to a doctor.

    { support }
paysupport =
    <b>A question about a payment</b>

    If you paid and the money is not on your balance, press “Check payment” under the link: often the confirmation is only late.

    If that does not help, write to a person and send:
    • the number of the deposit or withdrawal, if there is one;
    • the amount, the date and the time of the payment;
    • how you paid: Stripe or YooKassa;
    • the error code, if the bot showed one.
    Never send anybody your card number or the codes from text messages.

    { support }
support = { $admin ->
    [0] The owner of this bot has not said yet whom to write to.
   *[other] A person is here: <a href="tg://user?id={ $admin }">write</a>
}

# For admins

admin-odd-money =
    ⚠️ Money that does not fit its order
    { provider }, payment <code>{ $payment }</code>: { $amount }
    What is wrong: { $problem ->
        [unknown_payment] there is no such order
        [amount_differs] the amount is another one
        [currency_differs] the currency is another one
        [paid_twice] the order was paid a second time
       *[other] { $problem }
    }
    The money is set aside until somebody decides.
admin-dead-delivery =
    ⚠️ A delivery could not be processed
    { provider }, No. { $id }: { $error }
admin-dead-job = ⚠️ The job { $job } failed after many attempts: { $error }. The log has the details.
admin-ledger-head =
    The ledger on { $day }
    Record { $seq }, fingerprint <code>{ $hash }</code>
admin-verify-failed = ⚠️ Checking the books: { $count ->
    [one] { $count } finding
   *[other] { $count } findings
}. Details: python -m bot verify
