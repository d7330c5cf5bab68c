// Mouse, finger and keyboard on the image, told as regions.

import { box, contains, middle, moved, panelAt, point, polygon, same, sized, spot } from "./region.js";

const FAR = 6; // pixels of the screen that a drag is longer than
const MOST_CORNERS = 60;
const STEP = 1 / 48; // of the image, for an arrow key

/**
 * Calls onPlace(region, asked) where a region is pointed at: asked is true for a click, a drag or enter, false where the
 * pointer only passes; onHover(x, y) where it is over the image, with nulls where it leaves; and
 * onRelease() where a place that was pinned is let go.
 */
export class Pointer {
  region = null;
  pinned = false;
  tool = "panel";
  grid = { rows: 1, cols: 6 };
  #stage;
  #side = 0.25; // of the image's shorter side, for a spot
  #drag = null;

  constructor(stage, { onPlace, onHover, onRelease }) {
    this.#stage = stage;
    this.onPlace = onPlace;
    this.onHover = onHover;
    this.onRelease = onRelease;
    const element = stage.element;
    element.addEventListener("pointermove", (event) => this.#move(event));
    element.addEventListener("pointerdown", (event) => this.#down(event));
    element.addEventListener("pointerup", (event) => this.#up(event));
    element.addEventListener("pointercancel", () => this.#cancel());
    element.addEventListener("pointerleave", () => this.onHover(null, null));
    element.addEventListener("keydown", (event) => this.#key(event));
  }

  use(tool) {
    this.tool = tool;
    this.pinned = false;
    this.#stage.element.dataset.tool = tool;
    this.#set(this.#turned(this.region));
  }

  /** Where a new image begins: its first panel, or its middle. */
  begin() {
    const { width, height } = this.#stage.picture;
    this.pinned = false;
    this.region = null;
    const first = this.tool === "panel" ? [0, 0] : [width / 2, height / 2];
    this.#set(this.#under(...first) ?? spot(width / 2, height / 2, this.#pixels, this.#stage.picture));
  }

  show(region, pinned) {
    this.region = region;
    this.pinned = pinned;
    this.#stage.place(region, pinned ? "pinned" : "");
  }

  get #pixels() {
    return this.#side * Math.min(this.#stage.picture.width, this.#stage.picture.height);
  }

  get #follows() {
    return this.tool === "panel" || this.tool === "spot";
  }

  #under(x, y) {
    const picture = this.#stage.picture;
    if (this.tool === "panel") return panelAt(x, y, this.grid, picture);
    if (this.tool === "spot") return spot(x, y, this.#pixels, picture);
    if (this.tool === "point") return point(x, y, picture);
    return null;
  }

  /** The region as the tool has them, about the same place. */
  #turned(region) {
    const picture = this.#stage.picture;
    if (!picture) return null;
    const [x, y] = region ? middle(region, picture) : [picture.width / 2, picture.height / 2];
    const found = this.#under(x, y);
    if (found) return found;
    const side = this.#pixels;
    if (this.tool === "box") return spot(x, y, side, picture);
    const r = side / 2;
    const corner = (k) => [x + r * Math.cos((k * Math.PI) / 4), y + r * Math.sin((k * Math.PI) / 4)];
    return polygon([0, 1, 2, 3, 4, 5, 6, 7].map(corner), picture);
  }

  #set(region, asked = false) {
    this.region = region;
    if (asked) this.pinned = true;
    this.#stage.place(region, this.pinned ? "pinned" : "");
    this.onPlace(region, asked);
  }

  #move(event) {
    const { x, y, inside } = this.#stage.at(event);
    this.onHover(inside ? x : null, inside ? y : null);
    if (this.#drag) {
      this.#pull(event, x, y);
    } else if (inside && this.#follows && !this.pinned && event.pointerType !== "touch") {
      const region = this.#under(x, y);
      if (!same(region, this.region)) this.#set(region);
    }
  }

