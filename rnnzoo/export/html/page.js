// The page: what a person does becomes requests to the writer, and its events become text.

const description = JSON.parse($("model").textContent);
const translates = description.task === "translate", goesOn = !translates;
const characters = !translates && description.vocabulary.level === "character";
const unit = characters ? "characters" : "tokens";
let request = 0, seed = 0;

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
  count();
  if (message.finished) finish(translates || $("sampler").value === "greedy" ? null : seed);
}

// -- What events show --------------------------------------------------------------------------

const show = {
  token: showToken,
  /** The state after a token that was written before, or put in the place of another. */
  state({ index, state }) {
    tokens[index].state = state;
    shade(tokens[index]);
  },
  last(event) {
    if (event.attention) addRow({ ...event, text: "end" });
  },
  source({ texts }) {
    showSource(texts, description.attention);
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

function activationOf({ state }, tensor, unit) {
  return state?.[tensors.indexOf(tensor)][unit];
}

// -- Requests ----------------------------------------------------------------------------------

function ask(message) {
  request++;
  begin();
  send({ ...message, request });
}

function startText() {
  clearText();
  prompt = $("prompt").value;
  const alike = description.lookalikes;
  const folded = Array.from(prompt, (character) => alike[character] ?? character).join("");
  if (folded !== prompt) prompt = $("prompt").value = folded; // a phone's quotation marks
  if (translates) return ask({ type: "translate", text: prompt });
  if (!prompt && description.rules.start === null && description.vocabulary.tokens.includes("\n")) {
    prompt = "\n"; // a new line is a beginning, too
  }
  const typed = $("seed").value.replace(/\D/g, "");
  seed = typed ? BigInt(typed).toString() : String(Math.floor(Math.random() * 1e6));
  showPrompt(prompt === "\n" ? "" : prompt);
  goOn();
}

/** Goes on from the prompt and what stands after it. */
function goOn() {
  ask({
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

function stop() {
  if (busy) send({ type: "stop", request });
}

// -- Controls ----------------------------------------------------------------------------------

function showSettings() {
  for (const field of document.querySelectorAll("[data-for]")) {
    field.hidden = !field.dataset.for.split(" ").includes($("sampler").value);
  }
  showValues();
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
  if (!translates) {
    offerUnits(description.layers.flatMap(({ cell, units }, layer) =>
      STATES[cell].map((name) => ({ layer, name, units }))));
  }
  showSettings();
  say("One moment: the weights are being read.");
}

introduce();
setTimeout(startWriter, 0); // the page is seen first
