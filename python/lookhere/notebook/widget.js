// The widget of notebooks: an image to point at, and the answer beside it, as on the page that `lookhere serve` shows.

import { Answer } from "./answer.js";
import { composes, fitted } from "./field.js";
import { Pointer } from "./pointer.js";
import { same, told } from "./region.js";
import { Sentence } from "./sentence.js";
import { Stage } from "./stage.js";

const REST = 150; // milliseconds that a pointer rests before it is asked what is there
const DIM = 0.42; // of the image around what an answer looked at
const DARK = 0.72; // around what a word looked at
const TOOLS = { panel: "Panel", spot: "Spot", box: "Box", outline: "Outline", point: "Point" };

const HTML = `
  <div class="widget">
    <div id="stage" tabindex="0" role="application" aria-roledescription="place in the image" aria-describedby="keys">
      <img alt="" draggable="false">
      <canvas></canvas>
      <svg id="outline" aria-hidden="true" preserveAspectRatio="none"><path class="under"/><path class="over"/></svg>
      <div id="markers"></div>
    </div>
    <div class="below">
      <fieldset id="tools" class="segments"><legend>Point with</legend></fieldset>
      <p id="place" class="quiet"></p>
      <label class="quiet follow">Moved mid-sentence it
        <select><option value="again">starts again</option><option value="on">goes on</option></select></label>
      <p id="keys" class="unseen">Arrows move the place, shift and arrows size it, enter asks, escape lets go.</p>
    </div>
    <form id="ask">
      <div class="line"><textarea id="question" rows="1" aria-label="Question" enterkeyhint="send"></textarea>
        <button type="button" id="stop" hidden>Stop</button><button id="go">Ask</button></div>
    </form>
    <article aria-label="Looking here">
      <div class="answer" role="group" aria-label="Answer, word by word"></div>
      <p class="status quiet"></p>
      <p class="legend quiet"><i aria-hidden="true"></i> The deeper the tint, the more the heads looked at the place. Hover a word to see where it looked.</p>
    </article>
    <p class="unseen" aria-live="polite"></p>
  </div>`;

class View {
  #model;
  #root;
  #answer = null;
  #story = null; // the number of the story that is shown
  #asked = null; // when this view asked
  #hovered = null;
  #frame = 0;
  #pointer = [null, null]; // where it is, in pixels of the image
  #timer = 0;
  #sent = null; // the region that this view has set, so that it is not drawn again
  #clean = [];
  #fit; // the question's field to its text

  constructor(model, element) {
    this.#model = model;
    const host = element.appendChild(document.createElement("div"));
    host.dataset.lmSuppressShortcuts = "true"; // JupyterLab: keys that are typed here are no commands
    this.#root = host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync($style);
    this.#root.adoptedStyleSheets = [sheet];
    this.#root.innerHTML = HTML;
    this.#fit = fitted(this.#find("#question"));
    this.#dress(element, host, sheet);
    this.#fillTools();
    this.stage = new Stage(this.#find("#stage"));
    this.sentence = new Sentence(this.#find("article"), (word, answer) => this.#shine(word, answer));
    this.pointer = new Pointer(this.stage, {
      onPlace: (region, asked) => this.#pointed(region, asked),
      onHover: (x, y) => this.#hover(x, y),
      onRelease: () => this.#place(),
    });
    this.#open();
    this.#listen();
  }

  close() {
    clearTimeout(this.#timer);
    cancelAnimationFrame(this.#frame);
    for (const each of this.#clean) each();
  }

  #find(selector) {
    return this.#root.querySelector(selector);
  }

  /** Light or dark as the notebook is, whatever the system is: its text tells. */
  #dress(element, host, sheet) {
    const rules = [...sheet.cssRules].filter((each) => each.media?.mediaText.includes("prefers-color-scheme"));
    const look = () => {
      const [r, g, b] = rgb(getComputedStyle(element).color);
      const dark = 0.3 * r + 0.6 * g + 0.1 * b > 140;
      for (const each of rules) each.media.mediaText = dark ? "all" : "not all";
      host.style.colorScheme = dark ? "dark" : "light";
    };
    const again = new MutationObserver(() => setTimeout(look, 100));
    for (const each of [document.documentElement, document.body]) again.observe(each, { attributes: true });
    const system = matchMedia("(prefers-color-scheme: dark)");
    const changed = () => setTimeout(look, 100);
    system.addEventListener("change", changed);
    this.#clean.push(() => again.disconnect(), () => system.removeEventListener("change", changed));
    requestAnimationFrame(look); // it lies in the notebook by then
  }

  #fillTools() {
    const name = `tool-${Math.random()}`;
    for (const [value, text] of Object.entries(TOOLS)) {
      const label = document.createElement("label");
      label.innerHTML = `<input type="radio"><span>${text}</span>`;
      Object.assign(label.firstChild, { name, value });
      this.#find("#tools").append(label);
    }
  }

  #question() {
    this.#find("#question").value = this.#model.get("question");
    this.#fit();
  }

  /** The image, and what is known of it already. */
  #open() {
    const { url, name, width, height } = this.#model.get("_picture");
    this.picture = { url, data: url, name, width, height };
    this.stage.open(this.picture);
    this.#find(".widget").style.setProperty("--ratio", `${width / height}`);
    this.#grid();
    this.#use(this.#model.get("grid") ? "panel" : "box");
    this.#question();
    this.#find(".follow select").value = this.#model.get("follow");
    this.#region();
    this.#replay();
  }

