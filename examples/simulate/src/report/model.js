"use strict";
// What the page knows: the runs as the simulator wrote them down.
const runs = JSON.parse(document.getElementById("data").textContent);

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and content. Texts are only ever set as text. */
function make(name, attributes, ...content) {
  const element = document.createElement(name);
  return fill(element, attributes, content);
}

/** The same of a drawing. */
function draw(name, attributes, ...content) {
  return fill(document.createElementNS(SVG, name), attributes, content);
}

function fill(element, attributes, content) {
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined) element.setAttribute(key, String(value));
  }
  element.append(...content.filter((part) => part !== null));
  return element;
}

function two(number) {
  return String(number).padStart(2, "0");
}

/** A length of time in words: 2d 3h, 4m 10s. */
function span(seconds) {
  const units = [[86400, "d"], [3600, "h"], [60, "m"], [1, "s"]];
  const parts = [];
  for (const [size, unit] of units) {
    if (seconds >= size && parts.length < 2) {
      parts.push(Math.floor(seconds / size) + unit);
      seconds %= size;
    }
  }
  return parts.join(" ") || "0s";
}

/** A time of the run: the day, and the time of the day. */
function moment(run, at) {
  const date = new Date((run.beginning + at) * 1000);
  const days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
  const clock = two(date.getUTCHours()) + ":" + two(date.getUTCMinutes()) + ":" + two(date.getUTCSeconds());
  return days[date.getUTCDay()] + " " + date.toISOString().slice(0, 10) + " " + clock;
}

/** The index of the last entry of a list of times that is not after `at`; -1 before the first. */
function lastAt(times, at) {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= at) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

const NOTICES = new Set(["spot-interruption", "rebalance", "notice-withdrawn"]);

const KINDS = { grow: "bought", shrink: "removed", replace: "replaced or moved", hold: "held", trouble: "trouble" };

/** One class of nodes: a zone, and how they were bought. */
function groupName(group) {
  return group.zone + ", " + (group.purchase === "spot" ? "spot" : "on demand");
}

/** The groups in an order in which zones stay together, each with its colour. */
function ordered(run) {
  const zones = [...new Set(run.series.groups.map((group) => group.zone))].sort();
  const groups = [...run.series.groups].sort((a, b) => {
    const by = zones.indexOf(a.zone) - zones.indexOf(b.zone);
    return by || (a.purchase < b.purchase ? 1 : -1);
  });
  return groups.map((group) => {
    const spot = group.purchase === "spot";
    return { ...group, colour: "var(--z" + (zones.indexOf(group.zone) % 6) + ")", opacity: spot ? 0.45 : 0.9 };
  });
}

function markText(mark) {
  return mark.kind + (mark.about ? " of " + mark.about : "") + (mark.count > 1 ? ", " + mark.count + " times" : "");
}
