# Казино: счёт игрока, что о нём сообщает казино; и то, что видит администратор

command-casino = Казино: события и счета

button-casino = Казино
button-casino-register = Регистрация в { $title }
button-casino-events = Что сообщило казино
button-casinos = К казино
button-casino-odd = Непонятные события: { $count }
button-casino-strangers = Ничьи счета
button-casino-all = Все события
button-casino-seen = Просмотрено
button-casino-link = Это счёт игрока…
button-casino-link-sure = Да, связать
button-casino-of-player = События игрока
button-section-casino = Казино

# Игроку

casinos = <b>Казино</b>
casinos-none = Казино сейчас не подключены.
casino = <b>{ $title }</b>
casino-not-linked =
    Зарегистрируйтесь по кнопке ниже. Ссылка личная: по ней { $title } сообщит боту, что счёт ваш.

    Уже зарегистрировались, а бот об этом не знает? Напишите: /paysupport
casino-no-link =
    Регистрации по ссылке сейчас нет. Если у вас есть счёт в { $title }, связать его с ботом может администратор: /paysupport
casino-linked-account = Ваш счёт № <code>{ $account }</code> связан с ботом { $at }.
casino-money = Деньги в { $title } остаются там: с балансом в боте они не связаны.
casino-events = <b>{ $title } сообщил</b>
casino-events-none = Пока ничего.
casino-event = { $at } · { $kind ->
    [registration] регистрация
    [deposit] депозит
    [withdrawal] вывод
    [win] выигрыш
   *[other] другое
}{ $amount ->
    [none] { "" }
   *[other] { " " }<b>{ $amount }</b>
}

casino-registered =
    Добро пожаловать! { $title } сообщил о вашей регистрации.

    О пополнениях, выводах и выигрышах в { $title } я напишу сюда.
casino-deposit =
    Депозит <b>{ $amount }</b> зачислен в { $title }.

    { casino-signals }
casino-deposit-again = Депозит <b>{ $amount }</b> зачислен в { $title }.
casino-withdrawal = { $title } сообщил о выводе <b>{ $amount }</b>.
casino-win = { $title } сообщил о выигрыше <b>{ $amount }</b>.
casino-linked =
    Ваш счёт № <code>{ $account }</code> в { $title } связан с ботом.

    { $events ->
        [0] До этого { $title } ничего о нём не сообщал.
       *[other] Что было раньше: депозитов { $deposits }, выводов { $withdrawals }, выигрышей { $wins }.
    }

    { casino-signals }
casino-signals = { $signals ->
    [open] Доступ к разделу «Сигналы» открыт.
    [channel] Для раздела «Сигналы» осталось вступить в канал: /signals
   *[deposit] Раздел «Сигналы» пока закрыт. Что для него нужно: /signals
}

casino-account-taken = Этот счёт уже связан с игроком № { $player } и остаётся за ним.
casino-account-known = У игрока уже есть счёт в этом казино: № { $account }.

# Администратору

admin-casinos = <b>Казино</b>
admin-casino-totals =
    <b>{ $title }</b>
    Ссылок выдано: { $clicks }, счетов связано: { $accounts }, ничьих счетов: { $strangers }
    Регистраций: { $registrations }
admin-casino-sum = { $kind ->
    [deposit] Депозиты
    [withdrawal] Выводы
   *[win] Выигрыши
}: { $amount } (всего { $count })
admin-casino-events = { $scope ->
    [odd] <b>Непонятные события</b>
    [player] <b>События игрока</b>
    [casino] <b>События казино</b>
   *[all] <b>Все события</b>
}
admin-casino-events-none = Событий нет.
admin-casino-line = № { $id } · { $at } · { $title }: { casino-kind }{ $amount } · счёт { $account } · игрок { $player }
casino-kind = { $kind ->
    [registration] регистрация
    [deposit] депозит
    [withdrawal] вывод
    [win] выигрыш
   *[unknown] непонятное
}
admin-casino-problem = Не считается: { $problem ->
    [said-twice] одно и то же названо дважды по-разному
    [event-missing] не сказано, что произошло
    [event-unknown] незнакомое событие
    [event-contradictory] два разных события сразу
    [player-missing] не сказано, чей счёт
    [player-unreadable] номер счёта не похож на номер
    [player-unknown] метка ссылки не наша, а счёт не назван
    [amount-missing] нет суммы
    [amount-unresolved] вместо суммы макрос, который казино не знает
    [amount-unreadable] сумма не похожа на число
    [amount-ambiguous] сумму можно прочесть по-разному
    [amount-not-positive] сумма не больше нуля
    [amount-too-long] в сумме слишком много цифр
    [currency-unreadable] валюта не похожа на код
    [disagrees] спорит с тем, что казино уже сообщило об этой операции; в силе первое сообщение
    [bound-elsewhere] метка ссылки одного игрока, а счёт уже связан с другим; счёт остался за прежним
    [second-account] у игрока этой ссылки уже есть другой счёт в этом казино; новый не связан
   *[other] { $problem }
}
admin-casino-event =
    <b>Событие № { $id }</b>
    { $title }: { casino-kind } { $amount }
    Слова казино: { $words }
    Счёт: <code>{ $account }</code>
    Метка ссылки: <code>{ $click }</code>
    Игрок: { $player }
    Страна: { $country }
    Произошло: { $at }
    Получено: { $received }, доставка № { $delivery }
    { $told ->
        [weak] Номера операции нет: повтор узнаётся по счёту, сумме и времени.
       *[strong] Повтор узнаётся точно.
    }
admin-casino-owner = Счёт связан с игроком № { $player }.
admin-casino-said = Что пришло: <code>{ $said }</code>
admin-casino-strangers = <b>Ничьи счета</b>
admin-casino-strangers-none = Таких нет.
admin-casino-stranger = { $title } № <code>{ $account }</code> · событий: { $count }, последнее { $at }
admin-casino-link-ask =
    <b>Чей счёт { $title } № <code>{ $account }</code>?</b>

    Напишите Telegram id, номер игрока или @имя. Связать можно один раз.
admin-casino-link-sure =
    Связать счёт { $title } № <code>{ $account }</code> с игроком № { $player }?

    <b>{ $name }</b> · { $username } · Telegram <code>{ $telegram }</code>

    Всё, что казино сообщило об этом счёте, станет его. Отменить нельзя.
admin-casino-linked = Счёт { $title } № <code>{ $account }</code> связан с игроком № { $player }.
admin-casino-account = { $title } № <code>{ $account }</code>, связан { $at } ({ $actor })
admin-player-casino = <b>Казино игрока № { $player }</b>
admin-casino-odd =
    Казино прислало то, чего я не понимаю. Не просмотрено: { $count }.

    Деньги и сигналы это не затронуло. О следующих таких событиях я напишу не раньше чем через час.
