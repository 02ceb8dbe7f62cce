"""Where the answer to one update appears."""

from contextlib import suppress
from html import unescape

from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest
from aiogram.types import BufferedInputFile, CallbackQuery, InlineKeyboardMarkup, InputMediaPhoto, Message

_TOAST = 200  # https://core.telegram.org/bots/api#answercallbackquery


class Screen:
    """The message whose button was pressed, or a new one below what was written; shown again, it is replaced.

    Telegram's harmless refusals (nothing changed, the press is too old) end here and reach no handler.
    """

    def __init__(self, bot: Bot, event: Message | CallbackQuery) -> None:
        self._bot = bot
        self._query: CallbackQuery | None = None
        self._message_id: int | None = None
        self._has_photo = False
        if isinstance(event, Message):
            self._chat_id = event.chat.id
        else:
            self._query = event
            self._chat_id = event.message.chat.id if event.message else event.from_user.id
            # An old message comes as InaccessibleMessage and may not be editable: the answer goes below it.
            if isinstance(event.message, Message):
                self._message_id = event.message.message_id
                self._has_photo = event.message.photo is not None
        self.answered = self._query is None
        """Nobody waits for a pressed button to stop spinning."""

    def below(self) -> None:
        """Leaves the message with the button as it is; the answer comes as a new one."""
        self._message_id = None

    async def show(self, text: str, keyboard: InlineKeyboardMarkup | None = None) -> int:
        """Shows a text with its buttons; answers the id of the message it is in."""
        if self._message_id is None or not await self._edited(self._message_id, text, keyboard):
            message = await self._bot.send_message(self._chat_id, text, reply_markup=keyboard)
            self._message_id = message.message_id
        await self.toast()
        return self._message_id

    async def photo(self, picture: bytes, caption: str, keyboard: InlineKeyboardMarkup | None = None) -> None:
        """Shows a picture: in place of the picture whose button was pressed, else below what is there."""
        file = BufferedInputFile(picture, "picture.png")
        if not (self._has_photo and self._message_id is not None) or not await self._repainted(file, caption, keyboard):
            message = await self._bot.send_photo(self._chat_id, file, caption=caption, reply_markup=keyboard)
            self._message_id, self._has_photo = message.message_id, True
        await self.toast()

    async def _repainted(self, file: BufferedInputFile, caption: str, keyboard: InlineKeyboardMarkup | None) -> bool:
        media = InputMediaPhoto(media=file, caption=caption)
        try:
            await self._bot.edit_message_media(
                media, chat_id=self._chat_id, message_id=self._message_id, reply_markup=keyboard
            )
        except TelegramBadRequest as error:
            return "message is not modified" in error.message
        return True

    async def _edited(self, message_id: int, text: str, keyboard: InlineKeyboardMarkup | None) -> bool:
        try:
            await self._bot.edit_message_text(text, chat_id=self._chat_id, message_id=message_id, reply_markup=keyboard)
        except TelegramBadRequest as error:
            # Anything else means that the message is gone or no text: a new one can always be sent.
            return "message is not modified" in error.message
        return True

    async def toast(self, text: str = "", *, alert: bool = False) -> None:
        """Answers the pressed button, once: with a short text over the chat, or silently."""
        if self._query is None or self.answered:
            return
        self.answered = True
        with suppress(TelegramBadRequest):  # the press is too old: nothing spins any more
            await self._query.answer(unescape(text)[:_TOAST] or None, show_alert=alert)
