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

const FINEST = 96; // cells of a side of the map over several grids

/** Maps of one token or of several, with the grids they belong to. */
export class Heat {
  #whole = null;
  #most = null;

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
    this.#whole = this.#most = null;
    this.maps.forEach((map, k) => {
      const more = other.maps[k].values;
      for (let i = 0; i < more.length; i++) map.values[i] += more[i];
    });
  }

  /** One map {rows, cols, values, rectangle} of attention for each pixel: that of grids that overlap is added. */
  get whole() {
    this.#whole ??= this.maps.length === 1 ? { ...this.maps[0], rectangle: this.grids[0].rectangle } : this.#joined();
    return this.#whole;
  }

  get most() {
    this.#most ??= this.whole.values.reduce((most, value) => Math.max(most, value), 0) || 1;
    return this.#most;
  }

  /** How much of what was looked at lies within a region, 0 to 1. */
  share(region, size) {
    const { rows, cols, values, rectangle } = this.whole;
    const [x0, y0, x1, y1] = rectangle;
    const [width, height] = [(x1 - x0) / cols, (y1 - y0) / rows];
    let inside = 0;
    let all = 0;
    for (let i = 0; i < values.length; i++) {
      all += values[i];
      const x = x0 + ((i % cols) + 0.5) * width;
      const y = y0 + (Math.floor(i / cols) + 0.5) * height;
      const near = region.kind === "point" && Math.abs(x - region.x) <= width && Math.abs(y - region.y) <= height;
      if (near || contains(region, x, y, size)) inside += values[i];
    }
    if (inside === 0 && all > 0) return this.at(...middle(region, size)) / this.most; // smaller than a cell
    return all > 0 ? inside / all : 0;
  }

  /** The value at a place. */
  at(x, y) {
    let found = 0;
    this.maps.forEach((map, k) => {
      const [left, top, right, bottom] = this.grids[k].rectangle;
      const [row, col] = [cellOf(y, top, bottom, map.rows), cellOf(x, left, right, map.cols)];
      if (row >= 0 && col >= 0) found += map.values[row * map.cols + col] / this.#area(k);
    });
    return found;
  }

  /** Pixels of a cell of one of several grids; of one alone it does not matter. */
  #area(k) {
    const [left, top, right, bottom] = this.grids[k].rectangle;
    return this.maps.length > 1 ? ((right - left) * (bottom - top)) / this.maps[k].values.length : 1;
  }

  #joined() {
    const side = (from, to, count) => {
      const least = Math.min(...this.grids.map(({ rectangle }) => rectangle[from]));
      const most = Math.max(...this.grids.map(({ rectangle }) => rectangle[to]));
      const cell = Math.min(...this.grids.map(({ rectangle }, k) => (rectangle[to] - rectangle[from]) / this.maps[k][count]));
      return [least, most, Math.min(FINEST, Math.max(1, Math.round((most - least) / cell)))];
    };
    const [x0, x1, cols] = side(0, 2, "cols");
    const [y0, y1, rows] = side(1, 3, "rows");
    const values = new Float32Array(rows * cols);
    this.maps.forEach((map, k) => {
      const [left, top, right, bottom] = this.grids[k].rectangle;
      const area = this.#area(k);
      const across = Array.from({ length: cols }, (_, col) => cellOf(x0 + ((col + 0.5) / cols) * (x1 - x0), left, right, map.cols));
      for (let row = 0; row < rows; row++) {
        const own = cellOf(y0 + ((row + 0.5) / rows) * (y1 - y0), top, bottom, map.rows);
        if (own < 0) continue;
        for (let col = 0; col < cols; col++) {
          if (across[col] >= 0) values[row * cols + col] += map.values[own * map.cols + across[col]] / area;
        }
      }
    });
    return { rows, cols, values, rectangle: [x0, y0, x1, y1] };
  }
}

/** Which of so many cells from low to high a value lies in; -1 for none. */
function cellOf(value, low, high, count) {
  const found = Math.floor(((value - low) / (high - low)) * count);
  return found >= 0 && found < count ? found : -1;
}
