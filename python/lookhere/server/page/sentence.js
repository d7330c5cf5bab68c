// The words of an answer as they stand on the page: tinted, and asked about by pointer or keyboard.

const TINTS = 8; // classes of tint, since the policy allows no style within the HTML
const NEAR = 0.35; // of the most that a word looked anywhere: so much at a place, and it came from there
const AT_ONCE = 150; // words that are drawn or marked in a frame, so that no frame waits for thousands
const BLOCK = 200; // words that the browser lays out again for each that is added; then the next sentence has its own

/** onWord is called with a word, or null. */
export class Sentence {
  #box;
  #status;
  #answer = null;
  #spans = [];
  #block = null; // that the next word goes into
  #place = [null, null]; // whose words are marked
  #marked = 0; // words that have been looked at for that

  constructor(article, onWord) {
    this.#box = article.querySelector(".answer");
    this.#status = article.querySelector(".status");
    this.onWord = onWord;
    const told = (event) => this.onWord(this.#wordOf(event.target), this.#answer);
    this.#box.addEventListener("pointerover", told);
    this.#box.addEventListener("focusin", told);
    this.#box.addEventListener("pointerleave", () => this.onWord(null, this.#answer));
    this.#box.addEventListener("focusout", () => this.onWord(null, this.#answer));
    this.#box.addEventListener("keydown", (event) => this.#step(event));
  }

  /** Draws what is new of it; false where a later frame has to draw the rest. */
  show(answer) {
    if (answer !== this.#answer || answer.words.length < this.#spans.length) {
      this.#answer = answer;
      // the words of the answer before stay until the first of the new one is there
      if (answer.words.length || !answer.running) this.#clear();
    }
    if (answer.words.length && this.#box.dataset.stale) this.#clear();
    if (!answer.words.length && answer.running && this.#spans.length) this.#box.dataset.stale = "yes";
    this.#box.classList.toggle("waiting", answer.running && !answer.words.length);
    if (answer.words.length) this.#fill(answer);
    const told = this.#told(answer);
    if (this.#status.textContent !== told) this.#status.textContent = told;
    this.#status.classList.toggle("wrong", answer.state === "failed");
    return this.#spans.length >= answer.words.length;
  }

  clear() {
    this.#answer = null;
    this.#clear();
    this.#status.textContent = "";
  }

  /** Marks the words that came from a place; false where a later frame has to mark the rest. */
  mark(x, y) {
    if (x !== this.#place[0] || y !== this.#place[1]) this.#marked = 0;
    this.#place = [x, y];
    const end = Math.min(this.#spans.length, this.#marked + AT_ONCE);
    for (; this.#marked < end; this.#marked++) {
      const word = this.#answer?.words[this.#marked];
      const heat = word && x !== null ? this.#answer.wordHeat(word) : null;
      this.#spans[this.#marked].toggleAttribute("data-here", Boolean(heat) && heat.at(x, y) > NEAR * heat.most);
    }
    return end === this.#spans.length;
  }

  #clear() {
    this.#box.replaceChildren();
    this.#spans = [];
    this.#block = null;
    this.#marked = 0;
    delete this.#box.dataset.stale;
  }

  /** Only the last word that stands there may have grown. */
  #fill(answer) {
    const first = Math.max(0, this.#spans.length - 1);
    for (let k = first; k < Math.min(answer.words.length, first + AT_ONCE); k++) {
      const word = answer.words[k];
      const span = this.#spans[k] ?? this.#add(word, answer.words[k - 1]);
      const text = word.text.trimStart();
      if (span.textContent !== text) span.textContent = text;
      const moved = k > 0 && word.region !== answer.words[k - 1].region;
      const look = `word tint-${Math.round(answer.tint(word) * TINTS)}${moved ? " moved" : ""}`;
      if (span.className !== look) span.className = look;
    }
  }

  /** A word's place; in a block of its own from a line's end on, or where the block is long. */
  #add(word, before) {
    const span = document.createElement("span");
    span.tabIndex = before ? -1 : 0;
    span.setAttribute("role", "button");
    this.#spans.push(span);
    const space = word.text.match(/^\s*/)[0];
    if (this.#block) this.#block.append(space);
    const count = this.#block?.childElementCount ?? 0;
    const long = count >= BLOCK && (/[.!?。]$/.test(before.text) || count >= 2 * BLOCK);
    if (!this.#block || space.includes("\n") || long) {
      this.#block = document.createElement("div");
      this.#box.append(this.#block);
    }
    this.#block.append(span);
    return span;
  }

  #told(answer) {
    if (answer.state === "failed") return answer.error;
    const parts = [];
    if (answer.state === "asked") parts.push("Looking…");
    if (answer.firstWord !== null && !answer.running) parts.push(`First word: ${Math.round(answer.firstWord)} ms`);
    if (answer.moves.length) parts.push(`the place moved ${answer.moves.length === 1 ? "once" : `${answer.moves.length} times`}`);
    if (answer.summary?.finish === "length") parts.push("cut at its longest");
    if (answer.state === "stopped") parts.push("stopped");
    return parts.join(" · ");
  }

  #wordOf(target) {
    const place = this.#spans.indexOf(target);
    return place < 0 ? null : (this.#answer?.words[place] ?? null);
  }

  /** One stop of the tab key for the whole sentence; arrows go from word to word. */
  #step(event) {
    const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
    const at = this.#spans.indexOf(this.#box.getRootNode().activeElement);
    const next = this.#spans[at + (steps[event.key] ?? NaN)];
    if (at < 0 || !next) return;
    event.preventDefault();
    this.#spans[at].tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }
}
