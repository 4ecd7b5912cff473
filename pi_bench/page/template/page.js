"use strict";
(() => {
  const style = JSON.parse(document.getElementById("plot-style").textContent);
  const choosers = [...document.querySelectorAll(".chooser")].map((box) => new Chooser(box));
  let plots = {};
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const drawn = new Set();

  // Labels, with the space around them, take less than half of the width, so that a phone shows bars too.
  function styleFor(box) {
    const config = structuredClone(style);
    const widest = box.closest(".wide") ? 420 : config.axisY.labelLimit;
    config.axisY.labelLimit = Math.max(80, Math.min(widest, Math.round(0.38 * box.clientWidth)));
    config.legend.columns = Math.max(1, Math.floor((box.clientWidth - config.axisY.labelLimit) / 140));
    config.padding = { left: 5, top: 5, right: 12, bottom: 5 }; // the last label of an axis may stand beyond its tick
    return config;
  }

  // The names of rows are as short as this window needs them.
  function shortened(spec, config) {
    const y = spec.encoding?.y;
    if (!y?.axis?.labelExpr?.startsWith("truncate(")) return spec;
    const names = y.scale.domain;
    const labels = shortNames(names, config.axisY.labelLimit, widthIn(`${config.axis.labelFontSize}px ${config.font}`));
    const changed = structuredClone(spec);
    changed.encoding.y.axis.labelExpr = `${JSON.stringify(labels)}[indexof(${JSON.stringify(names)}, datum.value)]`;
    return changed;
  }

  async function draw(name) {
    if (drawn.has(name) || !(name in plots)) return; // a reader may choose before the data is unpacked
    drawn.add(name);
    const box = document.getElementById(name).querySelector(".drawing");
    const theme = dark.matches ? "dark" : "light";
    const config = styleFor(box);
    // Vega gives its own role to the element that it draws in. A screen reader reads the words of the box and the
    // table, not hundreds of marks one by one.
    const marks = document.createElement("div");
    marks.ariaHidden = "true";
    box.style.minHeight = `${box.clientHeight}px`; // the first plot is there already, drawn for another width
    box.replaceChildren(marks);
    await vegaEmbed(marks, shortened(plots[name], config), {
      mode: "vega-lite", renderer: "svg", actions: false, ast: true, defaultStyle: false,
      config, tooltip: { theme },
    });
    box.style.minHeight = "";
  }

  function followAddress() {
    const name = decodeURIComponent(location.hash.slice(1));
    for (const chooser of choosers) {
      if (chooser.names.includes(name)) {
        chooser.show(name);
        draw(name);
        document.getElementById(name).scrollIntoView();
      }
    }
  }

  function save(name, text, type) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  // A text that begins like a formula stays a text in spreadsheets.
  function cell(value) {
    const text = value === undefined ? "" : typeof value === "string" ? value.replace(/^[=+\-@\t\r]/, "'$&") : String(value);
    return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }

  function csv(spec) {
    const rows = spec.layer.flatMap((layer) => layer.data.values);
    const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
    return [columns, ...rows.map((row) => columns.map((column) => row[column]))]
      .map((row) => row.map(cell).join(",")).join("\n") + "\n";
  }

  async function unpacked(id) {
    const packed = Uint8Array.from(atob(document.getElementById(id).textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  // A header of a sortable table sorts by its column, and the other way round when it is used again. Numbers stand in
  // data-value, because the texts have units.
  function sortBy(table, column) {
    const header = table.tHead.rows[0].cells[column];
    const direction = header.ariaSort === "ascending" ? -1 : 1;
    const compare = (a, b) => a.dataset.value !== undefined && b.dataset.value !== undefined
      ? a.dataset.value - b.dataset.value
      : a.textContent.localeCompare(b.textContent, "en", { numeric: true });
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => direction * compare(a.cells[column], b.cells[column]));
    table.tBodies[0].append(...rows);
    table.classList.add("sorted"); // its groups of rows are no longer together
    for (const each of table.tHead.rows[0].cells) each.ariaSort = each === header ? (direction > 0 ? "ascending" : "descending") : "none";
  }

  function makeSortable(table) {
    [...table.tHead.rows[0].cells].forEach((header, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      header.append(button);
      header.ariaSort = "none";
      button.addEventListener("click", () => sortBy(table, column));
    });
  }

  // A table that is wider than its box says that it scrolls. The words change the height of the box, which an observer
  // may not do before the next frame.
  const widths = new ResizeObserver((entries) => requestAnimationFrame(() => {
    for (const { target } of entries) target.classList.toggle("wider", target.scrollWidth > target.clientWidth + 1);
  }));

  // Lets the browser show what is drawn, and react to the reader, before it goes on.
  const pause = () => new Promise((resume) => setTimeout(resume));

  async function drawAll() {
    const choices = choosers.flatMap((chooser) => chooser.names);
    plots = JSON.parse(await unpacked("plot-data"));
    for (const name of Object.keys(plots).filter((each) => !choices.includes(each))) {
      await pause();
      await draw(name);
    }
    for (const chooser of choosers) await draw(chooser.shown);
    followAddress();
    document.documentElement.dataset.drawn = String(drawn.size);
  }

  function activate() {
    for (const chooser of choosers) {
      chooser.activate((name) => {
        history.replaceState(null, "", `#${name}`); // the address shows the same run to another reader
        return draw(name);
      });
    }
    for (const table of document.querySelectorAll("table.sortable")) makeSortable(table);
    for (const box of document.querySelectorAll(".scroll")) widths.observe(box);
    for (const part of document.querySelectorAll(".chooser, .download")) part.hidden = false;
    for (const button of document.querySelectorAll("button[data-plot]")) {
      button.addEventListener("click", () => save(`${button.dataset.plot}.csv`, csv(plots[button.dataset.plot]), "text/csv"));
    }
    document.getElementById("download").addEventListener("click", async () => save("results.jsonl", await unpacked("results"), "application/jsonl"));
    addEventListener("hashchange", followAddress);
  }

  activate();
  drawAll();
})();
