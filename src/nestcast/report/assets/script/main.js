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
const reliability = document.querySelector("#reliability .chart");
if (reliability) {
  const bins = data.reliability.map((one) => ({
    ...one,
    tip: `${number(one.predicted)}% expected: ${number(one.observed)}% clicked (${interval(one.low, one.high)})`,
  }));
  // The scale is logarithmic: what is 0 stands at its lower end.
  const ends = bins.flatMap((one) => [one.predicted, one.observed]).filter((rate) => rate > 0);
  const least = Math.min(...ends);
  for (const one of bins) for (const name of ["predicted", "observed", "low", "high"]) one[name] = Math.max(one[name], least);
  const line = [least, Math.max(...ends)].map((rate) => ({ predicted: rate, observed: rate }));
  await draw("reliability", reliability, { bins, line });
}
const dialog = document.getElementById("view");
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close(); // a click beside it
});
document.documentElement.dataset.ready = "yes";
