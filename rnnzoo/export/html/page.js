// The page: what a person does becomes requests to the writer, and its events become text.

const $ = (id) => document.getElementById(id);
const description = JSON.parse($("model").textContent);
const translates = description.task === "translate";
const characters = !translates && description.vocabulary.level === "character";
const unit = characters ? "characters" : "tokens";
let tokens = []; // what was written: the events of its tokens, each with its element
let prompt = ""; // before it
let sourceSpans = [], request = 0, busy = false, began = 0, fresh = 0, chosen = -1, seed = 0;

// -- The writer, in a worker where that is possible -------------------------------------------

function decodeBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text).buffer;
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes.buffer;
}

/** Starts the writer; `send` passes it a message. */
let send = null;
function startWriter() {
  const load = () => {
    const buffer = decodeBase64($("weights").textContent.trim());
    send({ type: "load", description, buffer }, [buffer]);
  };
  const here = () => {
    const receive = makeWriter((message) => receiveMessage(message));
    send = (message) => receive(message);
    document.documentElement.dataset.writer = "page";
    load();
  };
  try {
    const program = `${$("engine").textContent}
      const receive = makeWriter((message) => postMessage(message));
      onmessage = (event) => receive(event.data);`;
    const url = URL.createObjectURL(new Blob([program], { type: "text/javascript" }));
    const worker = new Worker(url);
    let ready = false;
    worker.onmessage = (event) => {
      ready = true;
      receiveMessage(event.data);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      if (!ready) here();
      else say(`Something went wrong: ${event.message}`, true);
    };
    send = (message, transfer) => worker.postMessage(message, transfer);
    document.documentElement.dataset.writer = "worker";
    load();
  } catch {
    here();
  }
}

function receiveMessage(message) {
  if (message.type === "ready") {
    $("start").disabled = false;
    $("weights").textContent = ""; // the writer has them
    say("");
    document.documentElement.dataset.ready = "true";
    return;
  }
  if (message.request !== request) return; // of a text that was given up
  for (const event of message.events) show[event.kind](event);
  if (busy) $("count").textContent = `${fresh} ${unit}`;
  if (message.finished) finish();
}

// -- What events show --------------------------------------------------------------------------

const show = {
  token(event) {
    event.element = inked("token", event.text);
    event.element.dataset.index = tokens.length;
    shade(event);
    $("text").append(event.element);
    tokens.push(event);
    fresh++;
    if (event.attention) addRow(event);
  },
  /** The state after a token that was written before, or put in the place of another. */
  state({ index, state }) {
    tokens[index].state = state;
    shade(tokens[index]);
  },
  last(event) {
    if (event.attention) addRow({ ...event, text: "end" });
  },
  source({ texts }) {
    $("source").replaceChildren(...texts.map((text) =>
      text ? inked("token", text) : inked("token silent", " end")));
    sourceSpans = [...$("source").children];
    $("source").hidden = false;
    if (!description.attention) return;
    const row = document.createElement("tr");
    row.append(document.createElement("td"), ...texts.map((text) => header("col", text || "end")));
    row.firstChild.style.cssText = "box-shadow: none";
    const head = document.createElement("thead"), body = document.createElement("tbody");
    head.append(row);
    $("map").querySelector("table").replaceChildren(head, body);
    $("map").hidden = false;
  },
  unknown({ symbols }) {
    say(`The network does not know ${listed(symbols)} and reads an unknown token there.`);
  },
  missing({ symbols }) {
    say(`The network has never seen ${listed(symbols)}: please take that out.`, true);
  },
  empty() {
    say(translates ? "Give a text to translate." : "Give at least one character to begin with.", true);
  },
  end({ reason }) {
    if (reason === "ended" && !translates) say("It came to an end by itself.");
  },
};

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
  return text in NAMES ? NAMES[text] : text.replaceAll("\n", "↵");
}

function listed(symbols) {
  const quoted = symbols.slice(0, 5).map((symbol) => `“${visible(symbol)}”`).join(", ");
  return symbols.length > 5 ? `${quoted} and ${symbols.length - 5} more` : quoted;
}

function say(sentence, wrong = false) {
  $("status").textContent = sentence;
  $("status").classList.toggle("wrong", wrong);
}

// -- Requests ----------------------------------------------------------------------------------

function begin(message) {
  request++;
  busy = true;
  fresh = 0;
  began = performance.now();
  $("text").classList.add("writing");
  $("stop").disabled = false;
  $("start").disabled = $("go-on").disabled = true;
  say("");
  send({ ...message, request });
}

function finish() {
  busy = false;
  const seconds = (performance.now() - began) / 1000;
  $("text").classList.remove("writing");
  $("stop").disabled = true;
  $("start").disabled = false;
  $("go-on").disabled = translates || !tokens.length;
  $("copy").disabled = !tokens.length;
  $("count").textContent = "";
  document.documentElement.dataset.rate = fresh / seconds;
  document.documentElement.dataset.finished = request;
  if (!fresh || $("status").textContent) return;
  const drawn = !translates && $("sampler").value !== "greedy" ? `, seed ${seed}` : "";
  say(`${fresh} ${unit} in ${seconds.toFixed(1)} s, ${(fresh / seconds).toFixed(0)} a second${drawn}.`);
}

function clear() {
  tokens = [];
  choose(-1);
  sourceSpans = [];
  $("map").hidden = $("source").hidden = true;
  $("text").replaceChildren();
}

