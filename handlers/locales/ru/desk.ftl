# Стол администратора: игроки и исправления

command-admin = Рабочий стол: что ждёт решения
command-player = Игрок: деньги, операции, журнал

button-find = Найти другого
button-to-player = К игроку
button-section-operations = Операции
button-section-movements = Движения
button-section-methods = Способы
button-section-audit = Журнал
button-correct = Исправить баланс
button-freeze = Остановить выводы
button-unfreeze = Разрешить выводы
button-confirm-correction = Подтвердить исправление
button-corrections = Исправления ждут: { $count }
button-agree = Согласиться № { $id }
button-decline = Отклонить № { $id }
button-take-back = Отозвать № { $id }

adjustment-posted =
    { $direction ->
        [credit] Исправление: на ваш баланс зачислено <b>{ $amount }</b>.
       *[debit] Исправление: с вашего баланса списано <b>{ $amount }</b>.
    }
    Причина: { $note }

    Доступно: { $balance }
    Если что-то не так, напишите: /paysupport
account-frozen =
    Выводы с вашего счёта сейчас остановлены: нам нужно кое-что проверить. Деньги на месте, пополнение и история работают как обычно.

    { support }
account-unfrozen = Выводы с вашего счёта снова доступны. Спасибо за терпение.

not-a-change = Напишите сумму со знаком: плюс даёт игроку, минус забирает. Например: +50 или -20,50.
more-than-available = У игрока доступно только { $available }: больше списать нельзя.
own-proposal = Это исправление предложили вы. Согласиться должен другой администратор.
proposer-gone = Кто предложил это исправление, больше не администратор. Отклоните его и предложите заново.
reason-needed = Напишите причину: хотя бы слово, но не длиннее { $limit } знаков.
nobody-found = Никого не нашлось. Нужен Telegram id, номер игрока, @имя или номер операции, например #71.

admin-help = <b>Администратору</b>
admin-player-ask =
    <b>Кого найти?</b>

    Напишите Telegram id, номер игрока, @имя или номер операции: 123456789, @anna, #71.
admin-player-several = <b>Кто из них?</b>
admin-player-hit =
    № { $player } · <b>{ $name }</b> · { $username } · Telegram <code>{ $telegram }</code>
    Найден по { $by ->
        [telegram] Telegram id
        [operation] номеру операции
        [username] имени в Telegram
       *[player] номеру игрока
    }
admin-player =
    <b>{ $name }</b> · { $username }
    Игрок № { $player } · Telegram <code>{ $telegram }</code>
    Язык: { $language } · с нами с { $since }
    Правила приняты: { $accepted }
admin-player-blocked = Бот у игрока заблокирован с { $at }
admin-player-frozen = <b>Выводы остановлены</b> с { $at }: { $note }
admin-player-wallet =
    <b>{ $available }</b> доступно · в ставках { $in_bets } · на выводе { $in_withdrawals }
    Всего пополнено { $deposited } · выведено { $withdrawn }
admin-player-no-wallets = Кошельков пока нет.
admin-player-debt = <b>Должен нам { $amount }</b>: платёж возвращён или оспорен
admin-player-count = { $kind ->
    [withdrawal] Выводы
   *[deposit] Пополнения
}, { status }: { $count }
admin-player-operations = <b>Операции игрока № { $player }</b>
admin-player-movements = <b>Движения денег игрока № { $player }</b>
admin-player-methods = <b>Способы игрока № { $player }</b>
admin-player-audit = <b>Журнал игрока № { $player }</b>
admin-player-nothing = Здесь ничего нет.
admin-operation-line =
    № { $id } · { $at } · { $kind ->
        [withdrawal] вывод
       *[deposit] пополнение
    } · <b>{ $amount }</b> · { status }
    { $provider } <code>{ $reference }</code>
admin-operation =
    <b>{ $kind ->
        [withdrawal] Вывод
       *[deposit] Пополнение
    } № { $id }</b>: { $amount }, { status }
    Игрок № { $player } · { $provider }
    Ссылка: <code>{ $reference }</code>
    Платёж: <code>{ $payment }</code>
    Получено: { $received }
    Куда: { $method }
    Создано: { $asked }
    Выполнено: { $completed }
    Причина: { $why }
    Слова игрока: { $comment }
    Слова администратора: { $note }
admin-operation-step = { $at } · { status } · { $actor }
admin-movement = № { $id } · { $at } · { movement } · <b>{ $amount }</b> · отложено { $locked } · доступно { $after }
admin-card = Карта № { $id } · { $provider } · { $brand } •••• { $last4 } · до { $expiry }
admin-destination =
    Вывод № { $id } · { $kind ->
        [iban] счёт IBAN
        [ru_account] счёт в банке
        [card] карта
       *[crypto] криптокошелёк
    } · сеть { $network } · <code>{ $masked }</code>
    { $status ->
        [verified] подтверждён
        [rejected] отклонён
       *[pending] ждёт проверки
    }, можно выводить с { $at }
