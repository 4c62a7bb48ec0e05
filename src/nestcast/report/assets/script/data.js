// The data: packed JSON, one array for each fact.

async function unpack() {
  const packed = Uint8Array.from(atob(document.getElementById("data").textContent), (c) =>
    c.charCodeAt(0),
  );
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

// One row of a block of numbers.
function rowOf(block, at) {
  return {
    past: block.past ? block.past[at] : null,
    mean: block.mean ? block.mean[at] : [block.total[at]],
    bands: block.bands ? block.bands[at] : null,
    total: block.total[at],
    low: block.low[at],
    high: block.high[at],
    last: block.last[at],
    year: block.year ? block.year[at] : null,
    ...stockOf(block, at),
    rate: block.rate ? rateOf(block.rate, at) : null,
    columns: block.columns ? block.columns.map(({ values }) => values[at]) : [],
  };
}

// Clicks in 100 impressions, as a row that a fan chart takes.
function rateOf(rate, at) {
  return { past: rate.past[at], mean: rate.mean[at], bands: rate.bands[at], stock: null };
}

// Units on hand, and to order now.
function stockOf(block, at) {
  return { stock: block.stock ? block.stock[at] : null, order: block.order ? block.order[at] : null };
}

// The series of an item, one for each place.
function seriesOf(data, item) {
  const found = [];
  for (let at = data.series.from[item]; at < data.series.from[item + 1]; at++) {
    const detailed = at < data.detailed.total.length;
    found.push({
      place: data.series.place[at],
      ...(detailed ? rowOf(data.detailed, at) : rowOf(data.series, at)),
      ...stockOf(data.series, at),
    });
  }
  return found;
}
