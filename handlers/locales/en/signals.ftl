# Signals: what opens them, the list, the record; and what an admin sees

command-signals = Signals and their record
command-signal = A new signal

button-signals = Signals
button-step-account = Account at { $title }
button-step-deposit = Deposit at { $title }
button-step-channel = Open the channel
button-check-again = Check again
button-new-signal = New signal
button-all-signals = All signals
button-no-note = No note
button-publish = Publish
button-rewrite = Write it anew
button-withdraw-signal = Withdraw the signal
button-result-won = Won
button-result-lost = Lost
button-result-void = Void

# For players

signals = <b>Signals</b>
signals-none = There have been no signals yet.
signals-closed =
    <b>Signals</b>

    These are our editors' picks: event, pick, odds and start time. Each is published before the start and stays in the record, however it ends.

    The section opens when everything on this list is done:
signals-step-account = { $done ->
    [yes] ✅
   *[no] ⬜
} Your account at { $casino } is linked with the bot
signals-step-deposit = { $done ->
    [yes] ✅
   *[no] ⬜
} { $casino } has reported a deposit
signals-step-channel = { $done ->
    [yes] ✅
   *[no] ⬜
} You are in our channel
signals-unsure = Telegram does not say now whether you are in the channel. Check again a little later.
signal-footer = 18+ · Betting means a risk of losing money

signal-line =
    <b>{ $event }</b>
    { $pick } · odds { $odds }
    Starts: { $starts }{ $note }
    { $state ->
        [open] The event has not started yet
        [started] The event has started, no result yet
        [won] Result: won
        [lost] Result: lost
       *[void] Result: void
    }{ $withdrawn ->
        [yes] {" "}· signal withdrawn
       *[no] {""}
    }
signal-record =
    <b>Record of all signals</b>
    Signals: { $whole_number }, withdrawn: { $whole_withdrawn }, no result yet: { $whole_waiting }
    Won – lost – void: { $whole_won }–{ $whole_lost }–{ $whole_void }
    Average odds: { $whole_odds }
    Yield at the published odds: { $whole_rate ->
        [none] too little data
       *[other] { $whole_rate } %
    }

    <b>Of these in the last 30 days</b>
    Signals: { $recent_number }, withdrawn: { $recent_withdrawn }, no result yet: { $recent_waiting }
    Won – lost – void: { $recent_won }–{ $recent_lost }–{ $recent_void }
    Average odds: { $recent_odds }
    Yield at the published odds: { $recent_rate ->
        [none] too little data
       *[other] { $recent_rate } %
    }

    Past results do not promise future ones.
signal-published =
    <b>Signal</b>

    <b>{ $event }</b>
    { $pick } · odds { $odds }
    Starts: { $starts }{ $note }

    { signal-record }

    { signal-footer }
signal-withdrawn =
    <b>A signal was withdrawn</b>

    <b>{ $event }</b>
    { $pick } · odds { $odds }
    Starts: { $starts }

    It stays in the record.

    { signal-record }

    { signal-footer }
signal-result =
    <b>{ $result ->
        [won] The signal won
        [lost] The signal lost
       *[void] The signal is void
    }</b>

    <b>{ $event }</b>
    { $pick } · odds { $odds }
    Starts: { $starts }

    { signal-record }

    { signal-footer }

# For admins

admin-signals =
    <b>Signals</b>

    Waiting for a result: { $count }, on top.
admin-signal-number = <b>No. { $id }</b>
admin-signal-facts =
    Published by admin { $admin }, { $at }
    Withdrawn: { $withdrawn }
    Sent: { $sent }, waiting to be sent: { $waiting }
admin-signal-event =
    <b>A new signal</b>

    Type the event: who plays whom, in which tournament. Up to 120 characters.
admin-signal-pick = What is the pick? Up to 120 characters. For example: “Over 2.5 goals”.
admin-signal-odds = At what odds? From 1.01 to 1000, up to two digits after the point or comma. For example: 1.85.
admin-signal-start =
    When does it start? Day and time in the time zone { $zone }, where it is { $at } now.

    For example: { $example }. The year may be left out.
admin-signal-note = A note to the signal, up to 250 characters. Players will read it.
admin-signal-preview = This is what players will see. A published signal cannot be changed, a withdrawn one stays in the record.
admin-signal-withdraw-sure = Withdraw this signal? Whoever received it will be told. It does not leave the record.
admin-signal-result-sure = Enter the result “{ $result ->
    [won] won
    [lost] lost
   *[void] void
}”? It cannot be changed afterwards.

banned-wording = Players must not read this from us: “{ $phrase }”. Do not promise winnings, do not hide the risk, do not urge. Put it in other words.
wrong-length = From { $minimum } to { $maximum } characters are needed. Type it again.
bad-odds = Type the odds as a number from 1.01 to 1000, up to two digits after the point. For example: 1.85.
bad-start = { $problem ->
    [passed] That time has passed.
    [far] That is more than a year away.
   *[shape] This could not be read as a time.
} Type day and time of the start ({ $zone }), for example: { $example }.
signal-started = The event has started: the signal is no longer withdrawn, only its result can be entered.
signal-not-started = The event has not started: there cannot be a result yet.
