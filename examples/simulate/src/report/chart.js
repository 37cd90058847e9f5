// The chart of one run: nodes, marks, decisions, waiting pods and cost over the same axis of time.
const LEFT = 44;
const RIGHT = 8;
const STEPS = [60, 300, 600, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000, 7776000];

class Chart {
  constructor(run, pick) {
    this.run = run;
    this.groups = ordered(run);
    this.from = 0;
    this.to = Math.max(run.length, 1);
    this.selected = null;
    this.svg = draw("svg", { "aria-hidden": "true", focusable: "false" });
    this.box = make("div", { class: "chart" }, this.svg);
    this.readout = make("div", { class: "readout" });
    this.box.addEventListener("pointermove", (event) => this.read(this.timeAt(event)));
    this.box.addEventListener("click", (event) => pick(this.timeAt(event)));
    new ResizeObserver(() => this.resize()).observe(this.box);
  }

  resize() {
    const width = Math.floor(this.box.clientWidth);
    if (width > 0 && width !== this.width) {
      this.width = width;
      this.render();
    }
  }

  timeAt(event) {
    const left = this.box.getBoundingClientRect().left;
    const part = (event.clientX - left - LEFT) / Math.max(this.width - LEFT - RIGHT, 1);
    return this.from + Math.min(Math.max(part, 0), 1) * (this.to - this.from);
  }

  x(at) {
    return LEFT + ((at - this.from) / (this.to - this.from)) * (this.width - LEFT - RIGHT);
  }

  /** Shows a window of time around the middle, so many times as long as now. */
  zoom(factor, middle) {
    const length = Math.min(Math.max((this.to - this.from) * factor, 900), this.run.length);
    this.from = Math.min(Math.max(middle - length / 2, 0), this.run.length - length);
    this.to = this.from + length;
    this.render();
  }

  select(at) {
    this.selected = at;
    if (at < this.from || at > this.to) this.zoom(1, at);
    else this.render();
    this.read(at);
  }

  read(at) {
    const { series } = this.run;
    const index = lastAt(series.at, at);
    if (index < 0) return;
    const strong = make("b", {}, moment(this.run, at));
    const nodes = this.groups.reduce((sum, group) => sum + group.nodes[index], 0);
    const text = "  need " + series.need[index] + ", ready " + series.ready[index] + ", alive " + nodes +
      ", pods pending " + series.pending[index] + ", cost so far " + series.cost[index].toFixed(2);
    this.readout.replaceChildren(strong, text);
  }

  /** The points that are in the window, no more than there are pixels: the greatest of each pixel. */
  visible() {
    const { at } = this.run.series;
    const first = Math.max(lastAt(at, this.from), 0);
    const last = Math.min(lastAt(at, this.to) + 1, at.length - 1);
    return { first, last };
  }

  /** A staircase over the window. */
  stairs(values, y) {
    const { first, last } = this.visible();
    const { at } = this.run.series;
    let path = "";
    for (let index = first; index <= last; index++) {
      const x = this.x(Math.min(Math.max(at[index], this.from), this.to)).toFixed(1);
      path += (path ? "H" + x + "V" : "M" + x + " ") + y(values(index)).toFixed(1);
    }
    return path && path + "H" + this.x(Math.min(this.to, this.run.length)).toFixed(1);
  }

  area(values, y) {
    const path = this.stairs(values, y);
    return path && path + "V" + y(0).toFixed(1) + "H" + this.x(Math.max(this.from, 0)).toFixed(1) + "Z";
  }

  render() {
    if (!this.width) return;
    const narrow = this.width < 560;
    const { series } = this.run;
    const parts = [];
    const count = series.at.length;
    const stack = (index, upTo) => {
      let sum = 0;
      for (let group = 0; group <= upTo; group++) sum += this.groups[group].nodes[index];
      return sum;
    };
    const { first, last } = this.visible();
    const most = (values) => {
      let top = 1;
      for (let index = first; index <= last && index < count; index++) top = Math.max(top, values(index));
      return top;
    };
    const all = this.groups.length - 1;
    const top = most((index) => Math.max(series.need[index], series.ready[index], stack(index, all)));
    let y0 = 16;
    const nodesHeight = narrow ? 190 : 260;
    const nodes = this.panel(parts, "nodes", y0, nodesHeight, top, 0);
    for (let group = all; group >= 0; group--) {
      const path = this.area((index) => stack(index, group), nodes);
      // What lies beneath is painted over, so that colours do not mix.
      parts.push(draw("path", { d: path, class: "zone", fill: "var(--paper)" }));
      const { colour, opacity } = this.groups[group];
      parts.push(draw("path", { d: path, class: "zone", fill: colour, "fill-opacity": opacity }));
    }
    parts.push(draw("path", { d: this.stairs((index) => series.ready[index], nodes), class: "ready" }));
    parts.push(draw("path", { d: this.stairs((index) => series.need[index], nodes), class: "need" }));
    y0 += nodesHeight + 10;
    y0 = this.lane(parts, "events", y0, (y) => this.marks(y));
    y0 = this.lane(parts, "acts", y0, (y) => this.decisions(y)) + 14;
    const height = narrow ? 56 : 70;
    const waits = most((index) => series.pending[index]);
    const pending = this.panel(parts, "pods pending", y0, height, waits, 0);
    parts.push(draw("path", { d: this.area((index) => series.pending[index], pending), class: "pending" }));
    y0 += height + 24;
    const dear = Math.max(most((index) => series.cost[index]), 0.01);
    const cost = this.panel(parts, "cost so far", y0, height, dear, 2);
    parts.push(draw("path", { d: this.stairs((index) => series.cost[index], cost), class: "cost" }));
    y0 += height;
    this.axis(parts, y0, narrow);
    y0 += 22;
    if (this.selected !== null && this.selected >= this.from && this.selected <= this.to) {
      const x = this.x(this.selected);
      parts.push(draw("line", { class: "cursor", x1: x, x2: x, y1: 12, y2: y0 - 22 }));
    }
    this.svg.setAttribute("viewBox", "0 0 " + this.width + " " + y0);
    this.svg.setAttribute("height", y0);
    this.svg.replaceChildren(...parts);
  }

