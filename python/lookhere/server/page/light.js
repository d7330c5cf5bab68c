// The light on the image: where heads looked stays bright, the rest is dimmed.

const SECONDS = 0.18;
const LONGEST = 384; // pixels of a side that are drawn at most: light is soft, and the browser stretches it off the main thread

export class Light {
  #canvas;
  #cells = document.createElement("canvas");
  #heat = null;
  #size = null;
  #dim = 0; // as drawn now
  #wanted = 0;
  #values = null; // as drawn now
  #rectangle = null; // that they lie on
  #frame = 0;
  #before = 0;
  #still = matchMedia("(prefers-reduced-motion: reduce)");

  constructor(canvas) {
    this.#canvas = canvas;
    new ResizeObserver(() => this.#wake()).observe(canvas);
  }

  /** dim: how dark it gets where nobody looked, 0 to 1. */
  show(heat, size, dim) {
    if (size !== this.#size) {
      this.#heat = this.#values = null;
      this.#dim = 0;
      this.#canvas.width = 0; // nothing of the image before
    }
    this.#size = size;
    this.#wanted = heat ? dim : 0;
    if (heat) {
      this.#heat = heat;
      const { values, rectangle } = heat.whole;
      const alike = this.#values?.length === values.length && rectangle.every((each, k) => each === this.#rectangle[k]);
      this.#rectangle = rectangle;
      if (!alike) this.#values = values.map((value) => value / heat.most);
    }
    this.#wake();
  }

  #wake() {
    if (!this.#frame) {
      this.#before = performance.now();
      this.#frame = requestAnimationFrame((now) => this.#draw(now));
    }
  }

  #draw(now) {
    this.#frame = 0;
    if (!this.#heat || !this.#size) return;
    const step = this.#still.matches ? 1 : 1 - Math.exp(-(now - this.#before + 8) / 1000 / (SECONDS / 3));
    this.#before = now;
    let off = Math.abs(this.#wanted - this.#dim);
    this.#dim += (this.#wanted - this.#dim) * step;
    const { most, whole } = this.#heat;
    for (let i = 0; i < this.#values.length; i++) {
      const left = whole.values[i] / most - this.#values[i];
      this.#values[i] += left * step;
      off = Math.max(off, Math.abs(left * (1 - step)));
    }
    this.#paint();
    if (off > 0.01) this.#frame = requestAnimationFrame((next) => this.#draw(next));
  }

  #paint() {
    const canvas = this.#canvas;
    const shape = this.#size;
    const scale = Math.min(canvas.clientWidth * devicePixelRatio, LONGEST * Math.min(1, shape.width / shape.height)) / shape.width;
    const width = Math.max(1, Math.round(shape.width * scale));
    const height = Math.max(1, Math.round(shape.height * scale));
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    const context = canvas.getContext("2d");
    context.globalCompositeOperation = "source-over";
    context.clearRect(0, 0, width, height);
    context.fillStyle = `rgb(18 14 10 / ${this.#dim})`;
    context.fillRect(0, 0, width, height);
    context.globalCompositeOperation = "destination-out";
    context.imageSmoothingQuality = "high";
    const [x0, y0, x1, y1] = this.#rectangle;
    this.#fill(this.#heat.whole, this.#values);
    context.drawImage(this.#cells, x0 * scale, y0 * scale, (x1 - x0) * scale, (y1 - y0) * scale);
  }

  #fill(map, values) {
    this.#cells.width = map.cols;
    this.#cells.height = map.rows;
    const context = this.#cells.getContext("2d");
    const picture = context.createImageData(map.cols, map.rows);
    for (let i = 0; i < values.length; i++) picture.data[4 * i + 3] = 255 * Math.sqrt(Math.min(1, values[i]));
    context.putImageData(picture, 0, 0);
  }
}
