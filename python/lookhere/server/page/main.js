// Puts the page together: what is pointed at is asked about, and what is answered is shown.

import { Answer } from "./answer.js";
import { copied } from "./clipboard.js";
import { Controls } from "./controls.js";
import { Door } from "./door.js";
import { composes, fitted } from "./field.js";
import { Gift } from "./gift.js";
import { History } from "./history.js";
import { Link } from "./link.js";
import { Picture } from "./picture.js";
import { Pointer } from "./pointer.js";
import { told } from "./region.js";
import { asHtml, asJson, save } from "./report.js";
import { Request } from "./request.js";
import { Sentence } from "./sentence.js";
import { curl, python, shell } from "./snippet.js";
import { Stage } from "./stage.js";

const REST = 150; // milliseconds that a pointer rests before it is asked what is there
const WIDE = 1.8; // times as wide as high: the words stand below an image, else beside it
const DIM = 0.42; // of the image around what an answer looked at
const DARK = 0.72; // around what a word looked at
const UNKNOWN =
  "The built-in model knows only what lookhere draws, and its answers mean little here. For photographs: lookhere serve qwen3-vl-2b";

const $ = (selector) => document.querySelector(selector);
const notice = (text) => {
  $("#notice").hidden = !text;
  $("#notice").textContent = text;
};

class Page {
  #answer = null; // the one that is shown
  #plain = null; // the one without pointing
  #kept = false; // whether the answer that is being made is to be kept
  #timer = 0;
  #hovered = null; // a word
  #under = [null, null]; // where in the image the pointer is
  #frame = 0;
  #fit = fitted($("#question"));