  /** The frame of a panel; how high a value is in it. */
  panel(parts, name, y0, height, top, digits) {
    const y = (value) => y0 + height - (value / top) * height;
    const whole = digits === 0;
    const steps = whole ? Math.min(height > 100 ? 4 : 1, top) : 1;
    for (let step = 0; step <= steps; step++) {
      const value = whole ? Math.round((top * step) / steps) : (top * step) / steps;
      parts.push(draw("line", { class: "grid", x1: LEFT, x2: this.width - RIGHT, y1: y(value), y2: y(value) }));
      const text = value === 0 ? "0" : value.toFixed(digits);
      parts.push(draw("text", { class: "axis", x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, text));
    }
    parts.push(draw("text", { class: "axis", x: LEFT + 4, y: y0 - 5 }, name));
    return y;
  }

  lane(parts, name, y, content) {
    parts.push(draw("text", { class: "axis", x: LEFT - 6, y: y + 9, "text-anchor": "end" }, name));
    parts.push(...content(y));
    return y + 18;
  }

  /** Those in the window, by what they look like and where: what would be painted over each other is one. */
  heaps(all, look) {
    const heaps = new Map();
    for (const one of all) {
      if (one.at < this.from || one.at > this.to) continue;
      const x = Math.round(this.x(one.at) / 3) * 3;
      const key = look(one) + x;
      if (!heaps.has(key)) heaps.set(key, { look: look(one), x, all: [] });
      heaps.get(key).all.push(one);
    }
    return [...heaps.values()];
  }

  /** What a pointer is told of a heap. */
  title(all, text) {
    const lines = all.slice(0, 12).map((one) => moment(this.run, one.at) + ": " + text(one));
    if (all.length > 12) lines.push("and " + (all.length - 12) + " more");
    return draw("title", {}, lines.join("\n"));
  }

  marks(y) {
    const heaps = this.heaps(this.run.marks, (mark) => (NOTICES.has(mark.kind) ? "notice" : "fault"));
    return heaps.map(({ look, x, all }) => {
      const triangle = [x - 4, y + 10, x + 4, y + 10, x, y + 2];
      const shape = look === "notice" ? triangle : [x, y + 2, x + 3, y + 6, x, y + 10, x - 3, y + 6];
      return draw("polygon", { class: look, points: shape.join(" ") }, this.title(all, markText));
    });
  }

  decisions(y) {
    const done = this.run.decisions.filter((one) => one.kind !== "hold");
    const heaps = this.heaps(done, (one) => "decision kind-" + one.kind);
    return heaps.map(({ look, x, all }) =>
      draw("line", { class: look, x1: x, x2: x, y1: y, y2: y + 11 }, this.title(all, (one) => one.title)));
  }

  axis(parts, y, narrow) {
    const room = narrow ? 70 : 100;
    const width = this.width - LEFT - RIGHT;
    const step = STEPS.find((one) => (one / (this.to - this.from)) * width >= room) || this.to - this.from;
    for (let at = Math.ceil(this.from / step) * step; at <= this.to; at += step) {
      const x = this.x(at);
      parts.push(draw("line", { class: "grid", x1: x, x2: x, y1: 16, y2: y + 4 }));
      const end = x > this.width - 40 ? "end" : "middle";
      parts.push(draw("text", { class: "axis", x: end === "end" ? this.width : x, y: y + 17, "text-anchor": end }, span(at)));
    }
  }

  legend() {
    const entry = (name, ...shapes) => make("li", {}, draw("svg", { viewBox: "0 0 22 12", "aria-hidden": "true" }, ...shapes), name);
    const line = (kind) => draw("path", { d: "M0 6H22", class: kind });
    const list = make("ul", { class: "legend" });
    list.append(entry("nodes needed", line("need")), entry("nodes ready", line("ready")));
    for (const group of this.groups) {
      const box = draw("rect", { width: 22, height: 12, fill: group.colour, "fill-opacity": group.opacity });
      list.append(entry(groupName(group), box));
    }
    list.append(entry("notice of the cloud", draw("polygon", { class: "notice", points: "6 11 16 11 11 2" })));
    list.append(entry("fault", draw("polygon", { class: "fault", points: "11 1 15 6 11 11 7 6" })));
    for (const [kind, word] of Object.entries(KINDS)) {
      if (kind !== "hold" && this.run.decisions.some((one) => one.kind === kind)) list.append(entry(word, draw("path", { d: "M11 0V12", class: "decision kind-" + kind })));
    }
    return list;
  }
}
