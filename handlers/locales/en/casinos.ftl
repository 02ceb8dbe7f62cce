# Casinos: a player's account and what the casino tells of it; and what an admin sees

command-casino = Casinos: events and accounts

button-casino = Casinos
button-casino-register = Register at { $title }
button-casino-events = What the casino told
button-casinos = To casinos
button-casino-odd = Odd events: { $count }
button-casino-strangers = Accounts of nobody
button-casino-all = All events
button-casino-seen = Seen
button-casino-link = It is a player's account…
button-casino-link-sure = Yes, link it
button-casino-of-player = The player's events
button-section-casino = Casino

# For players

casinos = <b>Casinos</b>
casinos-none = No casino is connected now.
casino = <b>{ $title }</b>
casino-not-linked =
    Register with the button below. The link is your own: by it { $title } will tell the bot that the account is yours.

    Registered already, and the bot does not know? Write to us: /paysupport
casino-no-link =
    There is no registration by link now. If you have an account at { $title }, an admin can link it with the bot: /paysupport
casino-linked-account = Your account no. <code>{ $account }</code> was linked with the bot on { $at }.
casino-money = Money at { $title } stays there: it has nothing to do with your balance in the bot.
casino-events = <b>{ $title } told us</b>
casino-events-none = Nothing so far.
casino-event = { $at } · { $kind ->
    [registration] registration
    [deposit] deposit
    [withdrawal] withdrawal
    [win] win
   *[other] something else
}{ $amount ->
    [none] { "" }
   *[other] { " " }<b>{ $amount }</b>
}

casino-registered =
    Welcome! { $title } has told us that you registered.

    I will write here about your deposits, withdrawals and wins at { $title }.
casino-deposit =
    Your deposit of <b>{ $amount }</b> has arrived at { $title }.

    { casino-signals }
casino-deposit-again = Your deposit of <b>{ $amount }</b> has arrived at { $title }.
casino-withdrawal = { $title } reported a withdrawal of <b>{ $amount }</b>.
casino-win = { $title } reported a win of <b>{ $amount }</b>.
casino-linked =
    Your account no. <code>{ $account }</code> at { $title } is linked with the bot.

    { $events ->
        [0] { $title } has told nothing before that.
       *[other] What happened before: deposits { $deposits }, withdrawals { $withdrawals }, wins { $wins }.
    }

    { casino-signals }
casino-signals = { $signals ->
    [open] The “Signals” section is open to you.
    [channel] What is left for the “Signals” section is to join the channel: /signals
   *[deposit] The “Signals” section is closed so far. What it needs: /signals
}

casino-account-taken = This account is player no. { $player }'s already and stays so.
casino-account-known = The player has an account at this casino already: no. { $account }.

# For admins

admin-casinos = <b>Casinos</b>
admin-casino-totals =
    <b>{ $title }</b>
    Links given: { $clicks }, accounts linked: { $accounts }, accounts of nobody: { $strangers }
    Registrations: { $registrations }
admin-casino-sum = { $kind ->
    [deposit] Deposits
    [withdrawal] Withdrawals
   *[win] Wins
}: { $amount } ({ $count } in all)
admin-casino-events = { $scope ->
    [odd] <b>Odd events</b>
    [player] <b>The player's events</b>
    [casino] <b>The casino's events</b>
   *[all] <b>All events</b>
}
admin-casino-events-none = No events.
admin-casino-line = No. { $id } · { $at } · { $title }: { casino-kind }{ $amount } · account { $account } · player { $player }
casino-kind = { $kind ->
    [registration] registration
    [deposit] deposit
    [withdrawal] withdrawal
    [win] win
   *[unknown] something unclear
}
admin-casino-problem = Does not count: { $problem ->
    [said-twice] the same is named twice, differently
    [event-missing] it does not say what happened
    [event-unknown] an unknown event
    [event-contradictory] two different events at once
    [player-missing] it does not say whose account it is
    [player-unreadable] the account's number does not look like one
    [player-unknown] the link's mark is not ours, and no account is named
    [amount-missing] no amount
    [amount-unresolved] a macro that the casino does not know in place of the amount
    [amount-unreadable] the amount does not look like a number
    [amount-ambiguous] the amount can be read in two ways
    [amount-not-positive] the amount is not above zero
    [amount-too-long] the amount has too many digits
    [currency-unreadable] the currency does not look like a code
    [disagrees] it contradicts what the casino told of this operation before; the first report holds
    [bound-elsewhere] the link's mark is one player's, the account is another's already, and stays so
    [second-account] the player of this link has another account at this casino; the new one is not linked
   *[other] { $problem }
}
admin-casino-event =
    <b>Event no. { $id }</b>
    { $title }: { casino-kind } { $amount }
    The casino's words: { $words }
    Account: <code>{ $account }</code>
    The link's mark: <code>{ $click }</code>
    Player: { $player }
    Country: { $country }
    Happened: { $at }
    Received: { $received }, delivery no. { $delivery }
    { $told ->
        [weak] It has no operation number: a repetition is known by account, amount and time.
       *[strong] A repetition is known for certain.
    }
admin-casino-owner = The account is player no. { $player }'s.
admin-casino-said = What came: <code>{ $said }</code>
admin-casino-strangers = <b>Accounts of nobody</b>
admin-casino-strangers-none = There are none.
admin-casino-stranger = { $title } no. <code>{ $account }</code> · events: { $count }, the last on { $at }
admin-casino-link-ask =
    <b>Whose is the account no. <code>{ $account }</code> at { $title }?</b>

    Type a Telegram id, a player's number or an @name. It can be linked once.
admin-casino-link-sure =
    Link the account no. <code>{ $account }</code> at { $title } to player no. { $player }?

    <b>{ $name }</b> · { $username } · Telegram <code>{ $telegram }</code>

    All that the casino told of this account will be the player's. It cannot be undone.
admin-casino-linked = The account no. <code>{ $account }</code> at { $title } is player no. { $player }'s.
admin-casino-account = { $title } no. <code>{ $account }</code>, linked on { $at } ({ $actor })
admin-player-casino = <b>Casinos of player no. { $player }</b>
admin-casino-odd =
    A casino sent something that I do not understand. Not looked at: { $count }.

    It touched neither money nor signals. I will write about further ones after an hour at the earliest.
