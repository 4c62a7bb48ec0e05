// Everything in its place.

const data = await unpack();
DataTable.ext.errMode = "throw";
await drawFan(data, document.querySelector("#total .chart"), rowOf(data.total, 0));
document.querySelector("#total .legend").replaceWith(legend(data, false));
rankedTable(data);
for (const kind of ["places", "categories"]) {
  if (document.getElementById(kind)) groupTable(data, kind);
}
for (const button of document.querySelectorAll("button[data-item]")) {
  button.addEventListener("click", () => showItem(data, Number(button.dataset.item)));
}
const calibration = document.querySelector("#calibration .chart");
if (calibration) {
  await draw("calibration", calibration, {
    coverage: data.coverage.map((one) => ({
      ...one,
      tip: `${one.nominal}% interval: ${number(one.observed)}% inside`,
    })),
  });
}
const dialog = document.getElementById("view");
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close(); // a click beside it
});
document.documentElement.dataset.ready = "yes";
