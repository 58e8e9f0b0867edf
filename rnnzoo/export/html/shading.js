// How the text is shaded: by the surprisal of each token, or by the activation of one unit after it.
// A page gives `activationOf(token, tensor, unit)`: a number, or undefined where it is not known.

let tensors = []; // of the state: layer, name and units, named as `rnnzoo.inspect` names them

/** Puts the tensors of the state into the menu, in place of others. */
function offerUnits(found) {
  tensors = found;
  [...$("shading").options].forEach((option) => { if (isTensor(option.value)) option.remove(); });
  tensors.forEach(({ layer, name }, i) => $("shading").append(new Option(`layer ${layer}, ${name}`, i)));
  shadeAll();
}

function isTensor(by) {
  return by !== "" && by !== "surprisal";
}

/** The unit that is chosen: its tensor and its place in it; null where none is. */
function chosenUnit() {
  const by = $("shading").value;
  if (!isTensor(by)) return null;
  const tensor = tensors[Number(by)];
  return { tensor, unit: Math.max(0, Math.min(tensor.units - 1, Math.floor(Number($("unit").value)))) };
}

/** Shades a token by what is chosen: its surprisal, or one unit's activation after it. */
function shade(token) {
  const value = activation(token);
  paint(token.element, value === null ? surprisal(token.probability) : value);
}

/** Gives an element its shade, for a number from -1 to 1. */
function paint(element, value) {
  element.style.setProperty("--strength", (0.55 * Math.min(1, Math.abs(value))).toFixed(3));
  element.style.setProperty("--colour", value < 0 ? "var(--below)" : "var(--shade)");
}

/** How unexpected a token was, from 0 to 1: a token of 8 bits or more is shaded fully. */
function surprisal(probability) {
  return Math.min(1, -Math.log2(Math.max(probability, 1e-9)) / 8);
}

/** The activation of the chosen unit after a token; 0 without shading, null for surprisal. */
function activation(token) {
  if ($("shading").value === "surprisal") return null;
  const found = chosenUnit();
  return found ? activationOf(token, found.tensor, found.unit) ?? 0 : 0;
}

/** Takes what a person has chosen to shade by. */
function shadeAll() {
  const by = $("shading").value, unit = isTensor(by);
  $("which").hidden = !unit;
  if (unit) $("unit").max = tensors[Number(by)].units - 1;
  for (const scale of document.querySelectorAll("#legend .scale")) {
    scale.hidden = scale.dataset.scale !== (unit ? "unit" : by);
  }
  tokens.forEach(shade);
  choose(chosen);
}
