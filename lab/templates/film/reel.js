// SPDX-License-Identifier: MIT
// The film itself: unpacked, gone through once, and from then on at any moment.
//
// A moment t is the heap after t operations; 0 is the heap as it was initialised. What an
// operation changed is a list of blocks that take the place of those that lay there. The first
// pass keeps the heap's figures at every moment, and all its blocks at some: the keyframes. Any
// moment is a keyframe and at most so many operations after it.
"use strict";

const NONE = 0xffffffff;
const LIVE = 0, FREE = 1, PARKED = 2, OWN = 3;
const DONE = 0, FAILED = 1, SKIPPED = 2;
const ALLOC = 0, REALLOC = 1, FREES = 2;
const STATE_SHIFT = 30, START_MASK = (1 << STATE_SHIFT) - 1;
const KEYFRAME_EVERY = 1024, KEYFRAMES_BYTES = 1 << 25;

async function unpack(base64) {
  const packed = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Numbers as base-128 varints, one behind the other.
class Stream {
  constructor(bytes, [start, end]) {
    this.bytes = bytes.subarray(start, end);
    this.at = 0;
  }

  next() {
    let value = 0, scale = 1, byte;
    do {
      byte = this.bytes[this.at++];
      value += (byte & 0x7f) * scale;
      scale *= 128;
    } while (byte & 0x80);
    return value;
  }

  nextSigned() { return signed(this.next()); }
}

// A number that was written as one that is not negative.
function signed(value) { return value % 2 ? -(value + 1) / 2 : value / 2; }

// The operations, the same for all heaps.
class Script {
  constructor(about, bytes) {
    const count = about.operations;
    const { kinds, ids, sizes } = about.script;
    this.kinds = bytes.subarray(...kinds);
    this.ids = new Uint32Array(count);
    this.sizes = new Uint32Array(count);
    const nextId = new Stream(bytes, ids), nextSize = new Stream(bytes, sizes);
    for (let i = 0, id = 0; i < count; i++) {
      this.ids[i] = id += nextId.nextSigned();
      this.sizes[i] = this.kinds[i] === FREES ? 0 : nextSize.next();
    }
  }
}

// All blocks of a heap in address order: where each starts and its state, and which operation
// placed it. Behind the last stands where the region ends.
class Walk {
  constructor(totalBytes) {
    this.totalBytes = totalBytes;
    this.words = new Uint32Array(1024);
    this.owners = new Uint32Array(1024).fill(NONE);
    this.words[0] = OWN * 2 ** STATE_SHIFT;
    this.words[1] = totalBytes;
    this.count = 1;
  }

  start(index) { return this.words[index] & START_MASK; }
  end(index) { return this.words[index + 1] & START_MASK; }
  state(index) { return this.words[index] >>> STATE_SHIFT; }

  // The block that an address lies in; `count` for the region's end.
  find(address) {
    let low = 0, high = this.count + 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.start(middle) <= address) low = middle; else high = middle;
    }
    return low;
  }

  // Put words and owners in the place of the blocks first to last - 1.
  replace(first, last, words, owners) {
    const count = this.count + words.length - (last - first);
    if (count + 1 > this.words.length) this.grow(2 * count);
    this.words.copyWithin(first + words.length, last, this.count + 1);
    this.owners.copyWithin(first + words.length, last, this.count);
    this.words.set(words, first);
    this.owners.set(owners, first);
    this.count = count;
  }

  grow(room) {
    for (const name of ["words", "owners"]) {
      const larger = new Uint32Array(room);
      larger.set(this[name]);
      this[name] = larger;
    }
  }

  save() {
    return { words: this.words.slice(0, this.count + 1), owners: this.owners.slice(0, this.count) };
  }

  load(frame) {
    if (frame.words.length > this.words.length) this.grow(2 * frame.words.length);
    this.words.set(frame.words);
    this.owners.set(frame.owners);
    this.count = frame.owners.length;
  }
}

// How many holes there are of each size, and the largest.
class Holes {
  constructor(totalBytes, grain) {
    this.grain = grain;
    this.counts = new Uint32Array(totalBytes / grain + 1);
    this.groups = new Uint32Array((this.counts.length >> 10) + 1);
    this.count = this.bytes = this.top = 0;
  }

