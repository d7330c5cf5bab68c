// An image: what the model is sent, and what people see, which may be larger.

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

  /** Of a file; smaller where the server takes no image so large. limits: {bytes, pixels}. Throws where it is none. */
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
    if (scale === 1) return new Picture({ name, data, width, height });
    return smaller(image, name, scale * 0.95);
  }
}

async function smaller(image, name, scale) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.floor(image.naturalWidth * scale));
  canvas.height = Math.max(1, Math.floor(image.naturalHeight * scale));
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  const { width, height } = canvas;
  const note = `Scaled down to ${width} × ${height}, which is what this server takes.`;
  const stem = name.replace(/\.[^.]*$/, "");
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.9)); // beside the main thread
  return new Picture({ name: `${stem}-small.jpg`, data: await asDataUri(blob), width, height, note });
}

async function decoded(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
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
