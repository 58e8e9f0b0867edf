// The network: arrays out of the page's bytes, and one step of each kind of layer.

// Eight rows of a matrix lie interleaved, column by column, so that a product reads memory from
// one end to the other and each number of the vector once for all eight.
const BLOCK = 8;

/** Decodes the arrays of a page: float32 numbers, whatever they are stored as. */
function readArrays(index, buffer) {
  const halves = index.some((entry) => entry.dtype === "float16") ? float16Table() : null;
  return index.map(({ shape, dtype, at, scales_at: scalesAt }) => {
    if (shape.length === 1) return new Float32Array(buffer, at, shape[0]);
    const [rows, columns] = shape;
    const bits = dtype === "float16" ? new Uint16Array(buffer, at, rows * columns) : null;
    const whole = bits ? null : new Int8Array(buffer, at, rows * columns);
    const scales = bits ? null : new Float32Array(buffer, scalesAt, rows);
    const data = new Float32Array(Math.ceil(rows / BLOCK) * BLOCK * columns);
    for (let row = 0, from = 0; row < rows; row++) {
      for (let i = 0, to = firstOf(row, columns); i < columns; i++, from++, to += BLOCK) {
        data[to] = bits ? halves[bits[from]] : whole[from] * scales[row];
      }
    }
    return { data, rows, columns };
  });
}

/** Where the first number of a row lies; the others follow, each BLOCK places further. */
function firstOf(row, columns) {
  return (row - (row % BLOCK)) * columns + (row % BLOCK);
}

/** A row of a matrix: the vector of a token, out of an embedding. */
function rowOf({ data, columns }, row) {
  const vector = new Float32Array(columns);
  for (let i = 0, from = firstOf(row, columns); i < columns; i++, from += BLOCK) {
    vector[i] = data[from];
  }
  return vector;
}

/** The float32 number of each of the 65,536 float16 numbers. */
function float16Table() {
  const table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    let value = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24;
    if (exponent === 31) value = fraction ? NaN : Infinity;
    table[bits] = sign * value;
  }
  return table;
}

/** Adds the product of a matrix and a vector to `out`. */
function addProduct({ data, rows, columns }, vector, out) {
  for (let row = 0, at = 0; row < rows; row += BLOCK) {
    let s = 0, t = 0, u = 0, v = 0, w = 0, x = 0, y = 0, z = 0;
    for (let i = 0; i < columns; i++, at += BLOCK) {
      const number = vector[i];
      s += data[at] * number;
      t += data[at + 1] * number;
      u += data[at + 2] * number;
      v += data[at + 3] * number;
      w += data[at + 4] * number;
      x += data[at + 5] * number;
      y += data[at + 6] * number;
      z += data[at + 7] * number;
    }
    const sums = [s, t, u, v, w, x, y, z];
    for (let i = 0; i < Math.min(BLOCK, rows - row); i++) out[row + i] += sums[i];
  }
  return out;
}

const sigmoid = (x) => 1 / (1 + Math.exp(-x));

function concatenated(...vectors) {
  const whole = new Float32Array(vectors.reduce((sum, each) => sum + each.length, 0));
  let at = 0;
  for (const each of vectors) {
    whole.set(each, at);
    at += each.length;
  }
  return whole;
}

function softmax(numbers) {
  let largest = -Infinity;
  for (let i = 0; i < numbers.length; i++) if (numbers[i] > largest) largest = numbers[i];
  const result = new Float32Array(numbers.length);
  let sum = 0;
  for (let i = 0; i < numbers.length; i++) sum += result[i] = Math.exp(numbers[i] - largest);
  for (let i = 0; i < numbers.length; i++) result[i] /= sum;
  return result;
}

/** One step of each cell: (its weights, the input, the state) to the new state, output first. */
const CELLS = {
  lstm(cell, input, [h, c]) {
    const n = cell.units;
    const gates = cell.biases[0].slice();
    addProduct(cell.kernel, input, gates);
    addProduct(cell.recurrent, h, gates);
    const output = new Float32Array(n), memory = new Float32Array(n);
    for (let i = 0; i < n; i++) {
      const kept = sigmoid(gates[n + i]) * c[i];
      memory[i] = kept + sigmoid(gates[i]) * Math.tanh(gates[2 * n + i]);
      output[i] = sigmoid(gates[3 * n + i]) * Math.tanh(memory[i]);
    }
    return [output, memory];
  },

  gru(cell, input, [h]) {
    const n = cell.units;
    const fromInput = addProduct(cell.kernel, input, cell.biases[0].slice());
    const fromState = addProduct(cell.recurrent, h, cell.biases[1].slice());
    const output = new Float32Array(n);
    for (let i = 0; i < n; i++) {
      const update = sigmoid(fromInput[i] + fromState[i]);
      const reset = sigmoid(fromInput[n + i] + fromState[n + i]);
      const fresh = Math.tanh(fromInput[2 * n + i] + reset * fromState[2 * n + i]);
      output[i] = update * h[i] + (1 - update) * fresh;
    }
    return [output];
  },

  simple_rnn(cell, input, [h]) {
    const sums = addProduct(cell.kernel, input, cell.biases[0].slice());
    return [addProduct(cell.recurrent, h, sums).map(Math.tanh)];
  },
};
const STATES = { lstm: ["h", "c"], gru: ["h"], simple_rnn: ["h"] }; // tensors of a cell's state

