// The sections of the page, and what keys and pointers do.
class Section {
  constructor(run, number) {
    this.run = run;
    this.id = "run" + number;
    this.times = run.decisions.map((one) => one.at);
    this.current = -1;
    this.chart = new Chart(run, (at) => this.open(lastAt(this.times, at)));
    this.element = make("section", { class: "run", "aria-labelledby": this.id + "-title" });
    this.element.append(...this.head(), ...this.drawing(), ...this.decisions(), this.numbers(), this.happenings());
    if (run.decisions.length) this.open(this.firstDone());
  }

  firstDone() {
    return Math.max(this.run.decisions.findIndex((one) => one.kind !== "hold"), 0);
  }

  head() {
    const { run } = this;
    const facts = make("dl", { class: "facts" });
    for (const [name, value, more] of run.facts) {
      const small = more ? make("small", {}, more) : null;
      facts.append(make("div", {}, make("dt", {}, name), make("dd", {}, value, ...(small ? [small] : []))));
    }
    const notes = run.notes.length ? make("ul", { class: "notes" }, ...run.notes.map((note) => make("li", {}, note))) : null;
    return [
      make("h2", { id: this.id + "-title" }, run.title),
      make("p", { class: "soft" }, "Repeat with ", make("code", {}, run.repeat)),
      facts,
      ...(notes ? [notes] : []),
    ];
  }

  drawing() {
    const { chart } = this;
    const button = (word, act) => {
      const element = make("button", { type: "button" }, word);
      element.addEventListener("click", act);
      return element;
    };
    const middle = () => (chart.selected === null ? (chart.from + chart.to) / 2 : chart.selected);
    const tools = make("div", { class: "tools" },
      button("Zoom in", () => chart.zoom(0.5, middle())),
      button("Zoom out", () => chart.zoom(2, middle())),
      button("Whole run", () => chart.zoom(1e9, middle())),
      button("Previous decision", () => this.step(-1)),
      button("Next decision", () => this.step(1)));
    const box = chart.box;
    fill(box, {
      tabindex: 0, role: "slider", "aria-label": "Decisions over time; arrow keys go from one to the next",
      "aria-valuemin": 1, "aria-valuemax": Math.max(this.run.decisions.length, 1), "aria-valuenow": 1,
      "aria-orientation": "horizontal",
    }, []);
    box.addEventListener("keydown", (event) => {
      if (event.key === "+") chart.zoom(0.5, middle());
      else if (event.key === "-") chart.zoom(2, middle());
      else this.key(event);
    });
    return [make("h3", {}, "Fleet"), chart.legend(), tools, box, chart.readout];
  }

  decisions() {
    const { run } = this;
    this.list = make("ul", { class: "list", role: "listbox", tabindex: 0, "aria-label": "Decisions" });
    this.items = run.decisions.map((one, index) => {
      const next = index + 1 < run.decisions.length ? run.decisions[index + 1].at : run.length;
      const stood = one.ticks > 1 ? ", " + one.ticks + " ticks, stood for " + span(next - one.at) : "";
      return make("li", { role: "option", id: this.id + "-" + index, "aria-selected": "false" },
        make("span", { class: "kind-" + one.kind, "aria-hidden": "true" }),
        make("span", {},
          make("span", { class: "when" }, moment(run, one.at) + ", " + KINDS[one.kind] + stood),
          make("span", { class: "what" }, one.title)));
    });
    this.list.append(...this.items);
    this.list.addEventListener("keydown", (event) => this.key(event));
    this.list.addEventListener("click", (event) => {
      const item = event.target.closest("li");
      if (item) this.open(this.items.indexOf(item));
    });
    this.filter = make("select", { id: this.id + "-filter" },
      make("option", { value: "all" }, "all"),
      make("option", { value: "done" }, "those that did something"));
    this.filter.addEventListener("change", () => this.sift());
    this.why = make("div", { class: "why", tabindex: 0, role: "region", "aria-live": "polite", "aria-label": "Explanation" });
    const left = run.decisions_left_out ? " and " + run.decisions_left_out + " that there was no room for" : "";
    const told = run.ticks + " ticks; those that said the same as the one before are one entry: " + run.decisions.length + left + ".";
    return [
      make("h3", {}, "Decisions"),
      make("div", { class: "tools" }, make("label", { for: this.id + "-filter" }, "Show"), this.filter,
        make("span", { class: "soft" }, told)),
      make("div", { class: "split" }, this.list, this.why),
    ];
  }

