// Runs a page's engine in Node: reads {"page": path, "requests": [...]} from standard input and
// writes a list of results. Used by test_html.py.
const fs = require("fs");

const { page, requests } = JSON.parse(fs.readFileSync(0, "utf8"));
const html = fs.readFileSync(page, "utf8");
const script = (id) => html.match(new RegExp(`<script id="${id}"[^>]*>([^]*?)</script>`))[1];
const description = JSON.parse(script("model"));
const bytes = new Uint8Array(Buffer.from(script("weights").trim(), "base64"));
const engine = new Function(
  `${script("engine")}; return { Writer, Vocabulary, Uniforms, sample, makeWriter };`,
)();
const writer = new engine.Writer(description, bytes.buffer);

const answers = {
  encode({ text, side }) {
    return (side === "source" ? writer.source : writer.vocabulary).encode(text);
  },
  decode({ ids, after }) {
    return writer.vocabulary.decode(ids, after);
  },
  /** How a reader sees a text: a function of the page, which the engine lacks. */
  visible({ text }) {
    const [source] = html.match(/const NAMES = [^]*?\n}\n/);
    return new Function(`${source}; return visible;`)()(text);
  },
  /** The logits after each id. */
  logits({ ids }) {
    let state = writer.model.startState;
    return ids.map((id) => {
      const step = writer.model.step(id, state);
      ({ state } = step);
      return Array.from(step.logits);
    });
  },
  /** The logits of a target, and the attention weights, given a source. */
  pair({ source, target }) {
    const { memory, state: first } = writer.model.encode(source);
    let state = first;
    return target.map((id) => {
      const step = writer.model.step(id, state, memory);
      ({ state } = step);
      return { logits: Array.from(step.logits), weights: step.weights && Array.from(step.weights) };
    });
  },
  events(request) {
    const began = performance.now();
    const events = [...writer[request.type](request)].filter(({ kind }) => kind !== "read");
    const texts = events.filter(({ kind }) => kind === "token").map(({ text }) => text);
    return { events, text: texts.join(""), seconds: (performance.now() - began) / 1000 };
  },
  uniforms({ seed, count }) {
    const uniforms = new engine.Uniforms(seed);
    return Array.from({ length: count }, () => uniforms.next());
  },
  sample({ logits, uniforms, settings }) {
    return uniforms.map((uniform) => engine.sample(Float32Array.from(logits), uniform, settings));
  },
};
const results = requests.map((request) => answers[request.ask](request));
// A typed array would be written as an object.
const plain = (_, value) => (ArrayBuffer.isView(value) ? Array.from(value) : value);
process.stdout.write(JSON.stringify(results, plain));
