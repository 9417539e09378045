
// ---------------------------------------------------------------- live
// The server says which parts of the page are new; what is the same stays, and with it what is open or chosen.

const told = (name) => document.querySelector(`meta[name="${name}"]`).content;
const live = document.getElementById("live");
let has = told("has");
let stream = null;
let again = 0;

function say(text, on) {
  if (live.textContent !== text) live.textContent = text;
  live.classList.toggle("on", on);
}

function listen() {
  stop();
  stream = new EventSource(`${told("events")}has=${has}`);
  stream.addEventListener("open", () => say("live", true));
  stream.addEventListener("parts", (event) => {
    has = event.lastEventId;
    const news = JSON.parse(event.data);
    document.title = news.title;
    for (const [name, markup] of Object.entries(news.parts)) {
      const fresh = document.createElement("template");
      fresh.innerHTML = markup;
      mergeChildren(document.querySelector(`[data-part="${name}"]`), fresh.content);
    }
    dispatchEvent(new Event("updated"));
  });
  stream.addEventListener("outdated", () => location.reload());
  stream.addEventListener("trouble", (event) => { stop(); retry(event.data); });
  stream.addEventListener("error", () => { stop(); retry("The server does not answer."); });
}

function stop() {
  clearTimeout(again);
  if (stream) stream.close();
  stream = null;
}

function retry(why) {
  say(`${why} Trying again; this is what was last heard.`, false);
  again = setTimeout(listen, 1000);
}

// A browser keeps few connections to one server, so pages that nobody sees leave theirs to others.
document.addEventListener("visibilitychange", () => (document.hidden ? stop() : listen()));
if (!document.hidden) listen();

function mergeChildren(old, fresh) {
  const byId = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
  let at = old.firstChild;
  for (const next of [...fresh.childNodes]) {
    const same = next.id ? byId.get(next.id) : at && !at.id && at.nodeName === next.nodeName ? at : null;
    if (!same) old.insertBefore(next, at);
    else {
      if (same === at) at = at.nextSibling;
      else old.insertBefore(same, at);
      merge(same, next);
    }
  }
  while (at) {
    const after = at.nextSibling;
    if (!isDrawnHere(at)) at.remove();
    at = after;
  }
}

function merge(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.nodeValue = fresh.nodeValue;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && name !== "open" && name !== "hidden") old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) old.setAttribute(name, value);
  mergeChildren(old, fresh);
}

function isDrawnHere(node) {
  return node.nodeType === Node.ELEMENT_NODE && node.classList.contains("code");
}

// ---------------------------------------------------------------- two runs to compare

const compare = document.getElementById("compare");
function countChosen() {
  const chosen = document.querySelectorAll("input[name=run]:checked").length;
  compare.disabled = chosen !== 2;
  compare.textContent = chosen === 2 ? "Compare the two" : `Compare (choose ${chosen < 2 ? "two" : "only two"})`;
}
if (compare) {
  document.addEventListener("change", countChosen);
  addEventListener("updated", countChosen);
  countChosen();
}

// ---------------------------------------------------------------- light and dark, on all pages

if (localStorage.theme) root.dataset.theme = localStorage.theme;
nameTheme();
theme.addEventListener("click", () => { localStorage.theme = root.dataset.theme; });