function startText() {
  clear();
  prompt = $("prompt").value;
  const alike = description.lookalikes;
  const folded = Array.from(prompt, (character) => alike[character] ?? character).join("");
  if (folded !== prompt) prompt = $("prompt").value = folded; // a phone's quotation marks
  if (translates) return begin({ type: "translate", text: prompt });
  if (!prompt && description.rules.start === null && description.vocabulary.tokens.includes("\n")) {
    prompt = "\n"; // a new line is a beginning, too
  }
  const typed = $("seed").value.replace(/\D/g, "");
  seed = typed ? BigInt(typed).toString() : String(Math.floor(Math.random() * 1e6));
  const before = document.createElement("span");
  before.className = "prompt";
  before.textContent = prompt === "\n" ? "" : prompt;
  $("text").append(before);
  goOn();
}

/** Goes on from the prompt and what stands after it. */
function goOn() {
  begin({
    type: "write",
    prompt,
    written: tokens.map(({ id }) => id),
    length: Number($("length").value),
    settings: {
      sampler: $("sampler").value,
      temperature: Number($("temperature").value),
      k: Number($("top-k").value),
      p: Number(($("sampler").value === "min_p" ? $("min-p") : $("top-p")).value),
      seed,
    },
  });
}

/** Goes on from a token of the text with another in its place. */
function takeAnother(index, other) {
  const { alternatives } = tokens[index];
  for (const { element } of tokens.splice(index)) element.remove();
  show.token({ ...other, alternatives });
  choose(index);
  goOn();
}

function stop() {
  if (busy) send({ type: "stop", request });
}

async function copy() {
  const text = (translates ? "" : prompt) + tokens.map((token) => token.text).join("");
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
}

// -- The chosen token --------------------------------------------------------------------------

function choose(index) {
  for (const each of document.querySelectorAll(".chosen")) each.classList.remove("chosen");
  for (const span of sourceSpans) span.style.setProperty("--strength", 0);
  chosen = index;
  $("previous").disabled = index <= 0;
  $("next").disabled = index < 0 || index + 1 >= tokens.length;
  const token = tokens[index];
  $("alternatives").replaceChildren();
  $("token").replaceChildren();
  if (!token) return;
  token.element.classList.add("chosen");
  const share = document.createElement("small");
  share.textContent = `probability ${percent(token.probability)}`;
  if (!$("which").hidden) share.textContent += `, unit ${$("unit").value}: ${activation(token).toFixed(2)}`;
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
  const row = document.createElement(translates || other.text === null ? "div" : "button");
  row.className = "row";
  if (row.tagName === "BUTTON") {
    row.type = "button";
    row.title = "Go on from here with this instead";
    row.onclick = () => {
      stop();
      takeAnother(index, other);
    };
  }
  if (other.id === token.id) item.className = "taken";
  const [name, bar, share] = ["name", "bar", "share"].map((part) => {
    const span = document.createElement("span");
    span.className = part;
    row.append(span);
    return span;
  });
  const named = other.text === null || other.text in NAMES;
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
$("go-on").onclick = goOn;
$("stop").onclick = stop;
$("copy").onclick = copy;
$("previous").onclick = () => choose(chosen - 1);
$("next").onclick = () => choose(chosen + 1);
$("prompt").onkeydown = (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("form").requestSubmit();
};
document.onkeydown = (event) => {
  if (event.key === "Escape") stop();
};
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

function showSettings() {
  for (const field of document.querySelectorAll("[data-for]")) {
    field.hidden = !field.dataset.for.split(" ").includes($("sampler").value);
  }
  for (const output of document.querySelectorAll(".field output")) {
    const input = $(output.htmlFor[0]);
    output.textContent = input.value;
  }
}
$("settings").oninput = showSettings;

function introduce() {
  document.documentElement.classList.add(`task-${description.task}`);
  const millions = description.parameters / 1e6;
  const size = millions < 1 ? `${Math.round(millions * 1000)},000` : `${millions.toFixed(1)} million`;
  const does = translates ? "translates" : `writes, ${description.vocabulary.level} by ${description.vocabulary.level},`;
  $("about").textContent = `A recurrent network of ${size} weights that ${does} in this page. It ` +
    "loads nothing and sends nothing: all of it runs on your machine.";
  $("colophon").textContent = `Made by rnnzoo ${description.version}; weights in ${description.weights}. ` +
    (translates
      ? "Each step takes the likeliest token, as translate(text) does in Python."
      : "A seed writes here what it writes in Python with the same sampler: " +
        "generate(prompt, sampler=…, temperature=…, seed=…). Probabilities are the network’s own, " +
        "before temperature and sampler.") +
    (description.weights === "int8" ? " Rounded to 8 bits, the weights differ a little from the model’s." : "");
  $("prompt").value = description.prompt;
  if (translates) {
    $("prompt-label").textContent = "Text to translate";
    $("start").textContent = "Translate";
    $("go-on").hidden = true;
    $("text").setAttribute("aria-label", "The translation");
  }
  const level = (translates ? description.source_vocabulary : description.vocabulary).level;
  if (level !== "character") $("length").max = 500;
  if (level !== "character") $("length").value = 100;
  const swatches = document.querySelectorAll(".scale i");
  [...[1, 0.5, 0.1, 0.01].map(surprise), -1, 0, 1].forEach((value, i) => paint(swatches[i], value));
  if (!translates) offerUnits();
  choose(-1);
  showSettings();
  say("One moment: the weights are being read.");
}

introduce();
setTimeout(startWriter, 0); // the page is seen first
