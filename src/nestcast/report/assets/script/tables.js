// The ranked table and the tables of shops and categories, by DataTables.

const narrow = window.matchMedia("(max-width: 700px)");

// A cell: what is shown is an element, what is sorted a number, what is searched plain text.
function cell(shownAs, sortedBy, searchedAs = () => "") {
  return (_, kind, row) => {
    if (kind === "display") return shownAs(row);
    return kind === "filter" ? searchedAs(row) : sortedBy(row);
  };
}

const missingLast = (value) => (value === null || value === undefined ? -Infinity : value);
const change = (row) => (row.last > 0 ? row.total / row.last : row.total > 0 ? Infinity : 0);

// On a phone, and where there are many columns, the interval stands below the number.
function expected(data, row) {
  if (data.level === null) return number(row.total);
  const below = element("div", { class: row.columns.length ? "why" : "narrow why" }, interval(row.low, row.high));
  return element("div", {}, number(row.total), below);
}

function numberColumns(data, block) {
  const columns = [
    { title: data.words.before, data: null, className: "number wide", render: cell((r) => number(r.last), (r) => missingLast(r.last)) },
    { title: "forecast", data: null, className: "number", render: cell((r) => expected(data, r), (r) => r.total) },
  ];
  if (data.level !== null && !block.columns) {
    columns.push({ title: `${data.level}% interval`, data: null, className: "number wide", render: cell((r) => interval(r.low, r.high), (r) => missingLast(r.high)) });
  }
  if (block.stock) {
    columns.push({ title: "on hand", data: null, className: "number wide", render: cell((r) => number(r.stock), (r) => missingLast(r.stock)) });
    columns.push({ title: "to order", data: null, className: "number", render: cell((r) => number(r.order), (r) => missingLast(r.order)) });
  }
  (block.columns || []).forEach(({ title }, at) => {
    if (title === "revenue") return; // a view by itself has room for it
    columns.push({ title, data: null, className: at ? "number wide" : "number", render: cell((r) => number(r.columns[at]), (r) => missingLast(r.columns[at])) });
  });
  columns.push({ title: "change", data: null, className: "number wide", render: cell((r) => percent(r.total, r.last), change) });
  return columns;
}

const trend = {
  title: "history",
  data: null,
  type: "string",
  orderable: false,
  searchable: false,
  className: "wide",
  render: cell((r) => (r.past ? sparkline(r.past, r.mean) : ""), () => ""),
};

function makeTable(selector, rows, columns, options) {
  const table = new DataTable(selector, {
    data: rows,
    columns,
    autoWidth: false,
    deferRender: true,
    orderMulti: false,
    language: { search: "Search", lengthMenu: "_MENU_ rows" },
    ...options,
  });
  const fit = () => table.columns(".wide").visible(!narrow.matches);
  narrow.addEventListener("change", fit);
  fit();
  return table;
}

function openButton(name, open, why) {
  const button = element("button", { class: "link", type: "button" }, named(name));
  button.addEventListener("click", open);
  return why ? element("div", {}, button, element("div", { class: "why" }, named(why))) : button;
}

function groupTable(data, kind) {
  const block = data[kind];
  const rows = block.names.map((name, at) => ({ name, at, ...rowOf(block, at) }));
  const word = kind === "categories" ? data.words.category : data.words.place;
  const name = {
    title: word,
    data: null,
    className: "name",
    render: cell((r) => openButton(r.name, () => showGroup(data, kind, r.at)), (r) => r.name, (r) => r.name),
  };
  makeTable(`#${kind}`, rows, [name, trend, ...numberColumns(data, block)], {
    order: [[3, "desc"]],
    pageLength: 10,
    layout: { topStart: null, topEnd: rows.length > 10 ? "search" : null, bottomStart: rows.length > 10 ? "info" : null, bottomEnd: rows.length > 10 ? "paging" : null },
  });
}

function filterBox(parent, label, names, onChange, all = "all") {
  const select = element("select", {}, element("option", { value: "" }, all));
  names.forEach((name, at) => select.append(element("option", { value: at, dir: "auto" }, name)));
  select.addEventListener("change", () => onChange(select.value === "" ? null : Number(select.value)));
  const box = element("label", {}, `${label} `, select);
  parent.append(box);
  return box;
}

function sortedNames(names) {
  const order = names.map((_, at) => at).sort((a, b) => names[a].localeCompare(names[b]));
  return { order, names: order.map((at) => names[at]) };
}

function rankedTable(data) {
  const { items } = data;
  const all = items.names.map((name, item) => ({ name, item, ...rowOf(items, item) }));
  const atPlace = (place) =>
    itemsAt(data, place).map(({ item, row }) => ({ name: items.names[item], item, ...row }));
  const columns = [
    { title: "#", data: null, className: "number wide", render: cell((r) => whole.format(r.item + 1), (r) => r.item) },
    {
      title: data.words.item,
      data: null,
      className: "name",
      render: cell(
        (r) => openButton(r.name, () => showItem(data, r.item), items.why ? items.why[r.item] : null),
        (r) => r.name,
        (r) => `${r.name} ${items.ids[r.item]}`,
      ),
    },
  ];
  if (data.categories && !items.rate) { // where there are rates, names begin with it
    columns.push({ title: data.words.category, data: null, className: "wide category", render: cell((r) => named(categoryOf(data, r.item)), (r) => categoryOf(data, r.item), (r) => categoryOf(data, r.item)) });
  }
  if (items.classes.length) {
    const classes = (r) => items.classes.map(({ names, of }) => names[of[r.item]]);
    const stacked = (r) => element("div", {}, ...classes(r).map((name) => element("div", {}, name)));
    columns.push({ title: "class", data: null, type: "string", className: "wide class", render: cell(stacked, (r) => classes(r).join(" "), (r) => classes(r).join(" ")) });
  }
  columns.push(trend, ...numberColumns(data, items));
  const table = makeTable("#items", all, columns, {
    order: [],
    pageLength: narrow.matches ? 10 : 25,
    lengthMenu: [10, 25, 50, 100],
    layout: { topStart: "pageLength", topEnd: "search", bottomStart: "info", bottomEnd: "paging" },
  });

  const filters = document.getElementById("filters");
  const only = (name, keep) => table.search.fixed(name, keep && ((_, row) => keep(row.item))).draw();
  if (data.places && data.places.names.length > 1) {
    const { order, names } = sortedNames(data.places.names);
    filterBox(filters, data.words.place, names, (chosen) => {
      table.clear().rows.add(chosen === null ? all : atPlace(order[chosen])).draw();
    });
  }
  if (data.categories && data.categories.names.length > 1) {
    const { order, names } = sortedNames(data.categories.names);
    filterBox(filters, data.words.category, names, (chosen) => {
      only("category", chosen === null ? null : (item) => items.category[item] === order[chosen]);
    });
  }
  for (const { word, names, of } of items.classes) {
    filterBox(filters, word, names, (chosen) => {
      only(word, chosen === null ? null : (item) => of[item] === chosen);
    });
  }
  // A phone has no room for the headings of all columns.
  const sortable = columns.map(({ title }, at) => [title, at]).filter(([, at]) => at && /number/.test(columns[at].className));
  const sort = (chosen) => table.order(chosen === null ? [[0, "asc"]] : [[sortable[chosen][1], "desc"]]).draw();
  filterBox(filters, "order by", sortable.map(([title]) => title), sort, "#").classList.add("narrow");
}
