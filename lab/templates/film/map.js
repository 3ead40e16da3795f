// SPDX-License-Identifier: MIT
// One heap on the page: its map, what lies under the pointer, its figures and its curves.
"use strict";

const MAP_COLUMNS = 256;
const number = (value) => Math.round(value).toLocaleString("en-US");
const plural = (count, what) => `${number(count)} ${what}${count === 1 ? "" : "s"}`;
const address = (value) => `+0x${value.toString(16).padStart(6, "0")}`;
const percent = (part, whole) => whole ? `${(100 * part / whole).toFixed(1)} %` : "-";

// A colour as a canvas keeps it.
function pixel(colour) {
  const value = parseInt(colour.slice(1), 16);
  return (0xff000000 | (value & 0xff) << 16 | value & 0xff00 | value >> 16) >>> 0;
}

class HeapView {
  constructor(reel, film, root, jump) {
    this.reel = reel;
    this.film = film;
    this.root = root;
    this.jump = jump;
    this.selected = null; // an address in the region
    this.colours = Object.fromEntries(film.states.map((one) => [one.letter, pixel(one.colour)]));
    this.part = (name) => root.querySelector(`[data-part=${name}]`);
    this.prepareMap();
    this.prepareCurves();
    this.prepareJumps();
    this.measure();
  }

  // How large things are on the page: asked for as seldom as can be, for it makes the page be
  // laid out again.
  measure() {
    this.marks = sized(this.part("marks"));
    this.curves = sized(this.part("curves"));
    this.painted = null;
  }

  // --- the map

  prepareMap() {
    const map = this.part("map");
    this.rows = Math.ceil(this.reel.totalBytes / this.reel.cellBytes / MAP_COLUMNS);
    map.width = MAP_COLUMNS;
    map.height = this.rows;
    this.image = map.getContext("2d").createImageData(MAP_COLUMNS, this.rows);
    this.cells = new Uint32Array(this.image.data.buffer);
    const marks = this.part("marks");
    marks.addEventListener("pointermove", (event) => this.select(this.addressAt(event)));
    marks.addEventListener("pointerdown", (event) => this.select(this.addressAt(event)));
    marks.addEventListener("keydown", (event) => this.selectByKey(event));
  }

  addressAt(event) {
    const box = this.part("marks").getBoundingClientRect();
    const share = (value, size) => Math.max(0, Math.min(0.999999, value / size));
    const column = Math.floor(share(event.clientX - box.left, box.width) * MAP_COLUMNS);
    const row = Math.floor(share(event.clientY - box.top, box.height) * this.rows);
    return Math.min((row * MAP_COLUMNS + column) * this.reel.cellBytes, this.reel.totalBytes - 1);
  }

  select(place) {
    this.selected = place;
    this.showBlock();
    this.drawMarks();
  }

