// The chat page: shows what Telegram would show, and sends back what people do. No libraries, no build step.
"use strict";

const WORDS = {
  en: {
    sandbox: "sandbox", webhooks: "Webhooks to the bot", menu: "Menu", start: "START", unblock: "UNBLOCK", bot: "bot",
    note: "A stand-in for Telegram. Nothing leaves this computer.", write: "Message", edited: "edited", you: "You",
    typing: "typing…", offline: "connecting…", blockTitle: "Block or unblock the bot", close: "Close", beside: "Open beside",
    casino: "Casino desk", channel: "Channel", document: "Document", photo: "Photo", today: "Today", empty: "No messages here yet", copied: "Copied", attach: "Attach a file", payment: "The payment's page",
    attempt: "attempt", silent: "no answer", blocked: "blocked the bot", send: "Send", down: "To the newest message",
  },
  ru: {
    sandbox: "песочница", webhooks: "Вебхуки боту", menu: "Меню", start: "СТАРТ", unblock: "РАЗБЛОКИРОВАТЬ", bot: "бот",
    note: "Замена Telegram. Ничего не покидает этот компьютер.", write: "Сообщение", edited: "изменено", you: "Вы",
    typing: "печатает…", offline: "соединение…", blockTitle: "Заблокировать или разблокировать бота", close: "Закрыть",
    casino: "Пульт казино", channel: "Канал", beside: "Открыть рядом", document: "Документ", photo: "Фото", today: "Сегодня", empty: "Здесь пока ничего нет",
    copied: "Скопировано", attach: "Прикрепить файл", payment: "Страница платежа", attempt: "попытка", silent: "нет ответа", blocked: "бот заблокирован",
    send: "Отправить", down: "К новым сообщениям",
  },
};
const LANGUAGE = navigator.language.startsWith("ru") ? "ru" : "en";
const t = WORDS[LANGUAGE];

let bot = { name: "", username: "" };
let channels = [];
let online = false;
const people = new Map(); // id → profile with its messages, kept in the order they were sent
const chats = new Map(); // id → the open chat's elements
const waiting = new Map(); // query → the button that spins until the bot answers it
let open = location.hash.slice(1).split(",").map(Number).filter(Boolean);

const $ = (selector, root = document) => root.querySelector(selector);

