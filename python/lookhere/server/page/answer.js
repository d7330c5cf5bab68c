// One answer: its tokens as they come, the words they make, and where the heads looked for each.

import { decode, Heat } from "./heat.js";

const LETTERS = /[\p{L}\p{N}]/u;
const BEGINS = /^[\s\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u;

/** onChange is called after each change, onMissed where it does not look where it was last told to. */
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
  #obeyed = 0; // of them, by the last token
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
    const moved = this.#sent.length > 0; // it begins again, since the connection was gone, and where it did before
    this.id = id;
    this.state = "running";
    this.text = "";
    this.words = [];
    this.moves = [];
    this.#sent = [];
    this.#obeyed = 0;
    this.#sum = null;
    this.onChange(this);
    if (moved) this.onMissed?.(this);
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
    if (told.move > this.#obeyed) this.moves.push({ index: told.index, region });
    this.#obeyed = told.move;
    const heat = told.gaze.length ? new Heat(this.#grids, told.gaze.map(decode)) : null;
    if (heat && this.#sum) this.#sum.add(heat);
    else if (heat) this.#sum = heat.copy();
    this.text += piece;
    if (!this.words.length || BEGINS.test(piece)) this.words.push({ text: "", heats: [], region });
    const word = this.words.at(-1);
    word.text += piece;
    const says = !word.heats.length || LETTERS.test(piece); // a full stop looks elsewhere than its word
    if (heat && says) word.heats.push(heat);
  }

  ended(state = "done") {
    if (!this.running) return;
    this.state = state;
    const missed = state === "done" && this.#sent.length > this.#obeyed; // it was over before it could look elsewhere
    if (missed) this.#sent.length = this.#obeyed;
    this.onChange(this);
    if (missed) this.onMissed?.(this);
  }

  failed(message) {
    this.state = "failed";
    this.error = message;
    this.onChange(this);
  }

  wordHeat(word) {
    const heat = word.heat ?? Heat.sum(word.heats);
    if (!this.#grows(word)) word.heat = heat;
    return heat;
  }

  /** How deep a word's tint is, 0 to 1: what of it looked at the place it was told to; without a place, not at all. */
  tint(word) {
    const heat = word.region && this.wordHeat(word);
    const tint = word.tint ?? heat?.share(word.region, this.request.picture) ?? 0;
    if (!this.#grows(word)) word.tint = tint; // an answer may be opened again
    return tint;
  }

  /** Whether more of the word may come. */
  #grows(word) {
    return this.running && word === this.words.at(-1);
  }
}
