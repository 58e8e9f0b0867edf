// How the text is shaded: by the surprise of each token, or by the activation of one unit after it.

const unitsOf = []; // the units of each tensor of the state

/** Puts the tensors of the state into the menu, named as `rnnzoo.inspect` names them. */
function offerUnits() {
  description.layers.forEach(({ cell, units }, layer) => {
    for (const name of STATES[cell]) {
      $("shading").append(new Option(`layer ${layer}, ${name}`, unitsOf.length));
      unitsOf.push(units);
    }
  });
}

/** Shades a token by what is chosen: its surprise, or one unit's activation after it. */
function shade(token) {
  const value = activation(token);
  paint(token.element, value === null ? surprise(token.probability) : value);
}

/** Gives an element its shade, for a number from -1 to 1. */
function paint(element, value) {
  element.style.setProperty("--strength", (0.55 * Math.min(1, Math.abs(value))).toFixed(3));
  element.style.setProperty("--colour", value < 0 ? "var(--below)" : "var(--shade)");
}

/** How unexpected a token was, from 0 to 1: a token of 8 bits or more is shaded fully. */
function surprise(probability) {
  return Math.min(1, -Math.log2(Math.max(probability, 1e-9)) / 8);
}

/** The activation of the chosen unit after a token; 0 without shading, null for surprise. */
function activation({ state }) {
  const by = $("shading").value;
  if (by === "surprise") return null;
  return by && state ? state[Number(by)][Number($("unit").value)] ?? 0 : 0;
}

/** Takes what a person has chosen to shade by. */
function shadeAll() {
  const by = $("shading").value, unit = by !== "" && by !== "surprise";
  $("which").hidden = !unit;
  if (unit) $("unit").max = unitsOf[Number(by)] - 1;
  for (const scale of document.querySelectorAll("#legend .scale")) {
    scale.hidden = scale.dataset.scale !== (unit ? "unit" : by);
  }
  tokens.forEach(shade);
  choose(chosen);
}
