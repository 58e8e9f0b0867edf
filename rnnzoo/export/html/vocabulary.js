// The vocabulary: text to ids and back, by the rules that stand in the page as patterns.

class Vocabulary {
  constructor(description) {
    Object.assign(this, description);
    this.silent = new Set([this.pad, this.start, this.end]);
    this.silent.delete(null);
    this.ids = new Map();
    const character = this.level === "character";
    this.tokens.forEach((token, id) => {
      // Typed into a text the special tokens are ordinary text, and of several characters.
      const special = character ? [...token].length > 1 : this.silent.has(id);
      if (!special) this.ids.set(token, id);
    });
    const pattern = (text) => new RegExp(text, "gu");
    const rules = (pairs) => (pairs || []).map(([text, rewrite]) => [pattern(text), rewrite]);
    this.token = this.token && pattern(this.token);
    this.lineBreak = this.line_break && pattern(this.line_break);
    this.deleted = this.deleted && pattern(this.deleted);
    this.steps = rules(this.steps);
    this.passes = rules(this.passes);
    this.attachments = rules(this.attachments);
  }

  /** Turns a text into ids, and lists the symbols that the vocabulary lacks. */
  encode(text) {
    const ids = [], missing = new Set();
    for (const symbol of this.split(text)) {
      const id = this.ids.get(symbol);
      if (id === undefined) missing.add(symbol);
      ids.push(id === undefined ? this.unknown : id);
    }
    return { ids, missing: [...missing] };
  }

  split(text) {
    text = this.prepare(text);
    if (this.level === "character") return [...text];
    if (this.level === "word") return text.match(this.token) || [];
    text = rewritten(this.space + text, this.steps);
    return (text.match(this.token) || [])
      .filter((unit) => unit !== this.space) // what was at the end
      .flatMap((unit) => this.pieces([...unit]));
  }

  /** Cuts a unit into pieces: joins the pair with the lowest id, again and again. */
  pieces(characters) {
    const pieces = characters.splice(0, this.longest);
    for (;;) {
      let best = Infinity, place = -1;
      for (let i = 0; i + 1 < pieces.length; i++) {
        const id = this.ids.get(pieces[i] + pieces[i + 1]);
        if (id !== undefined && id < best) [best, place] = [id, i];
      }
      if (place < 0) break;
      pieces.splice(place, 2, pieces[place] + pieces[place + 1]);
    }
    return characters.length ? [...pieces, ...this.pieces(characters)] : pieces;
  }

  prepare(text) {
    if (this.keep_line_breaks) text = text.replace(/\r\n?/g, "\n");
    if (this.normalization) text = text.normalize(this.normalization);
    if (this.lowercase) {
      text = Array.from(text, lower).join("");
      if (this.normalization) text = text.normalize(this.normalization);
    }
    return this.deleted ? text.replace(this.deleted, "") : text;
  }

  /** The text of ids that come after others: it begins with a space where one belongs. */
  decode(ids, after = []) {
    const visible = (all) => all.filter((id) => !this.silent.has(id));
    const fresh = visible(ids);
    if (this.level === "character") return fresh.map((id) => this.tokens[id]).join("");
    const before = visible(after);
    const whole = this.join([...before, ...fresh]);
    if (this.attachments.length) {
      const count = before.reduce((sum, id) => sum + withoutSpaces(this.tokens[id]).length, 0);
      return afterCharacters(whole, count);
    }
    const start = this.join(before);
    return whole.startsWith(start) ? whole.slice(start.length) : whole;
  }

  join(ids) {
    const tokens = ids.map((id) => this.tokens[id]);
    if (this.level === "subword") {
      const text = tokens.join("").replaceAll(this.space, " ").replace(/^ +| +$/g, "");
      return text.replace(this.lineBreak, "\n");
    }
    if (this.classes) return this.spaced(ids, tokens);
    if (this.attachments.length) {
      const text = rewritten(` ${tokens.join(" ")} `, this.attachments);
      return text.replace(/^[ \t\n\v\f\r]+|[ \t\n\v\f\r]+$/g, "");
    }
    return tokens.join(" ").replace(this.lineBreak, "\n");
  }

  /** Puts words and marks together: the classes of neighbours say where a space goes. */
  spaced(ids, tokens) {
    const { none_after: noneAfter, none_before: noneBefore, alone, dots } = this.spacing;
    const classes = rewritten(ids.map((id) => this.classes[id]).join(""), this.passes);
    return tokens.map((token, i) => {
      if (i === 0) return token;
      const left = classes[i - 1], right = classes[i];
      const touching = noneAfter.includes(left) || noneBefore.includes(right);
      const near = touching && !alone.includes(right) && !(left === right && left === dots);
      return near ? token : ` ${token}`;
    }).join("");
  }
}

function rewritten(text, rules) {
  return rules.reduce((whole, [pattern, rewrite]) => whole.replace(pattern, rewrite), text);
}

/** Unicode's simple mapping of one code point, which looks at no neighbour. */
function lower(character) {
  return character === "\u0130" ? "i" : character.toLowerCase();
}

function withoutSpaces(text) {
  return [...text].filter((character) => character !== " ");
}

/** What stands in a text after so many characters, spaces not counted. */
function afterCharacters(text, count) {
  if (!count) return text;
  let seen = 0, at = 0;
  for (const character of text) {
    at += character.length;
    if (character !== " " && ++seen === count) return text.slice(at);
  }
  return "";
}
