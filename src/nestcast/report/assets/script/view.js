// The view of one item, shop or category: a dialog with its history, forecast and parts.

let shown = []; // the charts on view

function legend(data, withStock) {
  const entries = [["past", "history"], ["forecast", "forecast"]];
  data.levels.forEach((level, at) => entries.push([`band${at}`, `${level}% interval`]));
  if (withStock) entries.push(["stock", "stock left"]);
  const list = element("ul", { class: "legend" });
  for (const [kind, text] of entries) list.append(element("li", { class: kind }, text));
  return list;
}

function facts(data, row) {
  const list = element("dl", { class: "facts" });
  const add = (term, text) => list.append(element("div", {}, element("dt", {}, term), element("dd", {}, text)));
  add(data.words.ahead, `${number(row.total)} ${data.unit}`);
  if (data.level !== null) add(`${data.level}% interval`, interval(row.low, row.high));
  add(data.words.before, number(row.last));
  if (row.stock !== null) add("on hand", number(row.stock));
  if (row.order !== null) add("to order now", number(row.order));
  row.columns.forEach((value, at) => add(data.items.columns[at].title, number(value)));
  if (row.year !== null) add("a year before", number(row.year));
  return list;
}

function numbers(data, row) {
  const { names, ahead } = data.periods;
  const known = names.length - ahead;
  const head = element("tr", {}, element("th", { scope: "col" }, data.words.period), element("th", { scope: "col" }, data.unit));
  if (data.level !== null) head.append(element("th", { scope: "col" }, `${data.level}% interval`));
  const body = element("tbody");
  row.mean.forEach((mean, step) => {
    const cells = [element("th", { scope: "row" }, `${names[known + step]} (forecast)`), element("td", {}, number(mean))];
    if (data.level !== null) {
      cells.push(element("td", {}, row.bands ? interval(...band(row, step, data.levels.indexOf(data.level))) : interval(row.low, row.high)));
    }
    body.prepend(element("tr", {}, ...cells));
  });
  for (let at = known - 1; at >= 0 && row.past; at--) {
    if (row.past[at] === null) continue;
    const cells = [element("th", { scope: "row" }, names[at]), element("td", {}, number(row.past[at]))];
    if (data.level !== null) cells.push(element("td"));
    body.append(element("tr", {}, ...cells));
  }
  const table = element("table", { class: "plain" }, element("thead", {}, head), body);
  return element("details", {}, element("summary", {}, "The numbers"), table);
}

async function show(data, { name, about, why, row, parts }) {
  const dialog = document.getElementById("view");
  const chart = element("div", { class: "chart" });
  const title = dialog.querySelector("h2");
  title.replaceChildren(named(name));
  const body = dialog.querySelector(".body");
  body.replaceChildren();
  if (about) body.append(element("p", { class: "quiet" }, named(about)));
  if (why) body.append(element("p", { class: "why" }, named(why)));
  body.append(facts(data, row));
  if (row.past || row.bands) body.append(legend(data, row.stock !== null), chart);
  else body.append(element("p", { class: "quiet" }, "The page carries no history of this one: it has room for those that matter most."));
  const rateChart = element("div", { class: "chart" });
  if (row.rate) body.append(element("h3", {}, "Clicks in 100 impressions"), rateChart);
  if (row.past) body.append(numbers(data, row));
  if (parts) body.append(...parts);
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  for (const one of shown) one.finalize();
  shown = [];
  if (row.past || row.bands) shown.push(await drawFan(data, chart, row));
  if (row.rate) shown.push(await drawFan({ ...data, unit: "%" }, rateChart, row.rate));
}

// Parts of what is on view, the largest first, each of which leads on.
function partsTable(data, caption, word, parts) {
  const sorted = [...parts].sort((a, b) => b.row.total - a.row.total);
  const most = 60;
  const table = element("table", { class: "plain" }, element("caption", {}, caption));
  const stocked = parts.some(({ row }) => row.stock !== null);
  const head = element("tr", {}, element("th", { scope: "col" }, word));
  // With stock there are more columns than a phone has room for.
  const less = stocked ? { class: "roomy" } : {};
  head.append(element("th", { scope: "col", ...less }, data.words.before), element("th", { scope: "col" }, "forecast"));
  if (data.level !== null) head.append(element("th", { scope: "col", ...less }, `${data.level}% interval`));
  if (stocked) head.append(element("th", { scope: "col" }, "on hand"), element("th", { scope: "col" }, "to order"));
  const body = element("tbody");
  for (const { name, row, open } of sorted.slice(0, most)) {
    const button = element("button", { class: "link", type: "button" }, named(name));
    button.addEventListener("click", open);
    const cells = [element("th", { scope: "row" }, button), element("td", less, number(row.last)), element("td", {}, number(row.total))];
    if (data.level !== null) cells.push(element("td", less, interval(row.low, row.high)));
    if (stocked) cells.push(element("td", {}, number(row.stock)), element("td", {}, number(row.order)));
    body.append(element("tr", {}, ...cells));
  }
  table.append(element("thead", {}, head), body);
  const left = sorted.length - most;
  return left > 0 ? [table, element("p", { class: "quiet" }, `and ${whole.format(left)} more`)] : [table];
}

function showItem(data, item) {
  const { items, places } = data;
  const parts = places
    ? seriesOf(data, item).map((row) => ({
        row,
        name: places.names[row.place],
        open: () => showSeries(data, item, row),
      }))
    : [];
  const about = items.rate ? [] : [items.ids[item] && `${data.words.item} ${items.ids[item]}`, categoryOf(data, item)];
  return show(data, {
    name: items.names[item],
    about: about.filter(Boolean).join(" · "),
    why: items.why ? items.why[item] : null,
    row: rowOf(items, item),
    parts: parts.length > 1 ? partsTable(data, `By ${data.words.place}`, data.words.place, parts) : null,
  });
}

function showSeries(data, item, row) {
  const back = element("button", { type: "button" }, `All ${data.words.places} of this ${data.words.item}`);
  back.addEventListener("click", () => showItem(data, item));
  return show(data, {
    name: `${data.items.names[item]} · ${data.places.names[row.place]}`,
    about: categoryOf(data, item),
    row,
    parts: [element("p", {}, back)],
  });
}

function showGroup(data, kind, group) {
  const block = data[kind];
  const members =
    kind === "categories"
      ? itemsOf(data, (item) => data.items.category[item] === group).map((item) => ({ item, row: rowOf(data.items, item) }))
      : itemsAt(data, group);
  const parts = members.map(({ item, row }) => ({ row, name: data.items.names[item], open: () => showItem(data, item) }));
  return show(data, {
    name: block.names[group],
    about: kind === "categories" ? data.words.category : data.words.place,
    row: rowOf(block, group),
    parts: partsTable(data, `Largest ${data.words.items}`, data.words.item, parts),
  });
}

function categoryOf(data, item) {
  return data.categories ? data.categories.names[data.items.category[item]] : "";
}

function itemsOf(data, wanted) {
  return data.items.names.map((_, item) => item).filter(wanted);
}

function itemsAt(data, place) {
  const found = [];
  data.items.names.forEach((_, item) => {
    for (let at = data.series.from[item]; at < data.series.from[item + 1]; at++) {
      if (data.series.place[at] === place) found.push({ item, row: rowOf(data.series, at) });
    }
  });
  return found;
}
