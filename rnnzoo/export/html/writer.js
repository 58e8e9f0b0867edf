// The writer: takes requests, writes token by token and tells what it wrote. It runs in a worker;
// where a browser allows none, the page runs it itself, a little at a time.

const ALTERNATIVES = 8; // of each token
const TURN = 25; // milliseconds of work between two looks at the mail

class Writer {
  constructor(description, buffer) {
    const arrays = readArrays(description.arrays, buffer);
    const { task } = description;
    this.rules = description.rules;
    if (task === "write") {
      this.model = new LanguageModel(description, arrays);
      this.vocabulary = new Vocabulary(description.vocabulary);
    } else {
      this.model = new Translator(description, arrays);
      this.source = new Vocabulary(description.source_vocabulary);
      const target = description.target_vocabulary;
      this.vocabulary = target ? new Vocabulary(target) : this.source;
    }
    this.last = null; // what was read last, and the state after it
  }

  /** Goes on from a prompt and from what was written after it; yields events. */
  *write({ prompt, written = [], length, settings }) {
    const { vocabulary, rules } = this;
    const read = vocabulary.encode(prompt);
    if (read.missing.length && vocabulary.unknown === null) {
      yield { kind: "missing", symbols: read.missing };
      return;
    }
    if (read.missing.length) yield { kind: "unknown", symbols: read.missing };
    const before = rules.start === null ? read.ids : [rules.start, ...read.ids];
    if (!before.length) {
      yield { kind: "empty" };
      return;
    }
    const ids = [...before, ...written];
    const uniforms = new Uniforms(settings.seed);
    for (let i = 0; i < written.length; i++) uniforms.next();
    let { logits, state } = yield* this.readAll(ids);
    if (written.length) yield { kind: "state", index: written.length - 1, state };
    const spaced = vocabulary.level !== "character" && /\s$/u.test(prompt);
    for (let count = 0; count < length; count++) {
      this.suppress(logits);
      const id = sample(logits, uniforms.next(), settings);
      if (id === rules.end) {
        yield { kind: "end", reason: "ended" };
        return;
      }
      const event = this.event(id, logits, ids, spaced && ids.length === before.length);
      ids.push(id);
      ({ logits, state } = this.model.step(id, state));
      this.last = { ids: ids.slice(), logits, state };
      yield { ...event, state };
    }
    yield { kind: "end", reason: "length" };
  }

  /** Reads ids, from where the last text left off if these begin with it. */
  *readAll(ids) {
    const { last } = this;
    const goesOn = last && last.ids.length <= ids.length && last.ids.every((id, i) => id === ids[i]);
    let { logits, state } = goesOn ? last : { logits: null, state: this.model.startState };
    for (let i = goesOn ? last.ids.length : 0; i < ids.length; i++) {
      ({ logits, state } = this.model.step(ids[i], state, i === ids.length - 1));
      yield { kind: "read" };
    }
    this.last = { ids: ids.slice(), logits, state };
    return { logits, state };
  }

  /** Translates a text by greedy search; yields events. */
  *translate({ text }) {
    const { source, vocabulary, rules, model } = this;
    const read = source.encode(text);
    if (read.missing.length && source.unknown === null) {
      yield { kind: "missing", symbols: read.missing };
      return;
    }
    if (!text.trim() || !read.ids.length) {
      yield { kind: "empty" };
      return;
    }
    if (read.missing.length) yield { kind: "unknown", symbols: read.missing };
    const sourceIds = source.end === null ? read.ids : [...read.ids, source.end];
    const texts = sourceIds.map((id, i) => source.decode([id], sourceIds.slice(0, i)));
    yield { kind: "source", texts };
    const { memory, state: first } = model.encode(sourceIds);
    let state = first, token = rules.start;
    const ids = [];
    for (let limit = 2 * sourceIds.length + 10; limit > 0; limit--) {
      const step = model.step(token, state, memory);
      ({ state } = step);
      this.suppress(step.logits);
      token = likeliest(step.logits);
      const event = this.event(token, step.logits, ids);
      event.attention = step.weights && Array.from(step.weights);
      if (token === rules.end) {
        yield { ...event, kind: "last" };
        yield { kind: "end", reason: "ended" };
        return;
      }
      ids.push(token);
      yield event;
    }
    yield { kind: "end", reason: "length" };
  }

  suppress(logits) {
    for (const id of this.rules.suppressed) logits[id] -= 1e9;
  }

  /**
   * What the page shows of a token: its text, and how likely it and others were. Where the prompt
   * ends in white space, the first token is `spaced` already.
   */
  event(id, logits, before, spaced = false) {
    const text = (token) => {
      const decoded = this.vocabulary.decode([token], before);
      return spaced ? decoded.replace(/^ /, "") : decoded;
    };
    const probabilities = softmax(logits);
    const others = alternatives(probabilities, ALTERNATIVES);
    return {
      kind: "token",
      id,
      text: text(id),
      probability: probabilities[id],
      alternatives: others.map((other) => ({
        id: other,
        text: other === this.rules.end ? null : text(other),
        probability: probabilities[other],
      })),
    };
  }
}

/** Makes the function that takes messages; `post` takes the answers. */
function makeWriter(post) {
  let writer = null, job = null, called = false;
  const channel = new MessageChannel(); // a timer would wait 4 ms each time
  const turn = () => {
    called = false;
    if (!job) return;
    const events = [], until = performance.now() + TURN;
    let finished = false;
    while (!finished && performance.now() < until) {
      const { value, done } = job.events.next();
      finished = done;
      if (value && value.kind !== "read") events.push(value);
    }
    post({ type: "events", request: job.request, events, finished });
    if (finished) job = null;
    else callAgain();
  };
  const callAgain = () => {
    if (!called) channel.port2.postMessage(null);
    called = true;
  };
  channel.port1.onmessage = turn;
  return (message) => {
    if (message.type === "load") {
      writer = new Writer(message.description, message.buffer);
      post({ type: "ready" });
    } else if (message.type === "stop") {
      if (job) post({ type: "events", request: job.request, events: [], finished: true });
      job = null;
    } else {
      job = { request: message.request, events: writer[message.type](message) };
      callAgain();
    }
  };
}
