// Shows a record: the tokens of a text, shaded by what is chosen, with what else was likely.

const $ = (id) => document.getElementById(id);
const { tokens, views } = JSON.parse($("record").textContent);
const NAMES = { " ": "space", "\n": "line break", "\t": "tab" };
const visible = (text) => NAMES[text] ?? text.replaceAll("\n", "↵");
const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
let spans = [], chosen = 0;

/** Shades every token: warm above zero, cold below, fully at the largest value of the view. */
function shade({ values, full, legend }) {
  spans.forEach((span, place) => {
    const value = values[place] ?? 0;
    span.style.setProperty("--strength", (0.75 * Math.min(1, Math.abs(value) / full)).toFixed(3));
    span.style.setProperty("--colour", value < 0 ? "var(--cold)" : "var(--warm)");
  });
  $("legend").textContent = legend;
}

/** Shows one token: how likely it was, and what the network would have expected. */
function choose(place) {
  spans[chosen].className = "";
  spans[chosen].tabIndex = -1;
  chosen = place;
  spans[place].className = "chosen";
  spans[place].tabIndex = 0; // where the Tab key enters the text
  const { text, probability, rank, alternatives } = tokens[place];
  const view = views[$("view").selectedIndex], value = view.values[place];
  const notes = document.createElement("small");
  notes.textContent = probability === null
    ? "given, not predicted"
    : `probability ${percent(probability)}, rank ${rank}`;
  if (value !== null) notes.append(document.createElement("br"), `${view.name}: ${value.toFixed(2)}`);
  $("token").replaceChildren(visible(text), notes);
  $("alternatives").replaceChildren(...alternatives.map(([other, share]) => {
    const item = document.createElement("li");
    const name = document.createElement(other === text ? "b" : "span");
    name.textContent = visible(other);
    item.append(name, ` ${percent(share)}`);
    return item;
  }));
}

for (const [place, { text }] of tokens.entries()) {
  const span = document.createElement("span");
  span.textContent = text;
  span.tabIndex = -1;
  span.onmouseenter = span.onfocus = () => choose(place);
  spans.push(span);
}
$("text").append(...spans);
$("text").onkeydown = ({ key }) => {
  const step = { ArrowRight: 1, ArrowLeft: -1, Home: -spans.length, End: spans.length }[key];
  if (step) spans[Math.max(0, Math.min(spans.length - 1, chosen + step))].focus();
};
$("view").append(...views.map(({ name }) => new Option(name)));
$("view").onchange = () => {
  shade(views[$("view").selectedIndex]);
  choose(chosen);
};
shade(views[0]);
choose(0);
document.documentElement.dataset.ready = "true";