  constructor(facts, door) {
    this.facts = facts;
    this.door = door;
    $("#model").textContent = facts.title;
    $("#hint").textContent = `${matchMedia("(hover: none)").matches ? "Tap" : "Move over"} the image: the answer follows.`;
    this.stage = new Stage($("#stage"));
    this.pointer = new Pointer(this.stage, {
      onPlace: (region, asked) => this.#pointed(region, asked),
      onHover: (x, y) => {
        if (x !== null) $("#hint").hidden = true; // who does it needs no telling
        this.#under = [x, y];
        this.#later();
      },
      onRelease: () => this.#tellPlace(),
    });
    this.controls = new Controls($("#controls"), facts, (field) => this.#changed(field));
    this.steered = new Sentence($("#steered"), (word, answer) => this.#shine(word, answer));
    this.plain = new Sentence($("#plain"), (word, answer) => this.#shine(word, answer));
    this.history = new History($("#history"), {
      onOpen: (entry) => this.#open(entry),
      onChange: () => this.#marked(),
    });
    const gone = "The server does not answer. This page tries again, and goes on where it was.";
    this.link = new Link(door.token, (state) => notice(state === "open" ? "" : gone));
    this.aside = new Link(door.token, () => {});
    this.#listen();
  }

  show(picture) {
    this.picture = picture;
    this.#plain = null;
    this.#answer = null;
    this.steered.clear();
    this.plain.clear();
    this.stage.open(picture);
    $("#main").style.setProperty("--ratio", `${picture.width / picture.height}`);
    $("#main").classList.toggle("tall", picture.width < WIDE * picture.height);
    if (picture.panels) this.controls.grid = picture.panels;
    this.pointer.grid = this.controls.grid;
    const { question, photo_question } = this.facts;
    const usual = ["", question, photo_question].includes($("#question").value);
    if (usual) $("#question").value = picture.panels ? question : photo_question;
    this.#fit();
    const tool = picture.panels ? "panel" : this.pointer.tool === "panel" ? "spot" : this.pointer.tool;
    $(`input[name=tool][value=${tool}]`).checked = true;
    this.pointer.tool = tool;
    this.stage.element.dataset.tool = tool;
    $("#save-image").href = picture.data;
    $("#save-image").download = picture.name;
    const unknown = this.facts.drawings_alone && !picture.panels;
    notice(unknown ? UNKNOWN : picture.note);
    this.#marked();
    this.pointer.begin();
  }

  async open(file) {
    try {
      this.show(await Picture.of(file, { bytes: this.facts.most_bytes, pixels: this.facts.most_pixels }));
    } catch (error) {
      notice(error.message);
    }
  }

  async demo() {
    this.show(await Picture.demo((url) => this.door.blob(url)));
  }

  #pointed(region, asked) {
    this.#tellPlace();
    clearTimeout(this.#timer);
    if (asked) $("#hint").hidden = true;
    if (asked) this.#ask(true);
    else this.#timer = setTimeout(() => this.#follow(), REST);
  }

  #tellPlace() {
    const pinned = this.pointer.pinned ? " · pinned until it is clicked again" : "";
    $("#place").textContent = told(this.pointer.region) + pinned;
  }

  /** A place that moved: the answer that is being made goes on there, or another one begins. */
  #follow() {
    const region = this.pointer.region;
    if (this.controls.goesOn && this.#answer?.running && this.link.lookAt(region)) {
      this.#answer.follow(region);
      this.#later();
      return;
    }
    this.#ask(false);
  }

  #ask(kept) {
    const question = $("#question").value.trim();
    if (!question || !this.picture) return;
    const { options, arm, tokens } = this.controls;
    const region = this.pointer.region;
    const request = new Request({ picture: this.picture, question, region, options, arm, tokens });
    this.#answer = new Answer(request, (answer) => this.#changedAnswer(answer));
    this.#answer.onMissed = (answer) => answer === this.#answer && this.#ask(false);
    this.#kept = kept;
    this.steered.show(this.#answer);
    this.link.ask(request, this.#answer);
    this.#snippet();
    this.#askPlain(request);
  }

  /** The answer without pointing is the same for every place. */
  #askPlain({ picture, question, tokens }) {
    $("#plain").hidden = !this.controls.beside;
    if (!this.controls.beside) return;
    const request = new Request({ picture, question, region: null, options: {}, arm: "none", tokens });
    if (this.#plain?.request.key === request.key && this.#plain.request.tokens === tokens && this.#plain.state !== "failed") return;
    this.#plain = new Answer(request, (answer) => answer === this.#plain && this.#later());
    this.plain.show(this.#plain);
    this.aside.ask(request, this.#plain);
  }

  #changedAnswer(answer) {
    if (answer !== this.#answer) return;
    this.#later();
    $("#stop").hidden = !answer.running;
    if (answer.state === "done") {
      $("#live").textContent = `${told(answer.region)}: ${answer.text}`;
      if (this.#kept) this.history.keep(answer);
      this.#snippet();
    } else if (answer.state === "stopped") {
      this.#snippet();
    } else if (answer.state === "failed") {
      $("#live").textContent = answer.error;
    }
  }

  /** Draws once for each frame, however many tokens have come. */
  #later() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      const drawn = [
        !this.#answer || this.steered.show(this.#answer),
        this.steered.mark(...this.#under),
        !this.#plain || !this.controls.beside || this.plain.show(this.#plain),
      ];
      if (drawn.includes(false)) this.#later();
      if (!this.#hovered) this.#shine(null, this.#answer);
    });
  }

  #shine(word, answer) {
    this.#hovered = word;
    if (!this.picture) return;
    if (word) this.stage.shine(answer.wordHeat(word), DARK);
    else this.stage.shine(this.#answer?.heat ?? null, DIM);
  }

  #changed(field) {
    if (field.id === "rows" || field.id === "cols") {
      this.pointer.grid = this.controls.grid;
      if (this.pointer.tool === "panel") this.pointer.use("panel");
      return;
    }
    this.#pointed(this.pointer.region, false);
    if (field.id === "beside") $("#plain").hidden = !this.controls.beside;
  }

  #open({ answer, region }) {
    if (answer.request.picture !== this.picture) this.show(answer.request.picture);
    clearTimeout(this.#timer);
    this.#answer = answer;
    this.pointer.show(region, true);
    this.#tellPlace();
    this.#later();
    this.#snippet();
  }

  #marked() {
    if (this.picture) this.stage.mark(this.history.of(this.picture), (entry) => this.#open(entry));
  }

  #snippet() {
    if (!this.#answer) return;
    const make = { python, shell, curl }[$("input[name=language]:checked").value];
    const image = this.picture.panels ? "# strip.png: lookhere demo --strip strip.png\n" : "";
    $("#code").textContent = image + make(this.#answer, this.facts, this.door.token);
  }

  #listen() {
    const on = (selector, kind, handler) => $(selector).addEventListener(kind, handler);
    on("#tools", "change", (event) => this.pointer.use(event.target.value));
    on("#ask", "submit", (event) => {
      event.preventDefault();
      this.#ask(true);
    });
    on("#question", "keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || composes(event)) return;
      event.preventDefault();
      $("#ask").requestSubmit();
    });
    on("#stop", "click", () => this.link.stop());
    on("#keep", "click", () => this.#answer && !this.#answer.running && this.history.keep(this.#answer));
    on("#demo", "click", () => this.demo());
    on("#copy", "change", () => this.#snippet());
    on("#copy-it", "click", async () => {
      $("#copy-it").textContent = (await copied($("#code"))) ? "Copied" : "Selected";
      setTimeout(() => ($("#copy-it").textContent = "Copy"), 1500);
    });
    on("#save-json", "click", () => save(asJson(this.history.entries, this.facts), "lookhere.json", "application/json"));
    on("#save-html", "click", () => save(asHtml(this.history.entries, this.facts), "lookhere.html", "text/html"));
    on("#forget", "click", () => this.history.clear());
    new Gift((file) => this.open(file));
  }
}

async function begin() {
  const door = new Door($("#door"));
  const facts = await door.facts();
  if (matchMedia("(max-width: 60rem)").matches) $("#how").open = false;
  $("#main").hidden = false;
  const page = new Page(facts, door);
  if (facts.photo === null) await page.demo();
  else {
    const blob = await door.blob("/page/photo");
    await page.open(new File([blob], facts.photo, { type: blob.type }));
  }
}

begin().catch((error) => notice(`The page could not begin: ${error.message}`));
