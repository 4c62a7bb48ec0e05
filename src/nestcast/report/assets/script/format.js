// Numbers and elements. Text from the data only ever enters the page as text.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat("en", { notation: "compact", minimumSignificantDigits: 3, maximumSignificantDigits: 3 });
const precise = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

function number(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  return (size >= 1e6 ? compact : size >= 100 ? whole : precise).format(value).replace("-", "−");
}

function interval(low, high) {
  return low === null || low === undefined ? "–" : `${number(low)} to ${number(high)}`;
}

function percent(now, before) {
  if (before === null || before === undefined || before <= 0) return "–";
  const change = Math.round((100 * now) / before - 100);
  return `${change > 0 ? "+" : change < 0 ? "−" : ""}${whole.format(Math.abs(change))}%`;
}

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// A name of any script, kept from turning the text around it.
function named(text) {
  return element("bdi", {}, text);
}

function sparkline(past, mean) {
  const values = [...past.slice(-24), ...mean];
  const known = values.filter((value) => value !== null);
  const top = Math.max(...known, 0);
  const bottom = Math.min(...known, 0);
  const x = (at) => ((2 + (96 * at) / Math.max(values.length - 1, 1))).toFixed(1);
  const y = (value) => (22 - (20 * (value - bottom)) / (top - bottom || 1)).toFixed(1);
  const points = (from, to) =>
    values
      .map((value, at) => (value === null || at < from || at >= to ? "" : `${x(at)},${y(value)}`))
      .join(" ");
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 100 24");
  svg.setAttribute("class", "spark");
  svg.setAttribute("aria-hidden", "true");
  const split = values.length - mean.length;
  for (const [kind, from, to] of [["past", 0, split], ["ahead", Math.max(split - 1, 0), values.length]]) {
    const line = document.createElementNS(space, "polyline");
    line.setAttribute("class", kind);
    line.setAttribute("points", points(from, to));
    svg.append(line);
  }
  return svg;
}
