// Charts: specifications of Vega-Lite, and the data of what is shown.

const specifications = JSON.parse(document.getElementById("charts").textContent);

async function draw(name, container, datasets) {
  const { layer, ...rest } = specifications[name];
  // A layer without data would only make Vega warn of it.
  const filled = layer.filter(({ data }) => !data.name || datasets[data.name].length);
  const specification = { ...rest, layer: filled, datasets };
  const { view } = await vegaEmbed(container, specification, { renderer: "svg", mode: "vega-lite", actions: false });
  container.querySelector("svg").setAttribute("aria-hidden", "true"); // the text says the same
  return view;
}

function band(row, step, at) {
  const bands = row.bands ? row.bands[step] : [];
  const one = bands.length ? bands[Math.min(at, bands.length - 1)] : [row.mean[step], row.mean[step]];
  return one[0] === null ? [row.mean[step], row.mean[step]] : one;
}

// History, forecast and intervals of one row; the fan opens at the last known value.
function drawFan(data, container, row) {
  const { dates, names, ahead } = data.periods;
  const known = dates.length - ahead;
  const past = [];
  for (let at = 0; at < known; at++) {
    const y = row.past ? row.past[at] : null;
    if (y !== null) past.push({ x: dates[at], y, tip: `${names[at]}: ${number(y)} ${data.unit}` });
  }
  const steps = row.mean.map((mean, step) => {
    const [low0, high0] = band(row, step, 0);
    const [low1, high1] = band(row, step, 1);
    const range = data.levels
      .map((level, at) => `${level}%: ${interval(...band(row, step, at))}`)
      .join("; ");
    const tip = `${names[known + step]}: ${number(mean)} ${data.unit} expected; ${range}`;
    return { x: dates[known + step], mean, low0, high0, low1, high1, tip };
  });
  const last = past.length && past[past.length - 1].x === dates[known - 1] ? past[past.length - 1] : null;
  const origin = last && { x: last.x, mean: last.y, low0: last.y, high0: last.y, low1: last.y, high1: last.y };
  const line = [];
  if (row.stock !== null) {
    let left = row.stock;
    line.push({ x: dates[Math.max(known - 1, 0)], y: left });
    row.mean.forEach((mean, step) => {
      left = Math.max(left - mean, 0);
      line.push({ x: dates[known + step], y: left });
    });
  }
  return draw("fan", container, {
    past,
    steps,
    ahead: origin ? [origin, ...steps] : steps,
    alone: !origin && steps.length === 1 ? steps : [],
    stock: line,
  });
}