function make(tag, className = "", ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

function stamp(id) {
  return $(`#${id}`).content.cloneNode(true);
}

// What people do

async function act(action, body) {
  const response = await fetch(`do/${action}`, { method: "POST", body: JSON.stringify(body) });
  return response.ok ? response.json() : {};
}

function say(person, text) {
  if (text.trim()) act("say", { person: person.id, text });
}

async function press(person, message, data) {
  const key = `${person.id}:${message.id}:${data}`;
  if ([...waiting.values()].includes(key)) return;
  const { query } = await act("press", { person: person.id, message: message.id, data });
  if (!query) return;
  waiting.set(query, key);
  showMessage(person, message);
}

function follow(person, url) {
  // The bot's own t.me links are for Telegram, which is this page
  const link = new URL(url, location.href);
  if (link.hostname !== "t.me" || link.pathname.slice(1).toLowerCase() !== bot.username.toLowerCase()) return false;
  say(person, `/start ${link.searchParams.get("start") ?? ""}`.trim());
  return true;
}

function place(person, url) {
  // A channel has a page of its own here, where this person joins it
  const name = new URL(url, location.href);
  const known = channels.some(({ username, link }) => url === link || name.pathname.slice(1).toLowerCase() === username);
  return name.hostname === "t.me" && known ? `channel?person=${person.id}` : url;
}

// Text with entities: https://core.telegram.org/bots/api#messageentity. Offsets count UTF-16 units, as JavaScript does

const TAGS = {
  bold: "b", italic: "i", underline: "u", strikethrough: "s", code: "code", pre: "pre", blockquote: "blockquote",
  expandable_blockquote: "blockquote",
};

function rich(person, text, entities, from = 0, to = text.length) {
  const parts = [];
  let at = from;
  for (let index = 0; index < entities.length; index++) {
    const entity = entities[index];
    const end = Math.min(entity.offset + entity.length, to);
    if (entity.offset < at) continue;
    parts.push(text.slice(at, entity.offset));
    const inner = entities.slice(index + 1).filter((other) => other.offset < end);
    parts.push(wrap(person, entity, text.slice(entity.offset, end), rich(person, text, inner, entity.offset, end)));
    at = end;
  }
  parts.push(text.slice(at, to));
  return parts;
}

function wrap(person, entity, text, inner) {
  switch (entity.type) {
    case "url":
    case "text_link":
      return link(person, entity.url ?? text, inner);
    case "bot_command": {
      const command = make("a", "", ...inner);
      command.href = "#";
      command.onclick = (event) => { event.preventDefault(); say(person, text); };
      return command;
    }
    case "spoiler": {
      const spoiler = make("span", "spoiler", ...inner);
      spoiler.onclick = () => spoiler.classList.add("shown");
      return spoiler;
    }
    case "expandable_blockquote": {
      const quote = make("blockquote", "expandable", ...inner);
      quote.onclick = () => quote.classList.toggle("shown");
      return quote;
    }
    default: {
      const element = make(TAGS[entity.type] ?? "span", "", ...inner);
      if (entity.type === "code") element.onclick = () => copy(person, text);
      return element;
    }
  }
}

function link(person, url, inner, className = "") {
  const element = make("a", className, ...inner);
  if (/^https?:/.test(url)) {
    element.href = place(person, url);
    element.target = "_blank";
    element.rel = "noopener noreferrer";
    element.onclick = (event) => { if (follow(person, url)) event.preventDefault(); };
  }
  return element;
}

async function copy(person, text) {
  await navigator.clipboard?.writeText(text).catch(() => {});
  toast(person, t.copied);
}

// Messages

const clock = new Intl.DateTimeFormat(navigator.language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const calendar = new Intl.DateTimeFormat(navigator.language, { day: "numeric", month: "long" });

function day(seconds) {
  const date = new Date(seconds * 1000);
  return date.toDateString() === new Date().toDateString() ? t.today : calendar.format(date);
}

function size(bytes) {
  const step = bytes < 1024 ? 0 : bytes < 1048576 ? 1 : 2;
  return `${(bytes / 1024 ** step).toFixed(step && bytes / 1024 ** step < 10 ? 1 : 0)} ${["B", "KB", "MB"][step]}`;
}

function bubble(person, message) {
  const body = make("div", "bubble");
  if (message.file?.photo) {
    const picture = make("img", "photo");
    picture.src = `file/${message.file.id}`;
    picture.alt = message.file.name;
    const whole = make("a", "", picture);
    whole.href = picture.src;
    whole.target = "_blank";
    body.append(whole);
  } else if (message.file) {
    const extension = message.file.name.includes(".") ? message.file.name.split(".").pop().slice(0, 4) : "";
    const words = make("span", "", make("b", "", message.file.name), make("small", "", size(message.file.size)));
    const file = make("a", "file", make("span", "sheet", extension), words);
    file.href = `file/${message.file.id}`;
    file.download = message.file.name;
    body.append(file);
  }
  const mark = make("span", "mark", message.edited ? `${t.edited} ` : "", clock.format(new Date(message.date * 1000)));
  const text = make("div", "text", ...rich(person, message.text, message.entities), mark);
  body.append(text);
  return body;
}

function markup(person, message) {
  const grid = make("div", "inline");
  for (const row of message.rows) grid.append(make("div", "row", ...row.map((button) => inline(person, message, button))));
  return grid;
}

function inline(person, message, button) {
  const style = button.style ?? "";
  if (button.url) {
    return link(person, button.url, [make("span", "", button.text), make("i", "corner", "↗")], `button ${style}`);
  }
  const element = make("button", `button ${style}`, make("span", "", button.text));
  if (button.callback_data) {
    const key = `${person.id}:${message.id}:${button.callback_data}`;
    element.classList.toggle("busy", [...waiting.values()].includes(key));
    element.onclick = () => press(person, message, button.callback_data);
  } else if (button.copy_text) {
    element.append(make("i", "corner copy"));
    element.onclick = () => copy(person, button.copy_text.text);
  } else {
    element.disabled = true;
  }
  return element;
}

function showMessage(person, message, fresh = false) {
  const chat = chats.get(person.id);
  if (!chat) return;
  const near = chat.messages.scrollHeight - chat.messages.scrollTop - chat.messages.clientHeight < 120;
  const old = $(`[data-id="${message.id}"]`, chat.list);
  const element = make("div", `message ${message.bot ? "in" : "out"}${fresh ? " fresh" : ""}`, bubble(person, message));
  if (message.rows.length) element.append(markup(person, message));
  element.dataset.id = message.id;
  element.dataset.day = day(message.date);
  if (old) {
    element.classList.toggle("first", old.classList.contains("first"));
    old.replaceWith(element);
  } else {
    const last = chat.list.lastElementChild;
    if (last?.dataset.day !== element.dataset.day) {
      const chip = make("div", "day", element.dataset.day);
      chip.dataset.day = element.dataset.day;
      chat.list.append(chip);
    }
    element.classList.toggle("first", !last?.classList.contains(message.bot ? "in" : "out"));
    chat.list.append(element);
  }
  chat.about.hidden = true;
  if (near || !message.bot) toBottom(chat);
  else if (!old) chat.down.hidden = false;
}

function toBottom(chat) {
  chat.messages.scrollTop = chat.messages.scrollHeight;
  chat.down.hidden = true;
  // Pictures arrive after their message
  for (const picture of chat.list.querySelectorAll("img")) {
    if (!picture.complete) picture.onload = () => { chat.messages.scrollTop = chat.messages.scrollHeight; };
  }
}

function toast(person, text) {
  const chat = chats.get(person.id);
  if (!chat) return;
  chat.toast.textContent = text;
  chat.toast.hidden = false;
  clearTimeout(chat.toastTimer);
  chat.toastTimer = setTimeout(() => { chat.toast.hidden = true; }, 3500);
}

function typing(person) {
  const chat = chats.get(person.id);
  if (!chat) return;
  clearTimeout(chat.typingTimer);
  chat.typing = true;
  chat.typingTimer = setTimeout(() => { chat.typing = false; showState(person); }, 5000);
  showState(person);
}

// A chat column

function openChat(person) {
  const section = make("section", "chat", stamp("chat"));
  const chat = { section };
  for (const part of ["messages", "about", "list", "down", "toast", "commands", "composer", "menu", "start", "keyboard", "block"]) {
    chat[part] = $(`.${part}`, section);
  }
  chat.field = $("textarea", section);
  chats.set(person.id, chat);
  section.dataset.person = person.id;
  $(".as .name", section).textContent = person.name;
  paint($(".as .avatar", section), person);
  for (const [selector, title] of [[".block", t.blockTitle], [".close", t.close], [".attach", t.attach], [".send", t.send], [".down", t.down]]) {
    $(selector, section).title = title;
  }
  translate(section);
  chat.field.placeholder = t.write;
  chat.composer.onsubmit = (event) => {
    event.preventDefault();
    say(person, chat.field.value);
    chat.field.value = "";
    grow(chat.field);
    chat.commands.hidden = true;
  };
  chat.field.onkeydown = (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      chat.composer.requestSubmit();
    } else if (event.key === "Escape") chat.commands.hidden = true;
  };
  chat.field.oninput = () => {
    grow(chat.field);
    showCommands(person, chat.field.value.startsWith("/") ? chat.field.value.slice(1) : null);
  };
  chat.menu.onclick = () => showCommands(person, chat.commands.hidden ? "" : null);
  chat.down.onclick = () => toBottom(chat);
  chat.messages.onscroll = () => {
    if (chat.messages.scrollHeight - chat.messages.scrollTop - chat.messages.clientHeight < 40) chat.down.hidden = true;
  };
  chat.messages.onclick = () => { chat.commands.hidden = true; };
  chat.block.onclick = () => act(person.blocked ? "unblock" : "block", { person: person.id });
  chat.start.onclick = () => (person.blocked ? act("unblock", { person: person.id }) : say(person, "/start"));
  $(".close", section).onclick = () => arrange(open.filter((id) => id !== person.id));
  $("input[type=file]", section).onchange = async (event) => {
    const form = new FormData();
    form.append("file", event.target.files[0]);
    form.append("caption", chat.field.value);
    chat.field.value = "";
    grow(chat.field);
    event.target.value = "";
    await fetch(`upload/${person.id}`, { method: "POST", body: form });
  };
  for (const message of person.messages.values()) showMessage(person, message);
  showState(person);
  return section;
}

function grow(field) {
  field.style.height = "auto";
  field.style.height = `${Math.min(field.scrollHeight, 160)}px`;
}

function showCommands(person, typed) {
  const chat = chats.get(person.id);
  const found = typed === null ? [] : person.commands.filter(({ command }) => command.startsWith(typed.toLowerCase()));
  chat.commands.replaceChildren(...found.map(({ command, description }) => {
    const row = make("button", "", make("span", "", description), make("code", "", `/${command}`));
    row.onclick = () => {
      chat.commands.hidden = true;
      chat.field.value = "";
      say(person, `/${command}`);
    };
    return row;
  }));
  chat.commands.hidden = !found.length;
}

function showState(person) {
  const chat = chats.get(person.id);
  if (!chat) return;
  $(".who strong", chat.section).textContent = bot.name;
  const state = $(".who small", chat.section);
  state.textContent = !online ? t.offline : chat.typing ? t.typing : t.bot;
  state.classList.toggle("typing", online && Boolean(chat.typing));
  chat.block.classList.toggle("on", person.blocked);
  const silent = person.blocked || (!person.started && !person.messages.size);
  chat.start.hidden = !silent;
  chat.start.textContent = person.blocked ? t.unblock : t.start;
  chat.composer.hidden = silent;
  chat.menu.hidden = !person.commands.length;
  chat.about.hidden = person.messages.size > 0;
  chat.about.textContent = person.about || t.empty;
  const rows = (!silent && person.keyboard?.keyboard) || [];
  chat.keyboard.hidden = !rows.length;
  chat.keyboard.replaceChildren(...rows.map((row) => make("div", "row", ...row.map((key) => {
    const text = key.text ?? key;
    const element = make("button", "", text);
    element.onclick = () => say(person, text);
    return element;
  }))));
}

// The list of people

const COLOURS = ["#e17076", "#7bc862", "#65aadd", "#a695e7", "#ee7aae", "#6ec9cb", "#faa774"];

function paint(avatar, person) {
  avatar.textContent = [...person.name][0] ?? "?";
  avatar.style.setProperty("--colour", COLOURS[person.id % COLOURS.length]);
}

function showPeople() {
  $("#people").replaceChildren(...[...people.values()].map((person) => {
    const row = make("div", `row${open.includes(person.id) ? " open" : ""}`, stamp("person"));
    const last = [...person.messages.values()].pop();
    paint($(".avatar", row), person);
    $(".name", row).textContent = person.name;
    $("time", row).textContent = last ? clock.format(new Date(last.date * 1000)) : "";
    const words = last ? last.text || (last.file.photo ? t.photo : t.document) : `@${person.username ?? person.id}`;
    $(".preview", row).textContent = person.blocked ? t.blocked : `${last && !last.bot ? `${t.you}: ` : ""}${words}`;
    $(".badge", row).textContent = person.unread || "";
    $(".person", row).onclick = (event) => arrange(event.ctrlKey || event.metaKey ? [...open, person.id] : [person.id]);
    $(".beside", row).title = t.beside;
    $(".beside", row).onclick = () => arrange(open.includes(person.id) ? open : [...open, person.id]);
    return row;
  }));
}

function arrange(ids) {
  open = [...new Set(ids)].filter((id) => people.has(id));
  if (!open.length && people.size) open = [people.keys().next().value];
  history.replaceState(null, "", `#${open.join(",")}`);
  for (const [id, chat] of chats) {
    if (open.includes(id)) continue;
    chat.section.remove();
    chats.delete(id);
  }
  for (const id of open) {
    const person = people.get(id);
    person.unread = 0;
    if (!chats.has(id)) {
      $("#chats").append(openChat(person));
      toBottom(chats.get(id));
    }
  }
  $("#chats").classList.toggle("several", open.length > 1);
  showPeople();
}

// Webhooks on their way to the bot

function showDelivery(delivery) {
  const good = delivery.status >= 200 && delivery.status < 300;
  const again = delivery.attempt > 1 ? ` · ${t.attempt} ${delivery.attempt}` : "";
  const status = `${delivery.status ?? t.silent} · ${delivery.milliseconds} ms${again}`;
  // To the page of the payment, where it can be given back or disputed
  const paid = /^(cs|pi)_/.test(delivery.subject) || delivery.event.startsWith("payment.");
  const event = make(paid || delivery.provider === "1win" ? "a" : "b", "event", delivery.event);
  if (paid) Object.assign(event, { href: `${delivery.provider}/pay/${delivery.subject}`, target: "_blank", rel: "noopener noreferrer", title: t.payment });
  else if (event.tagName === "A") Object.assign(event, { href: "casino", target: "_blank", title: t.casino });
  const row = make("li", good ? "good" : "bad", event, make("span", "", `${delivery.provider} · ${status}`));
  const list = $("#deliveries ol");
  list.prepend(row);
  while (list.children.length > 30) list.lastChild.remove();
  $("#deliveries").hidden = false;
}

// What happens in the world

const happened = {
  everything(world) {
    bot = world.bot;
    channels = world.channels;
    const before = new Map([...people].map(([id, person]) => [id, person.unread]));
    people.clear();
    chats.clear();
    waiting.clear();
    $("#chats").replaceChildren();
    $("#deliveries ol").replaceChildren();
    for (const person of world.people) people.set(person.id, { ...person, messages: new Map(), unread: before.get(person.id) ?? 0 });
    for (const message of world.messages) people.get(message.person).messages.set(message.id, message);
    for (const delivery of world.deliveries) showDelivery(delivery);
    const wide = window.innerWidth >= 1180;
    arrange(open.length ? open : [...people.keys()].filter((_, index) => index === 0 || (wide && index === people.size - 1)));
  },
  person(profile) {
    const known = people.get(profile.id) ?? { messages: new Map(), unread: 0 };
    people.set(profile.id, Object.assign(known, profile));
    showState(known);
    showPeople();
  },
  message(message) {
    const person = people.get(message.person);
    const fresh = !person.messages.has(message.id);
    person.messages.set(message.id, message);
    if (!message.bot) person.started = true;
    if (fresh && message.bot && !open.includes(person.id)) person.unread++;
    const chat = chats.get(person.id);
    if (chat && message.bot) chat.typing = false;
    showMessage(person, message, fresh);
    showState(person);
    showPeople();
  },
  deleted({ person: id, id: message }) {
    const person = people.get(id);
    person.messages.delete(message);
    const chat = chats.get(id);
    if (chat) $(`[data-id="${message}"]`, chat.list)?.remove();
    showPeople();
  },
  typing({ person }) {
    typing(people.get(person));
  },
  answered({ person: id, query, text, alert }) {
    // The answer may overtake the reply that tells this page the query's number
    setTimeout(() => {
      const person = people.get(id);
      const message = Number(waiting.get(query)?.split(":")[1]);
      waiting.delete(query);
      if (person.messages.has(message)) showMessage(person, person.messages.get(message));
      if (text && alert) {
        $("#alert p").textContent = text;
        if (!$("#alert").open) $("#alert").showModal();
      } else if (text) toast(person, text);
    }, waiting.has(query) ? 0 : 150);
  },
  delivery: showDelivery,
};

function connect() {
  const socket = new WebSocket(new URL("live", location.href).href.replace(/^http/, "ws").replace(/#.*/, ""));
  socket.onmessage = ({ data }) => {
    online = true;
    for (const [name, content] of Object.entries(JSON.parse(data))) happened[name]?.(content);
  };
  socket.onclose = () => {
    online = false;
    for (const id of chats.keys()) showState(people.get(id));
    setTimeout(connect, 1000);
  };
}

function translate(root) {
  for (const element of root.querySelectorAll("[data-word]")) element.textContent = t[element.dataset.word];
}

document.documentElement.lang = LANGUAGE;
translate(document);
connect();