/** What both kinds of models are made of. */
class Network {
  constructor(description, arrays) {
    this.arrays = arrays;
    this.layers = description.layers.map((cell) => this.cell(cell));
    this.embedding = arrays[description.embedding];
    this.head = { ...this.dense(description.head), projection: null };
    if (description.head.projection) {
      this.head.projection = this.dense(description.head.projection);
    }
  }

  cell({ cell, units, kernel, recurrent, biases }) {
    const { arrays } = this;
    return {
      step: CELLS[cell],
      states: STATES[cell].length,
      units,
      kernel: arrays[kernel],
      recurrent: arrays[recurrent],
      biases: biases.map((number) => arrays[number]),
    };
  }

  dense({ matrix, bias }) {
    return { matrix: this.arrays[matrix], bias: bias === null ? null : this.arrays[bias] };
  }

  apply({ matrix, bias }, vector) {
    return addProduct(matrix, vector, bias ? bias.slice() : new Float32Array(matrix.rows));
  }

  /** Runs layers one above the other; returns the last output and the new state. */
  run(layers, input, state) {
    const after = [];
    for (const layer of layers) {
      const own = state.slice(after.length, after.length + layer.states);
      const fresh = layer.step(layer, input, own);
      after.push(...fresh);
      input = fresh[0];
    }
    return [input, after];
  }

  logits(vector) {
    if (this.head.projection) vector = this.apply(this.head.projection, vector);
    return this.apply(this.head, vector);
  }
}

class LanguageModel extends Network {
  constructor(description, arrays) {
    super(description, arrays);
    this.startState = description.start_state.map((number) => arrays[number]);
  }

  /** Reads one token: the logits of the next, and the new state. `wanted` says whether the
   * logits are. */
  step(token, state, wanted = true) {
    const [output, after] = this.run(this.layers, rowOf(this.embedding, token), state);
    return { logits: wanted ? this.logits(output) : null, state: after };
  }
}

class Translator extends Network {
  constructor(description, arrays) {
    super(description, arrays);
    const { encoder, attention } = description;
    this.encoder = {
      embedding: arrays[encoder.embedding],
      merge: encoder.merge,
      bridges: encoder.bridges.map((bridge) => this.dense(bridge)),
      layers: encoder.layers.map((layer) => ({
        directions: layer.directions.map((cell) => this.cell(cell)),
        startState: layer.start_state.map((number) => arrays[number]),
      })),
    };
    this.position = description.attention_position;
    this.readout = this.dense(description.readout);
    this.attention = attention && {
      query: this.dense(attention.query),
      key: this.dense(attention.key),
      score: arrays[attention.score],
    };
  }

  /** Reads a source: the memory that every step looks back at, and the decoder's first state. */
  encode(ids) {
    const { embedding, merge, layers, bridges } = this.encoder;
    let values = ids.map((id) => rowOf(embedding, id));
    const state = [];
    for (const { directions, startState } of layers) {
      const { states } = directions[0];
      const [ahead, ...back] = directions.map((cell, direction) => {
        const order = direction ? [...values.keys()].reverse() : values.keys();
        const outputs = [];
        let now = startState.slice(direction * states, (direction + 1) * states);
        for (const place of order) {
          now = cell.step(cell, values[place], now);
          outputs[place] = now[0];
        }
        return { outputs, final: now };
      });
      if (!back.length) {
        values = ahead.outputs;
        state.push(...ahead.final);
        continue;
      }
      values = ahead.outputs.map((output, place) => merged(output, back[0].outputs[place], merge));
      ahead.final.forEach((final, index) => {
        const both = concatenated(final, back[0].final[index]);
        state.push(this.apply(bridges[state.length], both).map(Math.tanh));
      });
    }
    const keys = this.attention && values.map((value) => this.apply(this.attention.key, value));
    return { memory: { values, keys }, state };
  }

  /** Bahdanau's additive attention: the context and the weights over the source. */
  attend(asking, { values, keys }) {
    const { query, score } = this.attention;
    const asked = this.apply(query, asking);
    const scores = keys.map((key) => {
      let sum = 0;
      for (let i = 0; i < key.length; i++) sum += score[i] * Math.tanh(asked[i] + key[i]);
      return sum;
    });
    const weights = softmax(scores);
    const context = new Float32Array(values[0].length);
    values.forEach((value, place) => {
      for (let i = 0; i < value.length; i++) context[i] += weights[place] * value[i];
    });
    return { context, weights };
  }

  /** Writes one token: logits of the next, the new state, the attention weights (or null). */
  step(token, state, memory) {
    const embedded = rowOf(this.embedding, token);
    let context = new Float32Array(0), weights = null, input = embedded;
    if (this.position === "before_cell") {
      ({ context, weights } = this.attend(state[0], memory));
      input = concatenated(embedded, context);
    }
    const [output, after] = this.run(this.layers, input, state);
    if (this.position === "after_cell") {
      ({ context, weights } = this.attend(output, memory));
    }
    const features = concatenated(output, context, embedded);
    const vector = this.apply(this.readout, features).map(Math.tanh);
    return { logits: this.logits(vector), state: after, weights };
  }
}

function merged(ahead, back, merge) {
  if (merge === "concat") return concatenated(ahead, back);
  return ahead.map((number, i) => (merge === "sum" ? number + back[i] : number * back[i]));
}
