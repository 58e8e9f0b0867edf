// What pages share that show how a network writes: the form's buttons, the text, the chosen token
// with its alternatives, and attention as a heat map. A page has the elements of `sheet.html`, and
// gives what writes: `goesOn` (whether a text can be written on), `unit`, `startText()`, `goOn()`
// and `stop()`.
"use strict";

const $ = (id) => document.getElementById(id);
let prompt = ""; // before the text
let tokens = []; // of the text: text, id, probability, alternatives, attention, and the element
let sourceSpans = [], chosen = -1;
let busy = false, began = 0, fresh = 0; // whether the text grows, since when, by how many tokens

// -- A text begins, grows and ends -------------------------------------------------------------

function begin() {
  busy = true;
  fresh = 0;
  began = performance.now();
  $("text").classList.add("writing");
  $("stop").disabled = false;
  $("start").disabled = $("go-on").disabled = true;
  say("");
}

function count() {
  if (busy) $("count").textContent = `${fresh} ${unit}`;
}

/** Ends a text, and tells how fast it grew and what seed it had. */
function finish(seed) {
  busy = false;
  const seconds = (performance.now() - began) / 1000;
  $("text").classList.remove("writing");
  $("stop").disabled = true;
  $("start").disabled = false;
  $("go-on").disabled = !goesOn || !tokens.length;
  $("copy").disabled = !tokens.length;
  $("count").textContent = "";
  const { dataset } = document.documentElement;
  dataset.rate = fresh / seconds;
  dataset.finished = Number(dataset.finished ?? 0) + 1;
  if (!fresh || $("status").textContent) return;
  const drawn = seed === null ? "" : `, seed ${seed}`;
  say(`${fresh} ${unit} in ${seconds.toFixed(1)} s, ${(fresh / seconds).toFixed(0)} a second${drawn}.`);
}

/** Goes on from a token of the text with another in its place. */
function takeAnother(index, other) {
  stop();
  const { alternatives } = tokens[index];
  for (const { element } of tokens.splice(index)) element.remove();
  showToken({ ...other, alternatives });
  choose(index);
  goOn();
}

// -- What is shown -----------------------------------------------------------------------------

function showToken(token) {
  token.element = inked("token", token.text);
  token.element.dataset.index = tokens.length;
  shade(token);
  $("text").append(token.element);
  tokens.push(token);
  fresh++;
  if (token.attention) addRow(token);
}

/** Shows what a translator reads; with attention, also as the head of the map. */
function showSource(texts, attention) {
  $("source").replaceChildren(...texts.map((text) =>
    text ? inked("token", text) : inked("token silent", " end")));
  sourceSpans = [...$("source").children];
  $("source").hidden = false;
  if (!attention) return;
  const row = document.createElement("tr");
  row.append(document.createElement("td"), ...texts.map((text) => header("col", text || "end")));
  row.firstChild.style.cssText = "box-shadow: none";
  const head = document.createElement("thead"), body = document.createElement("tbody");
  head.append(row);
  $("map").querySelector("table").replaceChildren(head, body);
  $("map").hidden = false;
}

function clearText() {
  tokens = [];
  choose(-1);
  sourceSpans = [];
  $("map").hidden = $("source").hidden = true;
  $("text").replaceChildren();
}

/** Shows the prompt, which is no token. */
function showPrompt(text) {
  const before = document.createElement("span");
  before.className = "prompt";
  before.textContent = text;
  $("text").append(before);
}

/** The element of a token; the space before a word takes no shade. */
function inked(kind, text) {
  const element = document.createElement("span");
  element.className = kind;
  let ink = element;
  if (/^ [^]/.test(text)) {
    ink = document.createElement("span");
    element.append(" ", ink);
    text = text.slice(1);
  }
  ink.classList.add("ink");
  ink.append(text);
  return element;
}

function header(scope, text) {
  const cell = document.createElement("th"), span = document.createElement("span");
  cell.scope = scope;
  span.textContent = visible(text).trim() || "␣";
  cell.append(span);
  return cell;
}

function addRow({ text, attention }) {
  const row = document.createElement("tr");
  row.dataset.index = $("map").querySelector("tbody").children.length;
  row.append(header("row", text), ...attention.map((weight) => {
    const cell = document.createElement("td"), said = document.createElement("span");
    cell.style.setProperty("--strength", weight.toFixed(3));
    said.textContent = cell.title = percent(weight);
    cell.append(said);
    return cell;
  }));
  $("map").querySelector("tbody").append(row);
}

function percent(share) {
  const hundred = 100 * share;
  return `${hundred >= 10 ? hundred.toFixed(0) : hundred >= 0.1 ? hundred.toFixed(1) : "< 0.1"} %`;
}

const NAMES = { " ": "space", "\n": "line break", "\t": "tab", "": "nothing" };
function visible(text) {
  if (text === null) return "the end";
  return Object.hasOwn(NAMES, text) ? NAMES[text] : text.replaceAll("\n", "↵");
}

