// The image with what lies on it: the light, the outline of the place, and the numbers of kept answers.

import { Light } from "./light.js";
import { bounds, path, told } from "./region.js";

export class Stage {
  picture = null;
  #light;
  #outline;

  constructor(element) {
    this.element = element;
    this.image = element.querySelector("img");
    this.#light = new Light(element.querySelector("canvas"));
    this.#outline = element.querySelector("svg");
    this.markers = element.querySelector("#markers");
  }

  open(picture) {
    this.picture = picture;
    this.image.src = picture.url;
    this.image.alt = picture.name;
    this.image.classList.toggle("small", picture.width < 400 && picture.url === picture.data);
    this.#outline.setAttribute("viewBox", `0 0 ${picture.width} ${picture.height}`);
    this.#light.show(null, picture, 0);
    this.place(null);
  }

  /** Draws a region; kind: "pinned" or "draft" or "". */
  place(region, kind = "") {
    const drawn = region ? path(region, this.picture) : "";
    for (const each of this.#outline.children) each.setAttribute("d", drawn);
    this.#outline.setAttribute("class", kind);
    this.element.setAttribute("aria-label", `${this.picture.name}. ${told(region)}`);
  }

  /** A line that is being drawn. */
  draw(corners) {
    for (const each of this.#outline.children) each.setAttribute("d", `M${corners.map((each) => each.join(" ")).join("L")}`);
    this.#outline.setAttribute("class", "draft");
  }

  shine(heat, dim) {
    this.#light.show(heat, this.picture, dim);
  }

  /** Where a pointer is, in pixels of the picture. */
  at(event) {
    if (!this.picture) return { x: 0, y: 0, inside: false };
    const box = this.image.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * this.picture.width;
    const y = ((event.clientY - box.top) / box.height) * this.picture.height;
    const inside = x >= 0 && y >= 0 && x < this.picture.width && y < this.picture.height;
    return { x, y, inside };
  }

  /** entries: kept answers of this picture; each has its number at the upper left of its place, beside others there. */
  mark(entries, onOpen) {
    const beside = new Map();
    this.markers.replaceChildren(
      ...entries.map((entry) => {
        const { x0, y0 } = bounds(entry.region, this.picture);
        const before = beside.get(`${x0} ${y0}`) ?? 0;
        beside.set(`${x0} ${y0}`, before + 1);
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = entry.number;
        button.style.left = `calc(${(x0 / this.picture.width) * 100}% + ${0.4 + 2 * before}rem)`;
        button.style.top = `calc(${(y0 / this.picture.height) * 100}% + 0.4rem)`;
        button.setAttribute("aria-label", `Kept answer ${entry.number}: ${entry.answer.text.trim().slice(0, 200)}`);
        button.addEventListener("click", () => onOpen(entry));
        return button;
      }),
    );
  }
}
