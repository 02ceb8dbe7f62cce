# Рассылки

command-broadcast = Рассылка игрокам

button-news-on = ☑ Новости
button-news-off = ☐ Новости
button-signal-news-on = ☑ Сигналы
button-signal-news-off = ☐ Сигналы
button-no-more-news = Не присылать новости
button-broadcast = Отправить
button-broadcast-button = Добавить кнопку
button-broadcast-no-button = Убрать кнопку
button-broadcasts = Рассылки
button-preview = Посмотреть
button-pause = Пауза
button-resume = Продолжить
button-stop = Остановить совсем

news-off = Новостей больше не будет. Вернуть их можно в настройках: /settings

admin-broadcast-ask =
    <b>Рассылка</b>

    Пришлите сообщение целиком: текст или фото с подписью, оформление сохранится. Потом выберем, кому, и посмотрим, как оно выглядит.

    Её не получат те, кто отключил новости, заблокировал бота или не принял правила.
admin-broadcast-draft =
    <b>Кому отправить</b>

    Каждая кнопка меняет одно условие. Сейчас под них подходят: <b>{ $count }</b>.
    Кнопка под сообщением: { $label }
admin-audience-language = Язык: { $chosen ->
    [ru] русский
    [en] английский
   *[any] любой
}
admin-audience-deposited = Пополнения, у нас или в казино: { $chosen ->
    [yes] были
    [no] не было
   *[any] неважно
}
admin-audience-inactive = { $count ->
    [0] Заходили: неважно когда
   *[other] Не заходили дольше { $count } дней
}
admin-audience-linked = Счёт в казино: { $chosen ->
    [yes] привязан
    [no] не привязан
   *[any] неважно
}
admin-broadcast-button =
    Пришлите кнопку одной строкой: слова, пробел и ссылка, которая начинается с https://

    Например: Расписание матчей https://example.com/matches
admin-broadcast-sure =
    { $count ->
        [0] Под эти условия сейчас никто не подходит.
        [one] Так её увидят: выше сообщение целиком. Получит <b>{ $count }</b> игрок.
        [few] Так её увидят: выше сообщение целиком. Получат <b>{ $count }</b> игрока.
       *[many] Так её увидят: выше сообщение целиком. Получат <b>{ $count }</b> игроков.
    }
admin-broadcast-refused = Telegram не принимает это сообщение. Напишите его заново: /broadcast
admin-broadcast-state = { $state ->
    [sending] идёт
    [paused] на паузе
    [stopped] остановлена
   *[done] закончена
}
admin-broadcast-title = № { $id }, { admin-broadcast-state }, для { $count }
admin-broadcast-counts =
    Доставлено: { $sent }
    Заблокировали бота: { $blocked }
    Отказались от новостей: { $unwanted }
    Не удалось: { $failed }
admin-broadcast-progress =
    <b>Рассылка № { $id }</b>: { admin-broadcast-state }

    { $bar } { $percent } %

    { admin-broadcast-counts }
    Осталось: { $left }
admin-broadcast-ended =
    <b>Рассылка № { $id }</b>: { admin-broadcast-state }

    { admin-broadcast-counts }
    Не отправлено: { $left }

    Заняло: { $lasted }

broadcast-without-words = Пришлите текст или фото с подписью: без слов рассылки не бывает.
broadcast-too-long = Получилось { $length } знаков, а Telegram принимает здесь { $limit }. Пришлите короче.
label-too-long = Слова на кнопке не длиннее { $limit } знаков. Пришлите короче.
not-a-link = Нужны слова и ссылка в одной строке: Расписание https://example.com. Ссылка с https:// и не длиннее { $limit } знаков.
draft-gone = Этого черновика уже нет: начато что-то другое. Начать заново: /broadcast
nobody-to-tell = Под эти условия никто не подходит. Измените их и попробуйте ещё раз.
