// SPDX-License-Identifier: MIT
// The controls: a bar to drag, play, step, jump; and keys for all of it.
"use strict";

const KIND_NAMES = ["kmalloc", "krealloc", "kfree"];

class Player {
  constructor(film, bytes) {
    this.film = film;
    this.script = new Script(film, bytes);
    film.time = 0;
    this.views = film.reels.map((about, place) => new HeapView(
      new Reel(about, film, bytes, this.script), film,
      document.querySelectorAll("[data-heap]")[place], (t) => this.go(t)));
    this.reels = this.views.map((view) => view.reel);
    this.failures = [...new Set(this.reels.flatMap((reel) => reel.failures))].sort((a, b) => a - b);
    this.playing = false;
    this.prepareControls();
    this.show();
  }

  // --- going to a moment

  go(t) {
    this.film.time = Math.max(0, Math.min(this.film.operations, Math.round(t)));
    if (!this.waiting) {
      this.waiting = true;
      requestAnimationFrame(() => this.show());
    }
  }

  show() {
    this.waiting = false;
    const began = performance.now();
    for (const view of this.views) view.show();
    const t = this.film.time, bar = part("time");
    bar.value = t;
    bar.setAttribute("aria-valuetext", this.describe());
    part("operation").textContent = this.describe();
    if (document.activeElement !== part("number")) part("number").value = Math.max(0, t - 1);
    for (const name of ["back", "first"]) part(name).disabled = t === 0;
    for (const name of ["step", "last"]) part(name).disabled = t === this.film.operations;
    part("failure").disabled = !this.failures.some((one) => one > t);
    part("failure-before").disabled = !this.failures.some((one) => one < t);
    this.tookMilliseconds = performance.now() - began;
  }

  describe() {
    const t = this.film.time;
    if (!t) return "before the first operation";
    const { kinds, ids, sizes } = this.script, kind = kinds[t - 1];
    const of = kind === FREES ? "" : ` of ${plural(sizes[t - 1], "byte")}`;
    return `operation ${number(t - 1)}: ${KIND_NAMES[kind]}${of}, id ${ids[t - 1]}`;
  }

  // --- playing

  play(on = !this.playing) {
    if (on && this.film.time === this.film.operations) this.go(0);
    this.playing = on;
    part("play").textContent = on ? "Pause" : "Play";
    part("play").setAttribute("aria-pressed", on);
    if (on) requestAnimationFrame((now) => this.run(now, now, this.film.time));
  }

  // `exact` is the moment with its fraction, since a frame may be less than an operation.
  run(now, before, exact) {
    if (!this.playing) return;
    const rate = Number(part("speed").value);
    if (Math.floor(exact) !== this.film.time) exact = this.film.time; // somebody jumped
    exact += rate * Math.min(now - before, 100) / 1000;
    if (exact >= this.film.operations) this.play(false);
    if (Math.floor(exact) !== this.film.time) {
      this.film.time = Math.min(Math.floor(exact), this.film.operations);
      this.show();
    }
    requestAnimationFrame((next) => this.run(next, now, exact));
  }

  // --- controls

  prepareControls() {
    const jumps = {
      first: () => 0, back: (t) => t - 1, step: (t) => t + 1, last: () => this.film.operations,
      failure: (t) => this.failures.find((one) => one > t) ?? t,
      "failure-before": (t) => this.failures.findLast((one) => one < t) ?? t,
      difference: () => this.film.first_difference + 1,
    };
    for (const [name, to] of Object.entries(jumps)) {
      part(name).addEventListener("click", () => this.go(to(this.film.time)));
    }
    part("difference").disabled = this.film.first_difference === null;
    part("play").addEventListener("click", () => this.play());
    part("time").max = this.film.operations;
    part("time").addEventListener("input", (event) => this.go(Number(event.target.value)));
    part("number").max = this.film.operations - 1;
    part("number").addEventListener("change", (event) => this.go(Number(event.target.value) + 1));
    addEventListener("resize", () => {
      for (const view of this.views) view.measure();
      this.go(this.film.time);
    });
    addEventListener("keydown", (event) => this.key(event));
  }

  // Fields and the bar keep the keys that they have.
  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const tag = event.target.tagName, typing = tag === "INPUT" || tag === "SELECT";
    const far = event.shiftKey ? 100 : 1;
    const keys = {
      ArrowLeft: () => this.go(this.film.time - far), ArrowRight: () => this.go(this.film.time + far),
      Home: () => this.go(0), End: () => this.go(this.film.operations),
      f: () => part("failure").click(), F: () => part("failure-before").click(),
      d: () => part("difference").click(), " ": () => this.play(),
    };
    if (typing || !(event.key in keys) || (event.key === " " && tag === "BUTTON")) return;
    event.preventDefault();
    keys[event.key]();
  }
}

function part(name) { return document.querySelector(`[data-control=${name}]`); }

async function start() {
  const film = JSON.parse(document.getElementById("about").textContent);
  const bytes = await unpack(document.getElementById("film").textContent.trim());
  window.player = new Player(film, bytes);
  document.body.dataset.ready = "yes";
}

start().catch((error) => {
  part("operation").textContent = `This film cannot be shown: ${error.message}`;
  throw error;
});