  #down(event) {
    if (event.button !== 0 || event.target.closest("button")) return;
    const { x, y, inside } = this.#stage.at(event);
    if (!inside) return;
    this.#drag = { x, y, left: event.clientX, top: event.clientY, far: false, corners: [[x, y]] };
    this.#stage.element.setPointerCapture(event.pointerId);
  }

  #pull(event, x, y) {
    const drag = this.#drag;
    drag.far ||= Math.hypot(event.clientX - drag.left, event.clientY - drag.top) > FAR;
    if (!drag.far) return;
    const picture = this.#stage.picture;
    if (this.tool === "outline") {
      drag.corners.push([Math.min(Math.max(x, 0), picture.width), Math.min(Math.max(y, 0), picture.height)]);
      this.#stage.draw(drag.corners);
    } else if (this.tool === "box" || event.pointerType !== "touch") {
      this.#stage.place(box(drag.x, drag.y, x, y, picture), "draft");
    }
  }

  #up(event) {
    const drag = this.#drag;
    this.#drag = null;
    if (!drag) return;
    const { x, y } = this.#stage.at(event);
    const picture = this.#stage.picture;
    if (drag.far && this.tool === "outline") {
      const corners = simplified(drag.corners, Math.min(picture.width, picture.height) / 100);
      if (corners.length >= 3) this.#set(polygon(corners, picture), true);
      else this.#stage.place(this.region);
    } else if (drag.far && (this.tool === "box" || event.pointerType !== "touch")) {
      this.#set(box(drag.x, drag.y, x, y, picture), true); // a drag means a box, whatever the tool is
    } else if (!drag.far) {
      this.#click(x, y);
    }
  }

  /** Pins a place, or lets go of the one that is pinned. */
  #click(x, y) {
    const picture = this.#stage.picture;
    if (this.pinned && this.#follows && contains(this.region, x, y, picture)) {
      this.#release();
      return;
    }
    this.#set(this.#under(x, y) ?? spot(x, y, this.#pixels, picture), true);
  }

  #release() {
    this.pinned = false;
    this.#stage.place(this.region);
    this.onRelease();
  }

  #cancel() {
    this.#drag = null;
    this.#stage.place(this.region, this.pinned ? "pinned" : "");
  }

  #key(event) {
    if (event.target !== this.#stage.element || event.ctrlKey || event.metaKey || event.altKey) return;
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const arrow = arrows[event.key];
    const picture = this.#stage.picture;
    if (arrow && this.region) {
      event.preventDefault();
      const [dx, dy] = arrow;
      this.pinned = true; // the mouse lets it stay where the keys have put it
      if (event.shiftKey) {
        if (this.tool === "spot") this.#side = Math.min(Math.max(this.#side * 1.12 ** (dx - dy), 0.03), 1);
        const round = this.tool === "spot" ? dx - dy : null;
        this.#set(sized(this.region, 1.12 ** (round ?? dx), 1.12 ** (round ?? -dy), picture));
      } else {
        this.#set(moved(this.region, dx * picture.width * STEP, dy * picture.height * STEP, picture));
      }
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.#set(this.region, true);
    } else if (event.key === "Escape") {
      this.#cancel();
      this.#release();
    }
  }
}

/** Without the corners that lie nearly on the line between their neighbours (Douglas and Peucker). */
function simplified(corners, near) {
  let found = corners;
  for (let limit = near; (found = thinned(corners, limit)).length > MOST_CORNERS; limit *= 1.5);
  return found;
}

function thinned(corners, near) {
  if (corners.length < 3) return corners;
  const [first, last] = [corners[0], corners.at(-1)];
  const length = Math.hypot(last[0] - first[0], last[1] - first[1]);
  let far = 0;
  let at = 0;
  for (let i = 1; i < corners.length - 1; i++) {
    const [x, y] = corners[i];
    const off = length
      ? Math.abs((last[0] - first[0]) * (first[1] - y) - (first[0] - x) * (last[1] - first[1])) / length
      : Math.hypot(x - first[0], y - first[1]);
    if (off > far) [far, at] = [off, i];
  }
  if (far <= near) return [first, last];
  return [...thinned(corners.slice(0, at + 1), near).slice(0, -1), ...thinned(corners.slice(at), near)];
}
