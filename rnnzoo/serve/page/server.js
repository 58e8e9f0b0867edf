// The server's page: what a person does becomes requests to the routes, and what these answer
// becomes text.
"use strict";

const ALTERNATIVES = 8; // of each token
const ENDS = {
  end: "It came to an end by itself.",
  time: "It stopped: a text may take no longer.",
  error: "The server stopped before the text was complete.",
};
const CUT = { // of translations, which come to an end as a rule
  length: "It is cut: a translation may get no longer.",
  time: "It is cut: a translation may take no longer.",
};
const TASKS = {
  generate: { style: "task-write", label: "Begin with", start: "Write", text: "The text that was written" },
  translate: { style: "task-translate", label: "Text to translate", start: "Translate", text: "The translation" },
  classify: { style: "task-classify", label: "Text to classify", start: "Classify", text: "The label" },
};
let models = new Map(), task = "generate", goesOn = true, unit = "characters";
let seed = 0, writing = 0, asked = null; // of the text at hand: seed, number and request

// -- Requests ----------------------------------------------------------------------------------

/** Sends a request; an answer that refuses it becomes an error with the server's sentence. */
async function request(path, body) {
  asked = new AbortController();
  const answer = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: $("model").value, ...body }),
    signal: asked.signal,
  });
  if (!answer.ok) throw new Error((await answer.json()).error);
  return answer;
}

/** Yields what stands in the server-sent events of an answer. */
async function* events(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ; ) {
    const { value, done } = await reader.read();
    if (done) return;
    const whole = (rest + value).split("\n\n");
    rest = whole.pop();
    for (const event of whole) yield JSON.parse(event.slice("data: ".length));
  }
}

/** Lets something write until it ends, fails or is stopped. */
async function during(write) {
  const own = ++writing;
  begin();
  try {
    await write();
  } catch (error) {
    if (error.name !== "AbortError") tell(error);
  }
  if (own !== writing) return;
  finish(goesOn ? seed : null);
  readAgain(); // where another unit was chosen meanwhile
}

function tell(error) {
  const lost = error instanceof TypeError; // what fetch throws where nothing answers
  say(lost ? "The server does not answer; is it still running?" : error.message, true);
}

function probable({ text, logprob }) {
  return { id: text, text, probability: Math.exp(logprob) };
}

/** A token as the reading aids take it; `unit` is the one whose activation it brings. */
function read(token, unit) {
  const alternatives = token.alternatives.map(probable);
  return { ...probable(token), alternatives, activations: unit ? { [unit]: token.activation } : {} };
}

// -- Writing and translating -------------------------------------------------------------------

function startText() {
  clearText();
  prompt = $("prompt").value;
  if (!goesOn) return during(task === "translate" ? translate : classify);
  const typed = $("seed").value.replace(/\D/g, "");
  seed = typed ? Number(typed) : Math.floor(Math.random() * 1e6);
  showPrompt(prompt);
  goOn();
}

function wholeText() {
  return prompt + tokens.map((token) => token.text).join("");
}

/** Goes on from the prompt and what stands after it. */
function goOn() {
  during(async () => {
    const unit = watched();
    const answer = await request("v1/generate", {
      prompt: wholeText(),
      alternatives: ALTERNATIVES,
      unit,
      max_new_tokens: Number($("length").value),
      temperature: Number($("temperature").value),
      sampler: "top_p",
      p: Number($("top-p").value),
      seed: seed + tokens.length, // what comes later is drawn anew
      stream: true,
    });
    for await (const { logprobs = [], finish_reason: reason } of events(answer)) {
      for (const token of logprobs) showToken(read(token, unit));
      count();
      if (reason in ENDS) say(ENDS[reason], reason === "error");
    }
  });
}

