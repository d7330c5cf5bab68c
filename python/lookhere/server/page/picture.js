// An image: what the model is sent, and what people see, which may be larger.

// Browsers show these, and servers need not read them: Safari gives photos of iPhones as HEIC.
const FOREIGN = /^image\/(avif|hei[cf]|jxl|svg)|^application\/pdf/;
const MOST_DRAWN = 2 ** 24; // pixels of a canvas; iPhones draw no larger one

let count = 0;

export class Picture {
  /** data: the data URI that is sent; url: what is shown; width, height: of what is sent. */
  constructor({ name, data, url, width, height, panels = null, note = "" }) {
    Object.assign(this, { name, data, url: url ?? data, width, height, panels, note });
    this.id = ++count;
  }

  static async demo(fetched) {
    const data = await asDataUri(await fetched("/page/strip.png"));
    const url = await asDataUri(await fetched("/page/strip-large.png"));
    const { naturalWidth: width, naturalHeight: height } = await decoded(data);
    return new Picture({ name: "strip.png", data, url, width, height, panels: { rows: 1, cols: 6 } });
  }

  /**
   * Of a file; as a JPEG where the server takes no image so large, or need not know its kind. limits: {bytes, pixels}.
   * Throws where it is no image.
   */
  static async of(file, limits) {
    const data = await asDataUri(file);
    let image;
    try {
      image = await decoded(data);
    } catch {
      throw new Error(`${file.name || "This"} is no image that the browser can show. Give a JPEG, PNG or WebP.`);
    }
    const name = file.name || "image.png";
    const { naturalWidth: width, naturalHeight: height } = image;
    const most = limits.bytes - 65536; // beside the image there is the rest of the request
    const scale = Math.min(1, Math.sqrt(limits.pixels / (width * height)), Math.sqrt(most / data.length));
    if (scale === 1 && !FOREIGN.test(file.type)) return new Picture({ name, data, width, height });
    const drawn = Math.min(scale < 1 ? scale * 0.95 : 1, Math.sqrt(MOST_DRAWN / (width * height)));
    return redrawn(image, name, drawn, most);
  }
}

async function redrawn(image, name, scale, most) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.floor(image.naturalWidth * scale));
  canvas.height = Math.max(1, Math.floor(image.naturalHeight * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff"; // behind what is transparent, as the server has it
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.9)); // beside the main thread
  const data = await asDataUri(blob);
  if (data.length > most) return redrawn(image, name, scale * 0.7, most);
  const { width, height } = canvas;
  const note = scale < 1 ? `Scaled down to ${width} × ${height}, which is what this server takes.` : "";
  const stem = name.replace(/\.[^.]*$/, "");
  return new Picture({ name: `${stem}${scale < 1 ? "-small" : ""}.jpg`, data, width, height, note });
}

async function decoded(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  if (!image.naturalWidth) throw new Error("no size"); // a drawing that says none, in Firefox
  return image;
}

function asDataUri(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result));
    reader.addEventListener("error", () => reject(reader.error));
    reader.readAsDataURL(blob);
  });
}
