# Статистика для администраторов: игроки, деньги, казино, когорты; утренняя сводка; тревоги

command-stats = Статистика: игроки, деньги, казино

button-insight = { $insight ->
    [money] Деньги
    [casino] Казино
    [cohorts] Когорты
   *[overview] Игроки
}
button-draw = Картинка
button-figures = Цифры
button-cohort = { $by ->
    [joined] По первому сообщению
    [registered] По аккаунту в казино
    [casino] Депозит в казино
   *[here] Пополнение здесь
}

admin-insights = <b>Игроки</b>
admin-insights-counter = { $counter ->
    [users] Всего
    [subscribed] В канале
    [signals] Сигналы открыты
   *[deposited] С депозитом в казино
}
admin-insights-new = <b>Новые</b>
admin-insights-active = <b>Писали боту</b>
admin-insights-change = { $days ->
    [1] Сегодня
    [7] 7 дней
   *[30] 30 дней
}: <b>{ $count }</b> { $direction ->
    [up] ↑
    [down] ↓
   *[same] =
} { $days ->
    [1] вчера
   *[other] до этого
} { $before }
admin-insights-alerts = <b>Тревоги</b>
admin-insights-alert = { $kind ->
    [silence] { $subject }: не слышно с { $at }
    [queue] { $subject ->
        [inbox] Доставки
        [messages] Сообщения о деньгах
       *[jobs] Работы по расписанию
    } ждут с { $at }
   *[conversion] { $subject }: депозиты отстают от регистраций, считая с { $at }
}

admin-insights-money =
    <b>Деньги</b>
    { $period }
admin-insights-flow = { $kind ->
    [deposit] <b>Пополнения</b>
    [withdrawal] <b>Выводы</b>
   *[return] <b>Ушло назад</b>
}
admin-insights-provider = { $provider ->
    [manual] Вручную
   *[other] { provider }
}
admin-insights-turnover =
    { admin-insights-provider }, { $currency }: { $count } на <b>{ $total }</b>
    в среднем { $average } · прошло { $succeeded } из { $ended }, { $rate }
admin-insights-returned = { $kind ->
    [dispute] Споры
   *[refund] Возвраты
}, { admin-insights-provider }: { $count } на <b>{ $total }</b>
admin-insights-nothing = За это время ничего не было.

admin-insights-casino =
    <b>Казино</b>
    { $period }
admin-insights-programme = <b>{ $programme }</b>
admin-insights-deposits = Депозиты: { $count }, первых { $first }, повторных { $repeated }
admin-insights-event = { $kind ->
    [registration] Регистрации
    [withdrawal] Выводы
   *[win] Выигрыши
}: { $count }
admin-insights-sum = · { $total } ({ $count })
admin-insights-unclaimed = Ждут своего игрока: { $count }
admin-insights-conversion = { $of ->
    [linked] Привязаны за это время
   *[overall] Привязаны всего
}: { $registered } → депозит { $deposited } ({ $rate }) → ещё один { $repeated } ({ $again })

admin-insights-cohorts-name = { $came } · { $paid }
admin-insights-cohorts =
    <b>Когорты по неделям</b>
    { $name }

    Начало недели, сколько игроков и сколько из ста внесли деньги в ту же неделю (0) и в следующие.
admin-insights-row = <code>{ $row }</code>

# Картинки

admin-picture-steps = Сколько игроков и как далеко дошли
admin-picture-days = По дням
admin-picture-new = новые
admin-picture-active = писали боту
admin-picture-deposits = пополнения
admin-picture-withdrawals = выводы
admin-picture-linked = Привязаны за это время
admin-picture-overall = Привязаны всего
admin-picture-step = { $step ->
    [registered] Аккаунт
    [deposited] Депозит
   *[repeated] Ещё депозит
}
admin-picture-weeks-after = сколько недель спустя
admin-picture-nobody = пока никого

# Сводка

admin-summary =
    <b>Итоги за { $day }</b>

    Новых игроков: { $new } (накануне { $new_before })
    Писали боту: { $active } (накануне { $active_before })

    Пополнения: { $deposits }
    Выводы: { $withdrawals }
    Регистрации в казино: { $registrations }
    Депозиты в казино: { $casino }

    Ждут сейчас: выводы { $waiting }, деньги без хозяина { $items }, необработанное { $deliveries }, неотправленное { $messages }
    Открытых тревог: { $alerts }

# Тревоги

admin-source-silent =
    ⚠️ { $source }: не слышно с { $since }
    Обычно доставка приходит раз в { $minutes } мин.

    Что сделать: { $casino ->
        [1] проверьте в кабинете партнёрской программы адрес постбеков и посмотрите, открывается ли /postback/health снаружи.
       *[0] проверьте в кабинете адрес уведомлений и ключи, откройте его журнал доставок, посмотрите, открывается ли /health снаружи. Об ожидающих платежах мы тем временем спрашиваем сами.
    }
admin-source-heard = { $source }: снова слышно с { $at }. Молчание длилось с { $since }.
admin-queue-stuck =
    ⚠️ { $queue ->
        [inbox] Доставки ждут обработки с { $since }
        [messages] Сообщения о деньгах не уходят с { $since }
       *[jobs] Работы по расписанию ждут с { $since }
    }

    Что сделать: { $queue ->
        [inbox] проверьте, отвечают ли платёжные системы, и журнал процесса. Доставки сохранены и будут повторены.
        [messages] проверьте, отвечает ли Telegram, и журнал процесса. Сообщения сохранены и уйдут позже.
       *[jobs] проверьте журнал процесса: работа, скорее всего, заканчивается ошибкой и повторяется.
    }
admin-conversion-fell =
    ⚠️ { $source }: регистрации есть, а доля депозитов упала больше чем вдвое

    Депозит за 3 дня после регистрации сделали { $paid } из { $bound }, кто пришёл от 10 до 3 дней назад. За 28 дней до них: { $paid_before } из { $bound_before }.

    Что сделать: сверьте депозиты с кабинетом партнёрской программы и проверьте, приходят ли постбеки о депозитах и верен ли их адрес.
admin-forged =
    ⚠️ Поток неподтверждённых доставок с { $address }

    Сверх предела им отвечают отказом, ничего не принято. Что сделать: если это ваш провайдер, проверьте ключи, секрет и TRUSTED_PROXIES; если нет, закройте адрес на брандмауэре. { $more ->
        [1] Таких адресов много: об остальных за этот час скажет только журнал.
       *[0] Об одном адресе говорим не чаще раза в час.
    }