async function translate() {
  const ask = async (attention) =>
    (await request("v1/translate", { text: prompt, attention, alternatives: ALTERNATIVES })).json();
  let attention = models.get($("model").value).attention, found;
  try {
    found = await ask(attention);
  } catch (error) {
    if (!error.message.startsWith("`attention`")) throw error; // the text is too long for a map
    attention = false;
    found = await ask(attention);
    say("The text is too long for a map of the attention.");
  }
  if (found.finish_reason in CUT) say(CUT[found.finish_reason]);
  showSource(found.source, attention);
  found.logprobs.forEach((token, index) => {
    const row = attention ? found.attention[index] : undefined;
    if (token.text !== null) showToken({ ...read(token), attention: row });
    else if (row) addRow({ text: "end", attention: row });
  });
}

/** Shows the label as a token whose alternatives are the other labels. */
async function classify() {
  const answer = await request("v1/classify", { text: prompt });
  const { label, probabilities } = await answer.json();
  const labels = Object.entries(probabilities).map(([text, probability]) => ({ id: text, text, probability }));
  labels.sort((one, other) => other.probability - one.probability);
  showToken({ ...labels[0], text: label, id: label, alternatives: labels });
  choose(0);
  say(`${label}, ${percent(probabilities[label])}`);
}

function stop() {
  if (busy) asked.abort();
}

// -- One unit ----------------------------------------------------------------------------------

/** The unit to shade by, as the routes name it; null where there is none. */
function watched() {
  const found = chosenUnit();
  return found && `${found.tensor.layer}:${found.tensor.name}:${found.unit}`;
}

function activationOf({ activations }, { layer, name }, unit) {
  return activations?.[`${layer}:${name}:${unit}`];
}

/** Lets the server read the text again where tokens came without the unit's activation. */
async function readAgain() {
  const unit = watched(), those = [...tokens];
  if (!unit || busy || those.every(({ activations }) => activations?.[unit] !== undefined)) return;
  try {
    const answer = await request("v1/activations", { text: wholeText(), unit });
    const { activations } = await answer.json();
    const before = activations.length - those.length; // tokens of the prompt
    those.forEach((token, i) => {
      token.activations = { ...token.activations, [unit]: activations[before + i] };
      shade(token);
    });
    choose(chosen);
  } catch (error) {
    if (error.name !== "AbortError") tell(error);
  }
}

let waiting;
for (const kind of ["change", "input"]) {
  $("legend").addEventListener(kind, () => {
    clearTimeout(waiting);
    waiting = setTimeout(readAgain, 200); // a person who types a number has time to end it
  });
}

// -- Models ------------------------------------------------------------------------------------

function size(parameters) {
  if (parameters < 1e6) return `${Math.max(1, Math.round(parameters / 1e3))} thousand`;
  return `${(parameters / 1e6).toFixed(1)} million`;
}

/** What a model does, in words. */
function does({ task, level, labels }) {
  if (task === "translate") return "translates";
  return task === "classify" ? `classifies texts: ${labels.join(", ")}` : `writes, ${level} by ${level}`;
}

function chooseModel() {
  stop();
  clearText();
  fresh = 0; // what was stopped has nothing to tell any more
  say("");
  const model = models.get($("model").value);
  task = model.task;
  goesOn = task === "generate";
  unit = model.level === "character" ? "characters" : "tokens";
  const words = TASKS[task];
  document.documentElement.className = words.style;
  $("about").textContent = `A recurrent network of ${size(model.parameters)} weights that ${does(model)}.`;
  $("prompt-label").textContent = words.label;
  $("start").textContent = words.start;
  $("text").setAttribute("aria-label", words.text);
  offerUnits(model.states);
  $("go-on").hidden = !goesOn;
  $("go-on").disabled = $("copy").disabled = true;
  $("start").disabled = false;
}

async function findModels() {
  try {
    const { data } = await (await fetch("v1/models")).json();
    models = new Map(data.filter(({ level }) => level).map((model) => [model.id, model]));
  } catch {
    return say("The server does not answer; is it still running?", true);
  }
  if (!models.size) return say("No model that is served here reads text.", true);
  $("model").append(...[...models.keys()].map((name) => new Option(name)));
  chooseModel();
  document.documentElement.dataset.ready = "true";
}

$("model").onchange = chooseModel;
$("settings").oninput = showValues;
showValues();
findModels();
