// A place in an image, as the server takes it: {kind: box | point | polygon | panel}, in pixels of that image.

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** Coordinates of small images keep a digit after the point; those of photographs are whole. */
function rounded(value, size) {
  const factor = size.width < 600 ? 10 : 1;
  return Math.round(value * factor) / factor;
}

export function box(x0, y0, x1, y1, size) {
  const least = Math.max(2, size.width / 200);
  const left = clamp(Math.min(x0, x1), 0, size.width - least);
  const top = clamp(Math.min(y0, y1), 0, size.height - least);
  const right = clamp(Math.max(x0, x1), left + least, size.width);
  const bottom = clamp(Math.max(y0, y1), top + least, size.height);
  const round = (value) => rounded(value, size);
  return { kind: "box", x0: round(left), y0: round(top), x1: round(right), y1: round(bottom) };
}

/** A square box around a place, moved inwards where it would leave the image. */
export function spot(x, y, side, size) {
  const width = Math.min(side, size.width);
  const height = Math.min(side, size.height);
  const left = clamp(x - width / 2, 0, size.width - width);
  const top = clamp(y - height / 2, 0, size.height - height);
  return box(left, top, left + width, top + height, size);
}

export function point(x, y, size) {
  const last = (length) => length - (size.width < 600 ? 0.1 : 1);
  return {
    kind: "point",
    x: rounded(clamp(x, 0, last(size.width)), size),
    y: rounded(clamp(y, 0, last(size.height)), size),
  };
}

export function polygon(corners, size) {
  const inside = ([x, y]) => [rounded(clamp(x, 0, size.width), size), rounded(clamp(y, 0, size.height), size)];
  return { kind: "polygon", corners: corners.map(inside) };
}

export function panelAt(x, y, grid, size) {
  const row = clamp(Math.floor((y / size.height) * grid.rows), 0, grid.rows - 1);
  const col = clamp(Math.floor((x / size.width) * grid.cols), 0, grid.cols - 1);
  return { kind: "panel", row: row + 1, col: col + 1, rows: grid.rows, cols: grid.cols };
}

/** {x0, y0, x1, y1} around a region. */
export function bounds(region, size) {
  switch (region.kind) {
    case "box":
      return region;
    case "panel": {
      const width = size.width / region.cols;
      const height = size.height / region.rows;
      const x0 = (region.col - 1) * width;
      const y0 = (region.row - 1) * height;
      return { x0, y0, x1: x0 + width, y1: y0 + height };
    }
    case "point":
      return { x0: region.x, y0: region.y, x1: region.x, y1: region.y };
    default: {
      const xs = region.corners.map((corner) => corner[0]);
      const ys = region.corners.map((corner) => corner[1]);
      return { x0: Math.min(...xs), y0: Math.min(...ys), x1: Math.max(...xs), y1: Math.max(...ys) };
    }
  }
}

export function middle(region, size) {
  const { x0, y0, x1, y1 } = bounds(region, size);
  return [(x0 + x1) / 2, (y0 + y1) / 2];
}

export function contains(region, x, y, size) {
  if (region.kind === "polygon") return insideOutline(region.corners, x, y);
  const { x0, y0, x1, y1 } = bounds(region, size);
  return x >= x0 && x < x1 && y >= y0 && y < y1;
}

function insideOutline(corners, x, y) {
  let inside = false;
  for (let i = 0, j = corners.length - 1; i < corners.length; j = i++) {
    const [xi, yi] = corners[i];
    const [xj, yj] = corners[j];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}

export function moved(region, dx, dy, size) {
  switch (region.kind) {
    case "panel":
      return {
        ...region,
        row: clamp(region.row + Math.sign(dy), 1, region.rows),
        col: clamp(region.col + Math.sign(dx), 1, region.cols),
      };
    case "point":
      return point(region.x + dx, region.y + dy, size);
    default: {
      const { x0, y0, x1, y1 } = bounds(region, size);
      const right = clamp(dx, -x0, size.width - x1);
      const down = clamp(dy, -y0, size.height - y1);
      if (region.kind === "box") return box(x0 + right, y0 + down, x1 + right, y1 + down, size);
      return polygon(region.corners.map(([x, y]) => [x + right, y + down]), size);
    }
  }
}

/** Larger or smaller about its middle; points and panels have no size. */
export function sized(region, wider, higher, size) {
  if (region.kind !== "box" && region.kind !== "polygon") return region;
  const { x0, y0, x1, y1 } = bounds(region, size);
  const [x, y] = [(x0 + x1) / 2, (y0 + y1) / 2];
  if (region.kind === "box") {
    const width = ((x1 - x0) * wider) / 2;
    const height = ((y1 - y0) * higher) / 2;
    return box(x - width, y - height, x + width, y + height, size);
  }
  return polygon(region.corners.map(([cx, cy]) => [x + (cx - x) * wider, y + (cy - y) * higher]), size);
}

/** The outline for an SVG path. */
export function path(region, size) {
  if (region.kind === "point") {
    const r = Math.min(size.width, size.height) / 28;
    return `M${region.x - r} ${region.y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`;
  }
  if (region.kind === "polygon") return `M${region.corners.map((corner) => corner.join(" ")).join("L")}z`;
  const { x0, y0, x1, y1 } = bounds(region, size);
  return `M${x0} ${y0}H${x1}V${y1}H${x0}z`;
}

/** In words. */
export function told(region) {
  switch (region?.kind) {
    case "panel":
      return region.rows === 1
        ? `Panel ${region.col} of ${region.cols}`
        : `Row ${region.row}, column ${region.col} of ${region.rows} × ${region.cols}`;
    case "box":
      return `Box ${region.x0}, ${region.y0} to ${region.x1}, ${region.y1}`;
    case "point":
      return `Point ${region.x}, ${region.y}`;
    case "polygon":
      return `Outline of ${region.corners.length} corners`;
    default:
      return "Wherever it wants";
  }
}

export const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