  shown(index) {
    return this.filter.value === "all" || this.run.decisions[index].kind !== "hold";
  }

  sift() {
    this.items.forEach((item, index) => { item.hidden = !this.shown(index); });
    if (this.current >= 0 && !this.shown(this.current)) this.step(1);
    else this.reveal();
  }

  key(event) {
    const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in steps)) return;
    event.preventDefault();
    this.step(steps[event.key]);
  }

  /** Goes on by so many of the decisions that are shown. */
  step(by) {
    const all = this.run.decisions.map((_, index) => index).filter((index) => this.shown(index));
    if (!all.length) return;
    const here = lastAt(all, this.current);
    const from = by < 0 && all[here] !== this.current ? here + 1 : here;
    this.open(all[Math.min(Math.max(from + by, 0), all.length - 1)]);
  }

  open(index) {
    const one = this.run.decisions[index];
    if (!one) return;
    if (this.current >= 0) this.items[this.current].setAttribute("aria-selected", "false");
    this.current = index;
    this.items[index].setAttribute("aria-selected", "true");
    this.list.setAttribute("aria-activedescendant", this.items[index].id);
    const when = moment(this.run, one.at) + ", " + span(one.at) + " after the start";
    const text = one.text || "There was no room on the page for this explanation. It said: " + one.title;
    this.why.replaceChildren(make("h4", {}, when), make("pre", {}, text));
    this.chart.box.setAttribute("aria-valuenow", index + 1);
    this.chart.box.setAttribute("aria-valuetext", when + ": " + one.title);
    this.chart.select(one.at);
    this.reveal();
  }

  /** Scrolls the list alone, never the page; and looks again while sizes of what came into view become known. */
  reveal(tries = 8) {
    const item = this.items[this.current];
    if (!item || item.hidden || !this.list.isConnected) return;
    const { list } = this;
    const top = item.offsetTop - list.offsetTop;
    const hidden = top < list.scrollTop || top + item.offsetHeight > list.scrollTop + list.clientHeight;
    if (hidden) list.scrollTop = top - list.clientHeight / 3;
    if (tries > 0) requestAnimationFrame(() => this.reveal(tries - 1));
  }

  /** The numbers of the chart, at most 200 rows. */
  numbers() {
    const { run, chart } = this;
    const { series } = run;
    const names = ["time", "need", "ready", ...chart.groups.map(groupName), "pods pending", "cost so far"];
    const every = Math.max(Math.ceil(series.at.length / 200), 1);
    const rows = () => series.at.map((_, index) => index).filter((index) => index % every === 0).map((index) =>
      make("tr", {}, ...[
        moment(run, series.at[index]), series.need[index], series.ready[index],
        ...chart.groups.map((group) => group.nodes[index]), series.pending[index], series.cost[index].toFixed(2),
      ].map((value) => make("td", {}, String(value)))));
    return folded("The numbers of the chart", names, rows);
  }

  happenings() {
    const { run } = this;
    const left = run.marks_left_out ? ", and " + run.marks_left_out + " more" : "";
    const rows = () => run.marks.map((mark) =>
      make("tr", {}, make("td", {}, moment(run, mark.at)), make("td", { class: "words" }, markText(mark))));
    return folded("Notices and faults: " + run.marks.length + left, ["time", "what"], rows);
  }
}

/** A table that is filled when it is opened. */
function folded(title, names, rows) {
  const body = make("tbody", {});
  const head = make("tr", {}, ...names.map((name) => make("th", { scope: "col" }, name)));
  const table = make("table", {}, make("caption", { class: "soft" }, title), make("thead", {}, head), body);
  const details = make("details", {}, make("summary", {}, title),
    make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": title }, table));
  details.addEventListener("toggle", () => {
    if (details.open && !body.hasChildNodes()) body.append(...rows());
  });
  return details;
}

function themes() {
  const button = document.getElementById("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const words = { system: "as the system", light: "light", dark: "dark" };
  let chosen = "system";
  const apply = () => {
    const system = dark.matches ? "dark" : "light";
    document.documentElement.dataset.theme = chosen === "system" ? system : chosen;
    button.textContent = "Theme: " + words[chosen];
  };
  button.addEventListener("click", () => {
    const order = Object.keys(words);
    chosen = order[(order.indexOf(chosen) + 1) % order.length];
    apply();
  });
  dark.addEventListener("change", apply);
  apply();
}

themes();
const sections = runs.map((run, number) => new Section(run, number));
document.getElementById("main").append(...sections.map((section) => section.element));
sections.forEach((section) => section.reveal());
