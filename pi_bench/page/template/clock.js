"use strict";
// This script stands behind the first plot, and notes when the browser has painted it. The callback of a frame runs
// before it is painted, and a task that it begins runs afterwards.
requestAnimationFrame(() => setTimeout(() => {
  document.documentElement.dataset.firstPlotMs = String(Math.round(performance.now()));
}));
