// One answer: its tokens as they come, the words they make, and where the heads looked for each.

import { decode, Heat } from "./heat.js";

const BEGINS = /^[\s\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u;

/** onChange is called after each change. */
export class Answer {
  id = null;
  text = "";
  words = []; // {text, heats, region}: region is where it was to look
  moves = []; // {index, region}: the first token that obeyed
  state = "asked"; // asked, running, done, stopped or failed
  error = null;
  summary = null; // what the server tells at the end
  began = performance.now();
  firstWord = null; // milliseconds
  #sent = []; // regions that the server was told to look at
  #grids = [];
  #sum = null; // of the maps of all tokens; a sum shows what a mean does

  constructor(request, onChange) {
    this.request = request;
    this.onChange = onChange;
  }

  get running() {
    return this.state === "asked" || this.state === "running";
  }

  /** The region that the next token obeys, as far as is known. */
  get region() {
    return this.#sent.at(-1) ?? this.request.region;
  }

  /** Over all tokens; null before the first. */
  get heat() {
    return this.#sum;
  }

  follow(region) {
    this.#sent.push(region);
  }

  begun(id) {
    this.id = id;
    this.state = "running";
    this.text = "";
    this.words = [];
    this.moves = [];
    this.#sum = null;
    this.onChange(this);
  }

  chunk(chunk) {
    const told = chunk.lookhere;
    const piece = chunk.choices[0]?.delta.content ?? "";
    if (told?.gaze) this.#token(told, piece);
    else if (told) this.summary = told;
    if (piece) this.firstWord ??= performance.now() - this.began;
    this.onChange(this);
  }

  #token(told, piece) {
    if (told.images) this.#grids = told.images[0].grids;
    const region = told.move ? this.#sent[told.move - 1] : this.request.region;
    if (told.move > this.moves.length) this.moves.push({ index: told.index, region });
    const heat = told.gaze.length ? new Heat(this.#grids, told.gaze.map(decode)) : null;
    if (heat && this.#sum) this.#sum.add(heat);
    else if (heat) this.#sum = heat.copy();
    this.text += piece;
    if (!this.words.length || BEGINS.test(piece)) this.words.push({ text: "", heats: [], region });
    const word = this.words.at(-1);
    word.text += piece;
    if (heat) word.heats.push(heat);
  }

  moved() {}

  ended(state = "done") {
    if (!this.running) return;
    this.state = state;
    this.onChange(this);
  }

  failed(message) {
    this.state = "failed";
    this.error = message;
    this.onChange(this);
  }

  /** It was over before it could look elsewhere. */
  missed() {
    this.#sent.pop();
    this.onMissed?.(this);
  }

  wordHeat(word) {
    word.heat ??= Heat.sum(word.heats);
    if (this.running && word === this.words.at(-1)) {
      const heat = word.heat;
      word.heat = undefined; // more of the word may come
      return heat;
    }
    return word.heat;
  }

  /** How deep a word's tint is, 0 to 1: what of it looked at the place it was told to; without a place, how narrowly. */
  tint(word) {
    const heat = this.wordHeat(word);
    if (!heat) return 0;
    return word.region ? heat.share(word.region, this.request.picture) : 0;
  }
}
