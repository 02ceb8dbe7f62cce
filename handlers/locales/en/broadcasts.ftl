# Broadcasts

command-broadcast = A message to many players

button-news-on = ☑ News
button-news-off = ☐ News
button-signal-news-on = ☑ Signals
button-signal-news-off = ☐ Signals
button-no-more-news = No more news
button-broadcast = Send
button-broadcast-button = Add a button
button-broadcast-no-button = Remove the button
button-broadcasts = Broadcasts
button-preview = Preview
button-pause = Pause
button-resume = Resume
button-stop = Stop for good

news-off = You will get no more news. You can have them back in the settings: /settings

admin-broadcast-ask =
    <b>Broadcast</b>

    Send me the whole message: a text, or a photo with a caption; the formatting is kept. Then we choose whom it is for, and look at it.

    It will not reach those who switched off the news, blocked the bot or have not accepted the rules.
admin-broadcast-draft =
    <b>Whom it is for</b>

    Each button changes one condition. Players who meet them now: <b>{ $count }</b>.
    Button under the message: { $label }
admin-audience-language = Language: { $chosen ->
    [ru] Russian
    [en] English
   *[any] any
}
admin-audience-deposited = Deposits, here or in a casino: { $chosen ->
    [yes] yes
    [no] none
   *[any] any
}
admin-audience-inactive = { $count ->
    [0] Last seen: any time
   *[other] Not seen for more than { $count } days
}
admin-audience-linked = Casino account: { $chosen ->
    [yes] linked
    [no] not linked
   *[any] any
}
admin-broadcast-button =
    Send the button in one line: its words, a space and a link that begins with https://

    For example: Match schedule https://example.com/matches
admin-broadcast-sure =
    { $count ->
        [0] Nobody meets these conditions now.
        [one] This is how it looks: the whole message is above. <b>{ $count }</b> player will get it.
       *[other] This is how it looks: the whole message is above. <b>{ $count }</b> players will get it.
    }
admin-broadcast-refused = Telegram does not take this message. Write it anew: /broadcast
admin-broadcast-state = { $state ->
    [sending] under way
    [paused] paused
    [stopped] stopped
   *[done] done
}
admin-broadcast-title = No. { $id }, { admin-broadcast-state }, for { $count }
admin-broadcast-counts =
    Delivered: { $sent }
    Blocked the bot: { $blocked }
    Opted out: { $unwanted }
    Failed: { $failed }
admin-broadcast-progress =
    <b>Broadcast No. { $id }</b>: { admin-broadcast-state }

    { $bar } { $percent } %

    { admin-broadcast-counts }
    Left: { $left }
admin-broadcast-ended =
    <b>Broadcast No. { $id }</b>: { admin-broadcast-state }

    { admin-broadcast-counts }
    Not sent: { $left }

    It took: { $lasted }

broadcast-without-words = Send a text, or a photo with a caption: there is no broadcast without words.
broadcast-too-long = This has { $length } characters, and Telegram takes { $limit } here. Send a shorter one.
label-too-long = The words on the button have at most { $limit } characters. Send shorter ones.
not-a-link = Words and a link in one line are needed: Schedule https://example.com. The link begins with https:// and has at most { $limit } characters.
draft-gone = This draft is not here any more: something else was begun. Begin anew: /broadcast
nobody-to-tell = Nobody meets these conditions. Change them and try again.
