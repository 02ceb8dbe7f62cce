// Keeps the lists of a page fresh and its switches as they are. Without it every press loads the page anew.
"use strict";

const form = document.querySelector("form");

async function renew(answer) {
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const list of document.querySelectorAll("[data-live]")) {
    const fresh = page.getElementById(list.id);
    if (fresh.innerHTML !== list.innerHTML) list.replaceChildren(...fresh.childNodes);
  }
}

form.onsubmit = async (event) => {
  event.preventDefault();
  const pressed = event.submitter;
  pressed?.classList.add("busy");
  await renew(await fetch(location.href, { method: "POST", body: new URLSearchParams(new FormData(form, pressed)) }));
  pressed?.classList.remove("busy");
};
// Enter in a field is no press of the first button
form.onkeydown = (event) => { if (event.key === "Enter" && event.target.tagName === "INPUT") event.preventDefault(); };

setInterval(async () => { if (!document.hidden) await fetch(location.href).then(renew, () => {}); }, 1500);
