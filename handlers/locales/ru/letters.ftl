# Письма: доставки и сообщения, от которых отказались

command-inbox = Недоставленное и необработанное

button-replay = Попробовать ещё раз
button-let-go = Больше не пробовать
button-messages = Неотправленное: { $count }
button-deliveries = Необработанное: { $count }

admin-deliveries = <b>Уведомления, которые не удалось обработать: { $count }</b>
admin-deliveries-none = Все уведомления обработаны.
admin-delivery-line =
    № { $id } · { provider } · { $kind }
    { $at } · { $error }
admin-delivery =
    <b>Уведомление № { $id }</b> · { provider }
    Что: <code>{ $kind }</code>
    Платёж: <code>{ $payment }</code>
    Пришло { $at } с адреса { $remote }, раз: { $count }
    Попыток: { $attempts }, возвращали в работу: { $replays }
    Ошибка: { $error }
admin-delivery-unreadable = Прочитать не получилось: { $count } байт не в JSON и не форма.
admin-delivery-let-go =
    <b>Больше не обрабатывать уведомление № { $id }?</b> · { provider }

    Оно останется в базе, но никто к нему не вернётся. Если в нём деньги, их найдёт только сверка.
admin-messages = <b>Сообщения, которые не удалось отправить: { $count }</b>
admin-messages-none = Все сообщения отправлены.
admin-message-line =
    № { $id } · { $kind } · Telegram { $telegram }
    { $at } · { $error }
admin-message =
    <b>Сообщение № { $id }</b>
    Что: <code>{ $kind }</code>
    Кому: Telegram <code>{ $telegram }</code>, игрок № { $player }
    Написано { $at }
    Попыток: { $attempts }, возвращали в работу: { $replays }
    Ошибка: { $error }
admin-message-let-go =
    <b>Больше не отправлять сообщение № { $id }?</b> · Telegram { $telegram }

    Тот, кому оно написано, его не увидит.
admin-replayed = Возвращено в работу
admin-let-go = Больше пробовать не будем
source-gone = { $source } больше не подключён: уведомление обработать некому. Верните его настройки.
