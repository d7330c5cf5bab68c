// Where heads looked: one map for each token grid of an image, and what a place has of it.

import { contains, middle } from "./region.js";

/** Little-endian float16 in base64, as the server sends it. */
export function decode({ shape, float16 }) {
  const text = atob(float16);
  const values = new Float32Array(text.length / 2);
  for (let i = 0; i < values.length; i++) {
    const bits = text.charCodeAt(2 * i) | (text.charCodeAt(2 * i + 1) << 8);
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    values[i] = exponent ? 2 ** (exponent - 25) * (1024 + fraction) : 2 ** -24 * fraction;
  }
  return { rows: shape[0], cols: shape[1], values };
}

/** Maps of one token or of several, with the grids they belong to. */
export class Heat {
  constructor(grids, maps) {
    this.grids = grids;
    this.maps = maps;
  }

  /** The sum of some; null of none. */
  static sum([first, ...rest]) {
    if (!first || !rest.length) return first ?? null;
    const found = first.copy();
    for (const heat of rest) found.add(heat);
    return found;
  }

  copy() {
    return new Heat(this.grids, this.maps.map((map) => ({ ...map, values: Float32Array.from(map.values) })));
  }

  add(other) {
    this.maps.forEach((map, k) => {
      const more = other.maps[k].values;
      for (let i = 0; i < more.length; i++) map.values[i] += more[i];
    });
  }

  get most() {
    return Math.max(1e-9, ...this.maps.map((map) => map.values.reduce((most, value) => Math.max(most, value), 0)));
  }

  /** How much of what was looked at lies within a region, 0 to 1. */
  share(region, size) {
    let inside = 0;
    let all = 0;
    this.#cells((x, y, value, [x0, y0, x1, y1], map) => {
      all += value;
      const near =
        region.kind === "point" &&
        Math.abs(x - region.x) <= (x1 - x0) / map.cols && Math.abs(y - region.y) <= (y1 - y0) / map.rows;
      if (near || contains(region, x, y, size)) inside += value;
    });
    if (inside === 0 && all > 0) return this.at(...middle(region, size)) / this.most; // smaller than a cell
    return all > 0 ? inside / all : 0;
  }

  /** The value at a place. */
  at(x, y) {
    let found = 0;
    this.maps.forEach((map, k) => {
      const [x0, y0, x1, y1] = this.grids[k].rectangle;
      const col = Math.floor(((x - x0) / (x1 - x0)) * map.cols);
      const row = Math.floor(((y - y0) / (y1 - y0)) * map.rows);
      if (col >= 0 && col < map.cols && row >= 0 && row < map.rows) {
        found = Math.max(found, map.values[row * map.cols + col]);
      }
    });
    return found;
  }

  #cells(visit) {
    this.maps.forEach((map, k) => {
      const rectangle = this.grids[k].rectangle;
      const [x0, y0, x1, y1] = rectangle;
      for (let i = 0; i < map.values.length; i++) {
        const x = x0 + (((i % map.cols) + 0.5) / map.cols) * (x1 - x0);
        const y = y0 + ((Math.floor(i / map.cols) + 0.5) / map.rows) * (y1 - y0);
        visit(x, y, map.values[i], rectangle, map);
      }
    });
  }
}