  add(bytes, many) {
    const size = bytes / this.grain;
    this.counts[size] += many;
    this.groups[size >> 10] += many;
    this.count += many;
    this.bytes += many * bytes;
    if (many > 0 && size > this.top) this.top = size;
  }

  largest() {
    if (!this.count) return (this.top = 0);
    while (!this.counts[this.top]) {
      this.top = this.groups[this.top >> 10] ? this.top - 1 : (this.top >> 10) * 1024 - 1;
    }
    return this.top * this.grain;
  }
}

// One heap's film.
class Reel {
  constructor(about, film, bytes, script) {
    this.name = about.name;
    this.about = about;
    this.script = script;
    this.totalBytes = film.total_bytes;
    this.count = about.operations;
    this.readStreams(about, film.grain, bytes);
    this.goThrough(film);
    this.time = this.count;
    this.seek(0);
  }

  readStreams(about, grain, bytes) {
    const count = this.count;
    this.costs = new Uint32Array(count);
    this.placements = new Uint32Array(count);
    this.firsts = new Uint32Array(count + 2); // by moment: its first new block
    const stream = (name) => new Stream(bytes, about[name]);
    const counts = stream("counts"), costs = stream("costs"), places = stream("placements");
    for (let t = 0; t <= count; t++) this.firsts[t + 1] = this.firsts[t] + counts.next();
    this.newWords = new Uint32Array(this.firsts[count + 1]);
    this.newEnds = new Uint32Array(this.newWords.length);
    const gaps = stream("gaps"), sizes = stream("sizes"), states = stream("block_states");
    for (let i = 0, last = 0; i < this.newWords.length; i++) {
      const start = last + gaps.nextSigned() * grain;
      this.newEnds[i] = last = start + sizes.next() * grain;
      this.newWords[i] = start + states.next() * 2 ** STATE_SHIFT;
    }
    for (let i = 0, last = 0; i < count; i++) {
      const cost = costs.next(), place = places.next();
      this.costs[i] = cost ? cost - 1 : NONE;
      this.placements[i] = place ? this.firstLive(i + 1, last) + signed(place - 1) * grain : NONE;
      if (place) last = this.placements[i];
    }
  }

  // Where the first live block starts that is new at a moment; `otherwise` if none is.
  firstLive(t, otherwise) {
    for (let i = this.firsts[t]; i < this.firsts[t + 1]; i++) {
      if (this.newWords[i] >>> STATE_SHIFT === LIVE) return this.newWords[i] & START_MASK;
    }
    return otherwise;
  }

  // The first pass: figures and outcomes of every moment, keyframes, when memory was first used.
  goThrough(film) {
    const count = this.count;
    for (const name of ["requested", "granted", "free", "largest", "holes", "parked"]) {
      this[name] = new Uint32Array(count + 1);
    }
    this.outcomes = new Uint8Array(count);
    this.touched = new Uint32Array(count); // where the block lies, or lay, that it is about
    this.cellBytes = film.cell_bytes;
    this.firstUse = new Uint32Array(Math.ceil(this.totalBytes / this.cellBytes)).fill(NONE);
    this.walk = new Walk(this.totalBytes);
    this.keyframes = new Map();
    const sums = { granted: 0, parked: 0, holes: new Holes(this.totalBytes, film.grain) };
    const requests = new Requests(film.ids);
    let sinceKeyframe = 0, interval = KEYFRAME_EVERY;
    for (let t = 0; t <= count; t++) {
      this.apply(t, sums);
      if (t) {
        this.touched[t - 1] = requests.placeOf(this.script, t - 1, this.placements[t - 1]);
        this.outcomes[t - 1] = requests.apply(this.script, t - 1, this.placements[t - 1]);
        this.requested[t] = requests.bytes;
      }
      this.granted[t] = sums.granted;
      this.parked[t] = sums.parked;
      this.free[t] = sums.holes.bytes;
      this.holes[t] = sums.holes.count;
      this.largest[t] = sums.holes.largest();
      if (t === 0 || ++sinceKeyframe >= interval) {
        this.keyframes.set(t, this.walk.save());
        sinceKeyframe = 0;
        interval = Math.max(KEYFRAME_EVERY, count * this.walk.count * 8 / KEYFRAMES_BYTES);
      }
    }
    this.keyTimes = [...this.keyframes.keys()];
    this.failures = [];
    this.outcomes.forEach((what, i) => { if (what === FAILED) this.failures.push(i + 1); });
    this.leastLargest = this.largest.indexOf(this.largest.reduce((a, b) => Math.min(a, b)));
  }

