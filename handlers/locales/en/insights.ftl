# Statistics for admins: players, money, casinos, cohorts; the morning's summary; alerts

command-stats = Statistics: players, money, casinos

button-insight = { $insight ->
    [money] Money
    [casino] Casino
    [cohorts] Cohorts
   *[overview] Players
}
button-draw = Picture
button-figures = Figures
button-cohort = { $by ->
    [joined] By first message
    [registered] By casino account
    [casino] Deposit at a casino
   *[here] Deposit here
}

admin-insights = <b>Players</b>
admin-insights-counter = { $counter ->
    [users] In total
    [subscribed] In the channel
    [signals] Signals open
   *[deposited] With a casino deposit
}
admin-insights-new = <b>New</b>
admin-insights-active = <b>Wrote to the bot</b>
admin-insights-change = { $days ->
    [1] Today
    [7] 7 days
   *[30] 30 days
}: <b>{ $count }</b> { $direction ->
    [up] ↑
    [down] ↓
   *[same] =
} { $days ->
    [1] yesterday
   *[other] before
} { $before }
admin-insights-alerts = <b>Alerts</b>
admin-insights-alert = { $kind ->
    [silence] { $subject }: not heard since { $at }
    [queue] { $subject ->
        [inbox] Deliveries
        [messages] Messages about money
       *[jobs] Scheduled jobs
    } have waited since { $at }
   *[conversion] { $subject }: deposits fall behind registrations, counted from { $at }
}

admin-insights-money =
    <b>Money</b>
    { $period }
admin-insights-flow = { $kind ->
    [deposit] <b>Deposits</b>
    [withdrawal] <b>Withdrawals</b>
   *[return] <b>Went back</b>
}
admin-insights-provider = { $provider ->
    [manual] By hand
   *[other] { provider }
}
admin-insights-turnover =
    { admin-insights-provider }, { $currency }: { $count } for <b>{ $total }</b>
    on average { $average } · { $succeeded } of { $ended } went through, { $rate }
admin-insights-returned = { $kind ->
    [dispute] Disputes
   *[refund] Refunds
}, { admin-insights-provider }: { $count } for <b>{ $total }</b>
admin-insights-nothing = Nothing happened in this time.

admin-insights-casino =
    <b>Casino</b>
    { $period }
admin-insights-programme = <b>{ $programme }</b>
admin-insights-deposits = Deposits: { $count }, first ones { $first }, repeated { $repeated }
admin-insights-event = { $kind ->
    [registration] Registrations
    [withdrawal] Withdrawals
   *[win] Wins
}: { $count }
admin-insights-sum = · { $total } ({ $count })
admin-insights-unclaimed = Waiting for their player: { $count }
admin-insights-conversion = { $of ->
    [linked] Linked in this time
   *[overall] Linked in total
}: { $registered } → a deposit { $deposited } ({ $rate }) → another { $repeated } ({ $again })

admin-insights-cohorts-name = { $came } · { $paid }
admin-insights-cohorts =
    <b>Cohorts by week</b>
    { $name }

    When the week began, how many players, and how many of a hundred paid in during that week (0) and those after it.
admin-insights-row = <code>{ $row }</code>

# Pictures

admin-picture-steps = How many players, and how far they came
admin-picture-days = By day
admin-picture-new = new
admin-picture-active = wrote to the bot
admin-picture-deposits = deposits
admin-picture-withdrawals = withdrawals
admin-picture-linked = Linked in this time
admin-picture-overall = Linked in total
admin-picture-step = { $step ->
    [registered] Account
    [deposited] Deposit
   *[repeated] Another
}
admin-picture-weeks-after = how many weeks later
admin-picture-nobody = nobody yet

# The summary

admin-summary =
    <b>Summary of { $day }</b>

    New players: { $new } (the day before { $new_before })
    Wrote to the bot: { $active } (the day before { $active_before })

    Deposits: { $deposits }
    Withdrawals: { $withdrawals }
    Casino registrations: { $registrations }
    Casino deposits: { $casino }

    Waiting now: withdrawals { $waiting }, money without an owner { $items }, not processed { $deliveries }, not sent { $messages }
    Open alerts: { $alerts }

# Alerts

admin-source-silent =
    ⚠️ { $source }: not heard since { $since }
    Usually a delivery comes every { $minutes } min.

    What to do: { $casino ->
        [1] check the address of postbacks in the dashboard of the affiliate programme, and see whether /postback/health opens from outside.
       *[0] check the address of notifications and the keys in its dashboard, look at its log of deliveries, see whether /health opens from outside. Meanwhile we ask about waiting payments ourselves.
    }
admin-source-heard = { $source }: heard again since { $at }. It was silent from { $since } on.
admin-queue-stuck =
    ⚠️ { $queue ->
        [inbox] Deliveries have waited to be acted on since { $since }
        [messages] Messages about money have not gone out since { $since }
       *[jobs] Scheduled jobs have waited since { $since }
    }

    What to do: { $queue ->
        [inbox] check whether the payment systems answer, and the log of the process. The deliveries are kept and will be tried again.
        [messages] check whether Telegram answers, and the log of the process. The messages are kept and will go out later.
       *[jobs] check the log of the process: most likely a job ends in an error and is tried again.
    }
admin-conversion-fell =
    ⚠️ { $source }: registrations come, but the share that deposits has more than halved

    A deposit within 3 days of registration was made by { $paid } out of { $bound } who came between 10 and 3 days ago. In the 28 days before them: by { $paid_before } out of { $bound_before }.

    What to do: compare the deposits with the dashboard of the affiliate programme, and check whether postbacks about deposits come in and whether their address is right.
admin-forged =
    ⚠️ A flood of unproven deliveries from { $address }

    Above the limit they are refused, and nothing was taken in. What to do: if it is your provider, check keys, secret and TRUSTED_PROXIES; if not, close the address at the firewall. { $more ->
        [1] There are many such addresses: of the others only the log tells in this hour.
       *[0] One address is told of once an hour at most.
    }