function listed(symbols) {
  const quoted = symbols.slice(0, 5).map((symbol) => `“${visible(symbol)}”`).join(", ");
  return symbols.length > 5 ? `${quoted} and ${symbols.length - 5} more` : quoted;
}

function say(sentence, wrong = false) {
  $("status").textContent = sentence;
  $("status").classList.toggle("wrong", wrong);
}

// -- The chosen token --------------------------------------------------------------------------

function choose(index) {
  const focused = document.activeElement;
  const within = $("detail").contains(focused);
  for (const each of document.querySelectorAll(".chosen")) each.classList.remove("chosen");
  for (const span of sourceSpans) span.style.setProperty("--strength", 0);
  chosen = index;
  $("previous").disabled = index <= 0;
  $("next").disabled = index < 0 || index + 1 >= tokens.length;
  $("alternatives").replaceChildren();
  $("token").replaceChildren();
  // A button that is gone or disabled would lose the focus; the text has the same keys.
  if (within && (focused.disabled || !focused.isConnected)) $("text").focus({ preventScroll: true });
  const token = tokens[index];
  if (!token) return;
  token.element.classList.add("chosen");
  const share = document.createElement("small");
  share.textContent = `probability ${percent(token.probability)}`;
  if (!$("which").hidden) share.textContent += `, unit ${chosenUnit().unit}: ${activation(token).toFixed(2)}`;
  $("token").append(visible(token.text), share);
  $("alternatives").append(...token.alternatives.map((other) => alternative(token, index, other)));
  if (!token.attention) return;
  $("map").querySelectorAll("tbody tr")[index].classList.add("chosen");
  token.attention.forEach((weight, place) => {
    sourceSpans[place].style.setProperty("--strength", (0.7 * weight).toFixed(3));
  });
}

function alternative(token, index, other) {
  const item = document.createElement("li");
  const row = document.createElement(!goesOn || other.text === null ? "div" : "button");
  row.className = "row";
  if (row.tagName === "BUTTON") {
    row.type = "button";
    row.title = "Go on from here with this instead";
    row.onclick = () => takeAnother(index, other);
  }
  if (other.id === token.id) item.className = "taken";
  const [name, bar, share] = ["name", "bar", "share"].map((part) => {
    const span = document.createElement("span");
    span.className = part;
    row.append(span);
    return span;
  });
  const named = other.text === null || Object.hasOwn(NAMES, other.text);
  const label = document.createElement(named ? "em" : "span");
  label.textContent = visible(other.text);
  name.append(label);
  const filled = document.createElement("i");
  filled.style.width = `${100 * other.probability}%`;
  bar.append(filled);
  bar.setAttribute("aria-hidden", "true");
  share.textContent = percent(other.probability);
  item.append(row);
  return item;
}

// -- Controls ----------------------------------------------------------------------------------

$("form").onsubmit = (event) => {
  event.preventDefault();
  if (!busy && !$("start").disabled) startText();
};
$("prompt").onkeydown = (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("form").requestSubmit();
};
document.onkeydown = (event) => {
  if (event.key === "Escape") stop();
};
$("go-on").onclick = () => goOn();
$("stop").onclick = () => stop();
$("copy").onclick = async () => {
  const text = (goesOn ? prompt : "") + tokens.map((token) => token.text).join("");
  try {
    await navigator.clipboard.writeText(text);
  } catch { // an old browser, or no permission
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
  say("Copied.");
};
$("previous").onclick = () => choose(chosen - 1);
$("next").onclick = () => choose(chosen + 1);
$("text").onkeydown = (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1, Home: -tokens.length, End: tokens.length }[event.key];
  if (!step || !tokens.length) return;
  event.preventDefault();
  choose(Math.max(0, Math.min(tokens.length - 1, chosen + step)));
  tokens[chosen].element.scrollIntoView({ block: "nearest" });
};
/** Chooses what is pointed at; a text that scrolls away under a pointer at rest says nothing. */
function point(index, event) {
  const moved = event.type === "click" || event.movementX || event.movementY;
  if (moved && index !== chosen && index < tokens.length) choose(index);
}
$("text").onmousemove = $("text").onclick = (event) => {
  const token = event.target.closest(".token");
  if (token) point(Number(token.dataset.index), event);
};
$("map").onmousemove = (event) => {
  const row = event.target.closest("tbody tr");
  if (row) point(Number(row.dataset.index), event);
};
$("shading").onchange = $("unit").oninput = shadeAll;
$("theme").onclick = () => {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme || (dark ? "dark" : "light");
  document.documentElement.dataset.theme = now === "dark" ? "light" : "dark";
};

/** Writes beside each slider where it stands. */
function showValues() {
  for (const output of document.querySelectorAll(".field output")) {
    output.textContent = $(output.htmlFor[0]).value;
  }
}

const swatches = document.querySelectorAll(".scale i");
[...[1, 0.5, 0.1, 0.01].map(surprisal), -1, 0, 1].forEach((value, i) => paint(swatches[i], value));
choose(-1);
