// Reads a chart out under the pointer, or with the arrow keys. Without it the chart is a picture, with a table beside it.
(function () {
  "use strict";
  const language = document.documentElement.lang || "en";
  let shown = null; // the place that is read out; it survives when the page renews itself

  function dataOf(plot) {
    if (!plot.chart) plot.chart = JSON.parse(plot.dataset.chart);
    return plot.chart;
  }

  function read(plot, place) {
    const data = dataOf(plot);
    const readout = plot.querySelector(".readout");
    if (!data.times.length || !readout) return;
    shown = Math.max(0, Math.min(place, data.times.length - 1));
    const heading = document.createElement("strong");
    heading.textContent = data.times[shown];
    const list = document.createElement("dl");
    document.querySelectorAll("#chart-legend > li").forEach(function (item) {
      const name = document.createElement("dt");
      name.append(item.querySelector(".swatch").cloneNode(), item.querySelector(".name").textContent);
      const value = document.createElement("dd");
      value.textContent = data.series[item.dataset.key][shown].toLocaleString(language);
      list.append(name, value);
    });
    readout.replaceChildren(heading, list);
    readout.hidden = false;
    const share = data.x[shown] / 1000;
    cursor(plot).setAttribute("x1", data.x[shown]);
    cursor(plot).setAttribute("x2", data.x[shown]);
    readout.style.left = share < 0.5 ? "calc(" + share * 100 + "% + 0.75rem)" : "auto";
    readout.style.right = share < 0.5 ? "auto" : "calc(" + (1 - share) * 100 + "% + 0.75rem)";
  }

  function cursor(plot) {
    let line = plot.querySelector(".cursor");
    if (!line) {
      line = document.createElementNS("http://www.w3.org/2000/svg", "line");
      line.setAttribute("class", "cursor");
      line.setAttribute("y1", "0");
      line.setAttribute("y2", "240");
      plot.querySelector("svg").append(line);
    }
    return line;
  }

  function hide(plot) {
    shown = null;
    const readout = plot.querySelector(".readout");
    if (readout) readout.hidden = true;
    const line = plot.querySelector(".cursor");
    if (line) line.remove();
  }

  function nearest(plot, event) {
    const box = plot.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * 1000;
    const xs = dataOf(plot).x;
    let best = 0;
    xs.forEach(function (each, place) {
      if (Math.abs(each - x) < Math.abs(xs[best] - x)) best = place;
    });
    return best;
  }

  function prepare() {
    const plot = document.getElementById("plot");
    if (!plot || plot.ready) return;
    plot.ready = true;
    plot.tabIndex = 0; // only with this script is there anything to do with the keyboard
    plot.addEventListener("pointermove", function (event) { read(plot, nearest(plot, event)); });
    plot.addEventListener("pointerdown", function (event) { read(plot, nearest(plot, event)); });
    plot.addEventListener("pointerleave", function (event) { if (event.pointerType === "mouse") hide(plot); });
    plot.addEventListener("blur", function () { if (document.contains(plot)) hide(plot); });
    plot.addEventListener("keydown", function (event) {
      const last = dataOf(plot).times.length - 1;
      const at = shown === null ? last : shown;
      const places = { ArrowLeft: shown === null ? last : at - 1, ArrowRight: shown === null ? last : at + 1, Home: 0, End: last };
      if (event.key in places) {
        event.preventDefault();
        read(plot, places[event.key]);
      } else if (event.key === "Escape") hide(plot);
    });
    if (shown !== null) read(plot, shown);
  }

  document.addEventListener("htmx:afterSettle", prepare);
  // What explains a figure goes away on Escape, though the pointer or the focus stays.
  document.addEventListener("keydown", function (event) {
    if (event.key === "Escape" && document.activeElement && document.activeElement.matches(".term")) document.activeElement.blur();
  });
  prepare();
})();
