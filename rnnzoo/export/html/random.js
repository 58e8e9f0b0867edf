// Random numbers as NumPy draws them, so that a seed writes here what it writes in Python:
// SeedSequence (after Melissa O'Neill's seed_seq) and PCG64 (O'Neill, "PCG", 2014).

/** Four 64-bit words out of a seed of any size: numpy.random.SeedSequence. */
function seedWords(seed) {
  const entropy = [];
  for (let rest = BigInt(seed); rest > 0n || !entropy.length; rest >>= 32n) {
    entropy.push(Number(rest & 0xffffffffn));
  }
  let constant = 0x43b0d7e5;
  const hashed = (value) => {
    value = (value ^ constant) >>> 0;
    constant = Math.imul(constant, 0x931e8875) >>> 0;
    value = Math.imul(value, constant) >>> 0;
    return (value ^ (value >>> 16)) >>> 0;
  };
  const mixed = (x, y) => {
    const value = (Math.imul(0xca01f9dd, x) - Math.imul(0x4973f715, y)) >>> 0;
    return (value ^ (value >>> 16)) >>> 0;
  };
  const pool = [0, 1, 2, 3].map((i) => hashed(entropy[i] || 0));
  for (let from = 0; from < 4; from++) {
    for (let to = 0; to < 4; to++) if (from !== to) pool[to] = mixed(pool[to], hashed(pool[from]));
  }
  for (let from = 4; from < entropy.length; from++) {
    for (let to = 0; to < 4; to++) pool[to] = mixed(pool[to], hashed(entropy[from]));
  }
  constant = 0x8b51f9dd;
  const halves = Array.from({ length: 8 }, (_, i) => {
    let value = (pool[i % 4] ^ constant) >>> 0;
    constant = Math.imul(constant, 0x58f38ded) >>> 0;
    value = Math.imul(value, constant) >>> 0;
    return BigInt((value ^ (value >>> 16)) >>> 0);
  });
  return [0, 2, 4, 6].map((i) => halves[i] | (halves[i + 1] << 32n));
}

/** Numbers in [0, 1) of 24 bits: numpy.random.default_rng(seed).random(dtype="float32"). */
class Uniforms {
  constructor(seed) {
    const [a, b, c, d] = seedWords(seed);
    this.increment = (((c << 64n) | d) << 1n) | 1n;
    this.state = 0n;
    this.advance();
    this.state += (a << 64n) | b;
    this.advance();
    this.waiting = null; // the second half of a 64-bit number
  }

  advance() {
    const multiplier = 0x2360ed051fc65da44385df649fccf645n;
    this.state = BigInt.asUintN(128, this.state * multiplier + this.increment);
  }

  next() {
    let bits = this.waiting;
    if (bits === null) {
      this.advance();
      const folded = BigInt.asUintN(64, (this.state >> 64n) ^ this.state);
      const turn = this.state >> 122n;
      const turned = BigInt.asUintN(64, (folded >> turn) | (folded << (-turn & 63n)));
      bits = Number(turned & 0xffffffffn);
      this.waiting = Number(turned >> 32n);
    } else {
      this.waiting = null;
    }
    return (bits >>> 8) / 16777216;
  }
}