admin-audit-line = { $at } · { $actor } · { $action }{ $entity }: { $status }{ $amount }{ $details }
admin-freeze-ask =
    <b>Остановить выводы: { $name }</b> · { $username } · № { $player } · <code>{ $telegram }</code>

    Напишите причину. Её увидят администраторы; игроку скажут, что выводы остановлены и кому написать.
admin-unfreeze-ask =
    <b>Разрешить выводы: { $name }</b> · { $username } · № { $player } · <code>{ $telegram }</code>

    Остановлены по причине: { $note }
    Игрок узнает, что выводы снова доступны.
admin-correction-currency = Исправление баланса игрока № { $player }. В какой валюте?
admin-correction-amount =
    <b>Исправление в { $currency }</b>, игрок № { $player }

    Напишите сумму со знаком: +50 даёт игроку, -20,50 забирает.
admin-correction-reason =
    <b>Исправление { $amount }</b>, игрок № { $player }

    Напишите причину. Её увидит игрок: в сообщении и в истории.
admin-correction-sure =
    <b>Исправление { $amount }</b>, игрок № { $player }
    Причина: { $note }

    Доступно сейчас: { $available }, станет: { $after }
    { $admins ->
        [1] Будет проведено сразу, игрок получит сообщение.
       *[other] Сумма выше предела: проведём, когда согласится другой администратор.
    }
admin-correction = Исправление № { $id }: игрок № { $player }, <b>{ $amount }</b>. { $note } · предложил <code>{ $admin }</code>
admin-correction-now =
    <b>Исправление № { $id }: { status }</b>
    Игрок № { $player }, { $amount }
    Причина: { $note }
admin-corrections = <b>Исправления, которые ждут второго администратора</b>
admin-corrections-none = Сейчас ничего не ждёт.
admin-correction-asked =
    ⚠️ Исправление № { $id } ждёт второго администратора
    Игрок № { $player }, <b>{ $amount }</b>
    Причина: { $note }
    Предложил: <code>{ $admin }</code>
admin-correction-answered = Исправление № { $id }, игрок № { $player }, { $amount }: { status }. Решил <code>{ $admin }</code>

not-allowed = Ваша роль ({ $role ->
        [cashier] кассир
        [support] поддержка
        [editor] редактор
       *[owner] владелец
    }) этого не разрешает. Роли раздают владельцы.

# Рабочий стол

button-desk = Рабочий стол
button-counted = { $label }: { $count }
button-desk-withdrawals = Выводы
button-desk-methods = Реквизиты
button-desk-odd = Ничьи деньги
button-desk-debts = Долги
button-desk-corrections = Исправления
button-desk-books = Сверка
button-desk-verify = Проверка книг
button-desk-players = Игроки
button-desk-casino = Казино
button-desk-signals = Сигналы
button-desk-broadcasts = Рассылки
button-desk-statistics = Статистика
button-desk-deliveries = Необработанное
button-desk-messages = Неотправленное
button-desk-health = Состояние
button-desk-staff = Сотрудники
button-house-close = Закрыть бота на обслуживание
button-house-reopen = Открыть бота для игроков
button-refresh = Обновить

admin-desk =
    <b>Рабочий стол</b>

    { $count ->
        [0] Ничего не ждёт решения.
       *[other] Ждут решения: <b>{ $count }</b>
    }
admin-desk-closed = 🔧 Бот закрыт для игроков с { $at }.
admin-close-sure =
    <b>Закрыть бота на обслуживание?</b>

    Игроки увидят просьбу вернуться позже, и ничего другого. Платежи, выводы в пути и уведомления идут своим чередом. Сотрудники работают как обычно.
admin-reopen-sure =
    <b>Открыть бота для игроков?</b>

    Всё снова будет работать сразу. Тем, кто приходил, пока было закрыто, сообщать об этом никто не будет.
maintenance = 🔧 Идут технические работы, бот ненадолго закрыт. Деньги на месте, начатые платежи и выводы идут своим чередом. Загляните чуть позже.

admin-health =
    <b>Состояние</b>

    База данных: отвечает
    Telegram: { $telegram ->
        [ok] отвечает
        [standby] обновления получает другой процесс
        [starting] запускается
       *[unreachable] <b>не отвечает</b>
    }
    Дольше всех ждут: уведомление { $inbox } с, сообщение { $outbox } с, работа { $jobs } с
    Процесс работает { $hours } ч
admin-health-source = { provider }: { $state ->
    [silent] <b>за { $days } дн. ничего не приходило</b>
   *[heard] последнее уведомление { $at }, обработанное { $until }
}
admin-health-books =
    Книги запечатаны { $at }, ждут печати: { $count }
    Проверены { $until }, расхождений: { $findings }
    Работ не удалось за неделю: { $jobs }