  #grid() {
    const grid = this.#model.get("grid");
    this.#find("#tools input[value=panel]").parentElement.hidden = !grid;
    if (grid) this.pointer.grid = { rows: grid[0], cols: grid[1] };
  }

  #use(tool) {
    this.pointer.tool = tool;
    this.stage.element.dataset.tool = tool;
    this.#find(`#tools input[value=${tool}]`).checked = true;
  }

  /** Draws the region that Python has. */
  #region() {
    const region = this.#model.get("region");
    this.pointer.show(region, region !== null);
    this.#place();
  }

  #place() {
    const region = this.#model.get("region");
    this.#find("#place").textContent = region ? told(region) : "Click the image, or drag a box.";
  }

  /** A pointer that only passes is drawn, and asks nothing unless `hover` says so. */
  #pointed(region, asked) {
    clearTimeout(this.#timer);
    if (!region) this.pointer.pinned = false; // nothing is there to be let go
    if (asked) this.#set(region);
    else if (this.pointer.pinned || this.#model.get("hover")) this.#timer = setTimeout(() => this.#set(region), REST);
    this.#find("#place").textContent = told(region);
  }

  #hover(x, y) {
    this.#pointer = [x, y];
    this.#later();
    if (x === null && !this.pointer.pinned && !this.#model.get("hover")) this.#region();
  }

  /** A new region asks, or moves the answer that is being made: Python decides. The same one asks again. */
  #set(region) {
    this.#asked = performance.now();
    const question = this.#find("#question").value.trim();
    if (question !== this.#model.get("question")) this.#model.set("question", question);
    if (region === null || same(region, this.#model.get("region"))) {
      this.#model.save_changes();
      this.#model.send({ type: "ask" });
      return;
    }
    this.#sent = region;
    this.#model.set("region", region);
    this.#model.save_changes();
  }

  #take(message) {
    if (message.type === "begun") {
      const { question, region } = message;
      const request = Object.freeze({ picture: this.picture, question, region });
      this.#answer = new Answer(request, () => this.#later());
      this.#answer.began = this.#asked ?? this.#answer.began; // the way to Python counts
      this.#asked = null;
      this.#story = message.id;
      this.sentence.show(this.#answer);
      this.#answer.begun(message.id);
    } else if (message.id !== this.#story || !this.#answer) {
      return; // of an answer that this view has not seen begin; its story comes at the end
    } else if (message.type === "chunk") {
      this.#answer.chunk(message.chunk);
    } else if (message.type === "moved") {
      this.#asked = null;
      this.#answer.follow(message.region);
    } else if (message.type === "ended") {
      this.#answer.ended(message.stopped ? "stopped" : "done");
      this.#find("[aria-live]").textContent = this.#answer.text;
    } else if (message.type === "error") {
      this.#answer.failed(message.message);
    }
    this.#later();
  }

  /** An answer that was made before this view was there. */
  #replay() {
    const [first, ...rest] = this.#model.get("_story");
    if (!first || (first.id === this.#story && !this.#answer?.running)) return;
    for (const each of [first, ...rest]) this.#take(each);
    this.#answer.firstWord = null; // it is not timed
  }

  /** Draws once for each frame, however many tokens have come; what is too much for one in those after it. */
  #later() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      if (this.#answer && this.sentence.show(this.#answer) === false) this.#later();
      if (this.sentence.mark(...this.#pointer) === false) this.#later();
      this.#find("#stop").hidden = !this.#answer?.running;
      if (!this.#hovered) this.#shine(null, this.#answer);
    });
  }

  #shine(word, answer) {
    this.#hovered = word;
    if (word) this.stage.shine(answer.wordHeat(word), DARK);
    else this.stage.shine(this.#answer?.heat ?? null, DIM);
  }

  #listen() {
    this.#find("#tools").addEventListener("change", (event) => this.#use(event.target.value));
    this.#find(".follow select").addEventListener("change", (event) => {
      this.#model.set("follow", event.target.value);
      this.#model.save_changes();
    });
    this.#find("#ask").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#set(this.#model.get("region"));
    });
    this.#find("#question").addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || composes(event)) return;
      event.preventDefault();
      this.#find("#ask").requestSubmit();
    });
    this.#find("#stop").addEventListener("click", () => this.#model.send({ type: "stop" }));
    const handlers = {
      "msg:custom": (message) => this.#take(message),
      "change:_picture": () => this.#open(),
      "change:_story": () => this.#replay(),
      "change:grid": () => this.#grid(),
      "change:question": () => this.#question(),
      "change:follow": () => (this.#find(".follow select").value = this.#model.get("follow")),
      "change:region": () => {
        if (!same(this.#sent, this.#model.get("region"))) this.#region();
        this.#sent = null;
      },
    };
    for (const [name, handler] of Object.entries(handlers)) {
      this.#model.on(name, handler);
      this.#clean.push(() => this.#model.off(name, handler));
    }
  }
}

/** Red, green and blue of a colour however it is written, 0 to 255. */
function rgb(colour) {
  const context = document.createElement("canvas").getContext("2d");
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  return context.getImageData(0, 0, 1, 1).data;
}

export const widget = {
  render({ model, el }) {
    const view = new View(model, el);
    return () => view.close();
  },
};