  // Make the walk that of moment t; it is that of the moment before.
  apply(t, sums) {
    const end = this.firsts[t + 1];
    for (let first = this.firsts[t]; first < end;) {
      let last = first + 1;
      while (last < end && (this.newWords[last] & START_MASK) === this.newEnds[last - 1]) last++;
      this.replaceRun(first, last, t, sums);
      first = last;
    }
    if (t && this.placements[t - 1] !== NONE) {
      this.walk.owners[this.walk.find(this.placements[t - 1])] = t - 1;
    }
  }

  replaceRun(first, last, t, sums) {
    const walk = this.walk, words = this.newWords.subarray(first, last);
    const low = walk.find(words[0] & START_MASK), high = walk.find(this.newEnds[last - 1]);
    const owners = new Uint32Array(words.length).fill(NONE);
    for (let i = low; i < high; i++) {
      const owner = walk.owners[i];
      if (walk.state(i) === LIVE && owner !== NONE) {
        const at = this.newBlockAt(first, last, this.placements[owner]);
        if (this.newWords[at] >>> STATE_SHIFT === LIVE) owners[at - first] = owner;
      }
      if (sums) count(sums, walk.state(i), walk.end(i) - walk.start(i), -1);
    }
    for (let i = first; sums && i < last; i++) {
      const start = this.newWords[i] & START_MASK, state = this.newWords[i] >>> STATE_SHIFT;
      count(sums, state, this.newEnds[i] - start, 1);
      if (state === LIVE) this.noteUse(start, this.newEnds[i], t);
    }
    walk.replace(low, high, words, owners);
  }

  newBlockAt(first, last, address) {
    let at = first;
    while (at < last - 1 && this.newEnds[at] <= address) at++;
    return at;
  }

  noteUse(start, end, t) {
    const last = Math.ceil(end / this.cellBytes);
    for (let cell = Math.floor(start / this.cellBytes); cell < last; cell++) {
      if (this.firstUse[cell] === NONE) this.firstUse[cell] = t;
    }
  }

  // Make the walk that of any moment.
  seek(t) {
    t = Math.min(t, this.count);
    let key = this.keyTimes.length - 1;
    while (this.keyTimes[key] > t) key--;
    if (t < this.time || this.keyTimes[key] > this.time) {
      this.time = this.keyTimes[key];
      this.walk.load(this.keyframes.get(this.time));
    }
    while (this.time < t) this.apply(++this.time);
  }
}

function count(sums, state, bytes, many) {
  if (state === LIVE) sums.granted += many * bytes;
  else if (state === FREE) sums.holes.add(bytes, many);
  else if (state === PARKED) sums.parked += many * bytes;
}

// Which requests are live. An operation on a block whose allocation failed is skipped.
class Requests {
  constructor(ids) {
    this.sizes = new Uint32Array(ids);
    this.missing = new Uint8Array(ids);
    this.places = new Uint32Array(ids).fill(NONE);
    this.bytes = 0;
  }

  // Where a block comes to lie, or else where it lay until now.
  placeOf(script, index, placement) {
    const id = script.ids[index], before = this.places[id];
    const stays = placement === NONE && script.kinds[index] === REALLOC && script.sizes[index];
    if (!stays) this.places[id] = placement;
    return placement === NONE ? before : placement;
  }

  apply(script, index, placement) {
    const kind = script.kinds[index], id = script.ids[index], size = script.sizes[index];
    if (kind !== ALLOC && this.missing[id]) {
      if (kind === FREES) this.missing[id] = 0;
      return SKIPPED;
    }
    if (kind !== FREES && size && placement === NONE) {
      if (kind === ALLOC) this.missing[id] = 1;
      return FAILED;
    }
    this.bytes += size - this.sizes[id];
    this.sizes[id] = size;
    return DONE;
  }
}
