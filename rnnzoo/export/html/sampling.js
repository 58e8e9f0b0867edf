// Samplers: from logits and one uniform number to a token, as rnnzoo.generation.samplers do it.

function likeliest(numbers) {
  let best = 0;
  for (let i = 1; i < numbers.length; i++) if (numbers[i] > numbers[best]) best = i;
  return best;
}

/** What each sampler leaves of the probabilities; ties with the last that is kept are kept. */
const KEPT = {
  temperature: () => 0,
  top_k: (falling, { k }) => falling[Math.min(k, falling.length) - 1],
  top_p: (falling, { p }) => {
    let sum = 0, last = 0;
    while (last < falling.length && sum < Math.fround(p)) sum = Math.fround(sum + falling[last++]);
    return falling[last - 1];
  },
  min_p: (falling, { p }) => Math.fround(falling[0] * Math.fround(p)),
};

function sample(logits, uniform, settings) {
  if (settings.sampler === "greedy" || settings.temperature === 0) return likeliest(logits);
  const largest = logits[likeliest(logits)];
  const probabilities = softmax(logits.map((logit) => (logit - largest) / settings.temperature));
  const falling = settings.sampler === "temperature" ? null : probabilities.slice().sort().reverse();
  const least = KEPT[settings.sampler](falling, settings);
  let total = 0;
  for (const each of probabilities) if (each >= least) total = Math.fround(total + each);
  // By the inverse of the cumulative distribution: the first token at which it reaches the number.
  const goal = Math.fround(uniform * total);
  let sum = 0, last = 0;
  for (let i = 0; i < probabilities.length; i++) {
    if (probabilities[i] < least || probabilities[i] === 0) continue;
    sum = Math.fround(sum + probabilities[i]);
    last = i;
    if (sum >= goal) return i;
  }
  return last;
}

/** The likeliest tokens, falling. */
function alternatives(probabilities, count) {
  const best = [];
  for (let i = 0; i < probabilities.length; i++) {
    if (best.length === count && probabilities[i] <= probabilities[best[count - 1]]) continue;
    let place = best.length;
    while (place > 0 && probabilities[best[place - 1]] < probabilities[i]) place--;
    best.splice(place, 0, i);
    if (best.length > count) best.pop();
  }
  return best;
}
