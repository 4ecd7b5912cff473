"use strict";

// Of the plots of a chooser one is shown. A chooser is one list of their names, or one list for each setting in which
// they differ. A figure then has the place of its value in each list.
class Chooser {
  constructor(box) {
    this.selects = [...box.querySelectorAll("select")];
    this.message = box.querySelector("output");
    const places = (figure) => figure.dataset.places?.split(" ").map(Number)
      ?? [[...this.selects[0].options].findIndex((option) => option.value === figure.id)];
    const figures = [...box.parentElement.querySelectorAll("figure.choice")];
    this.places = new Map(figures.map((figure) => [figure.id, places(figure)]));
  }

  get names() {
    return [...this.places.keys()];
  }

  // Shows a plot, and its settings in the lists.
  show(name) {
    this.shown = name;
    this.places.get(name).forEach((place, at) => { this.selects[at].selectedIndex = place; });
    for (const each of this.names) document.getElementById(each).hidden = each !== name;
    if (this.message) this.message.textContent = "";
  }

  // Shows the plot with the settings in the lists. If there is none, it shows the first plot of those that have most of
  // these settings, the one that the reader changed among them.
  follow(changed) {
    const wanted = this.selects.map((select) => select.selectedIndex);
    const agreement = (places) => places.filter((place, at) => place === wanted[at]).length
      + (places[changed] === wanted[changed] ? wanted.length : 0);
    const agreements = [...this.places].map(([name, places]) => [name, agreement(places)]);
    const most = Math.max(...agreements.map(([, count]) => count));
    const [name] = agreements.find(([, count]) => count === most);
    this.show(name);
    const exact = this.places.get(name).every((place, at) => place === wanted[at]);
    if (!exact) this.message.textContent = "No run has all of these settings. The nearest run is shown.";
  }

  // Begins with what the lists show, which a browser may remember, and calls `chosen` with each plot that is chosen.
  activate(chosen) {
    this.follow(0);
    this.selects.forEach((select, at) => select.addEventListener("change", () => {
      this.follow(at);
      chosen(this.shown);
    }));
  }
}