  // Left and right go from block to block, up and down from row to row.
  selectByKey(event) {
    const walk = this.reel.walk, at = walk.find(this.selected ?? 0);
    const row = MAP_COLUMNS * this.reel.cellBytes;
    const to = {
      ArrowLeft: walk.start(Math.max(0, at - 1)),
      ArrowRight: walk.start(Math.min(walk.count - 1, at + 1)),
      ArrowUp: Math.max(0, (this.selected ?? 0) - row),
      ArrowDown: Math.min(this.reel.totalBytes - 1, (this.selected ?? 0) + row),
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.select(to);
  }

  drawMap() {
    const { walk, cellBytes, totalBytes } = this.reel, cells = this.cells;
    const cell = (place) => Math.ceil(place / cellBytes); // the first at or behind a place
    for (let i = 0; i < walk.count; i++) {
      const from = cell(walk.start(i)), to = cell(walk.end(i)), state = walk.state(i);
      if (state === FREE) this.drawHole(from, to);
      else cells.fill(this.colours[state === LIVE ? "w" : state === PARKED ? "c" : "m"], from, to);
      if (state === LIVE && walk.owners[i] !== NONE) {
        const owner = walk.owners[i], place = this.reel.placements[owner];
        cells.fill(this.colours.r, cell(place), cell(place + this.reel.script.sizes[owner]));
      }
    }
    cells.fill(this.colours.m, cell(totalBytes));
    this.part("map").getContext("2d").putImageData(this.image, 0, 0);
  }

  drawHole(from, to) {
    const { firstUse, time } = this.reel, { h, n } = this.colours;
    for (let i = from; i < to; i++) this.cells[i] = firstUse[i] <= time ? h : n;
  }

  // Rings on what the operation touched and what is selected: a block may be a dot.
  drawMarks() {
    const { walk, time, touched } = this.reel, { context, width, height } = this.marks;
    context.clearRect(0, 0, width, height);
    if (time && touched[time - 1] !== NONE) this.ring(touched[time - 1], 9, false);
    if (this.selected !== null) this.ring(walk.start(walk.find(this.selected)), 6, true);
  }

  ring(place, radius, square) {
    const { context, width: mapWidth, height } = this.marks;
    const cell = Math.floor(place / this.reel.cellBytes);
    const x = (cell % MAP_COLUMNS + 0.5) / MAP_COLUMNS * mapWidth;
    const y = (Math.floor(cell / MAP_COLUMNS) + 0.5) / this.rows * height;
    for (const [width, colour] of [[5, "#fff"], [2, "#000"]]) {
      context.lineWidth = width;
      context.strokeStyle = colour;
      context.beginPath();
      if (square) context.rect(x - radius, y - radius, 2 * radius, 2 * radius);
      else context.arc(x, y, radius, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  // --- in words

  showBlock() {
    this.part("block").textContent = this.selected === null
      ? "Point at the map, or go through its blocks with the arrow keys."
      : this.describe(this.reel.walk.find(this.selected));
  }

  describe(index) {
    const { walk, time, placements, script } = this.reel;
    const start = walk.start(index), bytes = walk.end(index) - start;
    const state = walk.state(index), owner = walk.owners[index];
    if (state === FREE) return `${address(start)}: a hole of ${plural(bytes, "byte")}.`;
    if (state === PARKED) return `${address(start)}: ${plural(bytes, "byte")} parked, kept whole for a request of that size.`;
    if (state === OWN) return `${address(start)}: ${plural(bytes, "byte")} of the heap's own.`;
    if (owner === NONE) return `${address(start)}: a live block of ${plural(bytes, "byte")}.`;
    const size = script.sizes[owner], age = time - 1 - owner;
    const born = script.kinds[owner] === ALLOC ? "allocated" : "resized";
    return `${address(placements[owner])}: the block of id ${script.ids[owner]}: ` +
      `${number(size)} requested, ${number(bytes)} granted, ${number(bytes - size)} wasted; ` +
      `${born} by operation ${number(owner)}, ${plural(age, "operation")} ago.`;
  }

  // What the last operation did to this heap.
  describeDeed() {
    const { time, outcomes, placements, touched, costs, script, count } = this.reel;
    if (!time) return "Initialised.";
    if (this.film.time > count) return `Ended with operation ${number(count - 1)}.`;
    const index = time - 1, what = outcomes[index];
    const ticks = plural(costs[index], this.film.unit.slice(0, -1));
    const cost = costs[index] === NONE ? "" : ` in ${ticks}`;
    if (what === SKIPPED) return "Skipped: its block was never allocated.";
    if (what === FAILED) return `Refused${cost}: ${this.explain(index)}.`;
    if (script.kinds[index] === FREES) return touched[index] === NONE ? `Nothing to free${cost}.` : `Freed at ${address(touched[index])}${cost}.`;
    if (placements[index] === NONE) return `No block asked for, none given${cost}.`;
    return `Placed at ${address(placements[index])}${cost}.`;
  }

  explain(index) {
    const { free, holes, largest, parked, script } = this.reel, t = index + 1;
    const need = script.sizes[index];
    const why = largest[t] >= need ? "no hole that this heap's rules let it take"
      : free[t] >= need ? "fragmented"
      : free[t] + parked[t] >= need ? "what is free is parked for other sizes" : "exhausted";
    const aside = parked[t] ? `, and ${number(parked[t])} parked` : "";
    return `needs ${number(need)}; ${number(free[t])} free in ` +
      `${plural(holes[t], "hole")}, largest ${number(largest[t])}${aside}: ${why}`;
  }

  showFigures() {
    const reel = this.reel, t = reel.time;
    const figures = {
      requested: number(reel.requested[t]), granted: number(reel.granted[t]),
      waste: percent(reel.granted[t] - reel.requested[t], reel.granted[t]),
      free: number(reel.free[t]), holes: number(reel.holes[t]), largest: number(reel.largest[t]),
      split: percent(reel.free[t] - reel.largest[t], reel.free[t]),
      parked: number(reel.parked[t]),
    };
    for (const [name, text] of Object.entries(figures)) this.part(name).textContent = text;
    const deed = this.part("deed");
    deed.textContent = this.describeDeed();
    deed.classList.toggle("refused", t > 0 && reel.outcomes[t - 1] === FAILED);
  }

  // --- the curves

  prepareCurves() {
    const curves = this.part("curves");
    const go = (event) => {
      if (event.type === "pointermove" && !event.buttons) return;
      const box = curves.getBoundingClientRect();
      this.jump(Math.round((event.clientX - box.left) / box.width * this.film.operations));
    };
    curves.addEventListener("pointerdown", go);
    curves.addEventListener("pointermove", go);
  }

  drawCurves() {
    const { context, width, height } = this.curves;
    this.painted ??= this.paintCurves();
    context.clearRect(0, 0, width, height);
    context.drawImage(this.painted, 0, 0, width, height);
    const x = this.film.time / this.film.operations * width;
    context.fillStyle = "#000";
    context.fillRect(Math.min(Math.max(x - 1, 0), width - 2), 0, 2, height);
  }

  // All but the cursor, which is all that changes.
  paintCurves() {
    const picture = document.createElement("canvas");
    const { width, height } = this.curves, reel = this.reel;
    picture.width = this.part("curves").width;
    picture.height = this.part("curves").height;
    const context = picture.getContext("2d");
    context.scale(picture.width / width, picture.height / height);
    const y = (bytes) => height - 1 - bytes / reel.totalBytes * (height - 10);
    const line = (values) => {
      context.beginPath();
      for (let x = 0; x <= width; x++) {
        const t = Math.round(x / width * this.film.operations);
        if (t <= reel.count) context.lineTo(x, y(values[t]));
      }
    };
    line(reel.requested);
    context.lineTo(reel.count / this.film.operations * width, height);
    context.lineTo(0, height);
    context.fillStyle = "#b3d4e8";
    context.fill();
    for (const [name, colour, dashes] of CURVES) {
      context.strokeStyle = colour;
      context.lineWidth = 1.5;
      context.setLineDash(dashes);
      line(reel[name]);
      context.stroke();
    }
    context.fillStyle = "#000";
    for (const t of reel.failures) context.fillRect(t / this.film.operations * width - 0.5, 0, 1, 6);
    return picture;
  }

  prepareJumps() {
    const to = { worst: this.reel.about.worst, squeezed: this.reel.leastLargest - 1 };
    for (const [name, index] of Object.entries(to)) {
      const button = this.part(name);
      button.disabled = index === null || index === undefined;
      button.addEventListener("click", () => this.jump(index + 1));
    }
  }

  show() {
    this.reel.seek(this.film.time);
    this.drawMap();
    this.drawMarks();
    this.drawCurves();
    this.showFigures();
    this.showBlock();
  }
}

const CURVES = [["granted", "#0072b2", []], ["free", "#b87d00", [6, 3]], ["largest", "#d55e00", [2, 2]]];

// A canvas's context, in which a unit is a pixel of the page, and how many of these there are.
function sized(canvas) {
  const { width, height } = canvas.getBoundingClientRect(), scale = window.devicePixelRatio || 1;
  const want = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  if (canvas.width !== want[0] || canvas.height !== want[1]) [canvas.width, canvas.height] = want;
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  return { context, width, height };
}
