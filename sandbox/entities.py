"""Telegram's HTML to text with entities, refusing what Telegram refuses: https://core.telegram.org/bots/api#html-style"""

import re
from typing import Any

Entity = dict[str, Any]

KINDS = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline", "ins": "underline",
    "s": "strikethrough", "strike": "strikethrough", "del": "strikethrough", "span": "spoiler",
    "code": "code", "pre": "pre", "a": "text_link", "blockquote": "blockquote", "tg-emoji": "custom_emoji",
    "tg-spoiler": "spoiler",
}  # fmt: skip
NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
TOKEN = re.compile(r"<(?P<close>/?)(?P<tag>[^\s>]*)(?P<rest>[^>]*)>|&(?P<char>#x?[0-9a-fA-F]+|lt|gt|amp|quot);?")
ATTRIBUTE = re.compile(r"""([\w-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?""")
FOUND = re.compile(r"(?P<url>https?://[^\s<>\"]+[\w/])|(?<![\w/@<])(?P<bot_command>/[a-zA-Z]\w{0,31})\b")


class CannotParse(ValueError):
    """Telegram would answer 400 `can't parse entities` with these words."""


def units(text: str) -> int:
    """Length the way Telegram counts offsets: in UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2


def parse_html(source: str) -> tuple[str, list[Entity]]:
    text, at = "", 0
    open_tags: list[tuple[str, int, dict[str, str], int]] = []
    found: list[Entity] = []
    for token in TOKEN.finditer(source):
        plain = source[at : token.start()]
        if "<" in plain:
            raise _bad("Unclosed start tag", source, at + plain.index("<"))
        text += plain
        at = token.end()
        if char := token["char"]:
            text += _character(char)
        elif token["close"]:
            if not open_tags:
                raise _bad("Unexpected end tag", source, token.start())
            tag, start, attributes, _ = open_tags.pop()
            if token["tag"].lower() not in ("", tag):
                words = f', expected "</{tag}>", found "</{token["tag"]}>"'
                raise _bad("Unmatched end tag", source, token.start(), words)
            _close(found, tag, start, units(text) - start, attributes, open_tags)
        else:
            tag = token["tag"].lower()
            attributes = {
                m[1].lower(): _unescape(m[2] or m[3] or m[4] or "") for m in ATTRIBUTE.finditer(token["rest"])
            }
            if tag not in KINDS or (tag == "span" and attributes.get("class") != "tg-spoiler"):
                raise _bad(f'Unsupported start tag "{tag}"', source, token.start())
            open_tags.append((tag, units(text), attributes, token.start()))
    if "<" in source[at:]:
        raise _bad("Unclosed start tag", source, at + source[at:].index("<"))
    if open_tags:
        raise CannotParse(f'Can\'t find end tag corresponding to start tag "{open_tags[-1][0]}"')
    return text + source[at:], found


def _close(
    found: list[Entity],
    tag: str,
    start: int,
    length: int,
    attributes: dict[str, str],
    open_tags: list[tuple[str, int, dict[str, str], int]],
) -> None:
    language = attributes.get("class", "").removeprefix("language-")
    if tag == "code" and language and open_tags and open_tags[-1][0] == "pre" and open_tags[-1][1] == start:
        open_tags[-1][2]["language"] = language
        return
    entity: Entity = {"type": KINDS[tag], "offset": start, "length": length}
    match tag:
        case "pre" if "language" in attributes:
            entity["language"] = attributes["language"]
        case "blockquote" if "expandable" in attributes:
            entity["type"] = "expandable_blockquote"
        case "a" if re.match(r"https?://|tg:|mailto:|tel:", attributes.get("href", "")):
            entity["url"] = attributes["href"]
        case "a":
            return  # Telegram drops links it cannot follow and keeps their text
        case "tg-emoji":
            entity["custom_emoji_id"] = attributes.get("emoji-id", "")
    if length:
        found.append(entity)


def tidy(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    """Trims the text as Telegram does, moves the entities along and adds the ones it finds by itself."""
    cut = units(text) - units(text.lstrip())
    text = text.strip()
    total, kept = units(text), []
    for entity in entities:
        start = max(entity["offset"] - cut, 0)
        end = min(entity["offset"] + entity["length"] - cut, total)
        if end > start:
            kept.append({**entity, "offset": start, "length": end - start})
    opaque = [e for e in kept if e["type"] in ("code", "pre", "text_link")]
    for match in FOUND.finditer(text):
        start, length = units(text[: match.start()]), units(match[0])
        if not any(e["offset"] < start + length and start < e["offset"] + e["length"] for e in opaque):
            kept.append({"type": str(match.lastgroup), "offset": start, "length": length})
    kept.sort(key=lambda e: (e["offset"], -e["length"]))
    return text, kept


def _character(name: str) -> str:
    if not name.startswith("#"):
        return NAMED[name]
    code = int(name[2:], 16) if name[1] in "xX" else int(name[1:])
    return chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else ""


def _unescape(value: str) -> str:
    return re.sub(r"&(#x?[0-9a-fA-F]+|lt|gt|amp|quot);?", lambda m: _character(m[1]), value)


def _bad(what: str, source: str, at: int, more: str = "") -> CannotParse:
    return CannotParse(f"{what} at byte offset {len(source[:at].encode())}{more}")
