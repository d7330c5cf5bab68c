// The words of an answer as they stand on the page: tinted, and asked about by pointer or keyboard.

const TINTS = 8; // classes of tint, since the policy allows no style within the HTML
const NEAR = 0.35; // of the most that a word looked anywhere: so much at a place, and it came from there

/** onWord is called with a word, or null. */
export class Sentence {
  #box;
  #status;
  #answer = null;
  #spans = [];

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
    this.#status.textContent = this.#told(answer);
    this.#status.classList.toggle("wrong", answer.state === "failed");
  }

  clear() {
    this.#answer = null;
    this.#clear();
    this.#status.textContent = "";
  }

  /** Marks the words that came from a place. */
  mark(x, y) {
    this.#spans.forEach((span, k) => {
      const word = this.#answer?.words[k];
      const heat = word && x !== null ? this.#answer.wordHeat(word) : null;
      span.classList.toggle("from-here", Boolean(heat) && heat.at(x, y) > NEAR * heat.most);
    });
  }

  #clear() {
    this.#box.replaceChildren();
    this.#spans = [];
    delete this.#box.dataset.stale;
  }

  /** Only the last word that stands there may have grown. */
  #fill(answer) {
    for (let k = Math.max(0, this.#spans.length - 1); k < answer.words.length; k++) {
      const word = answer.words[k];
      let span = this.#spans[k];
      if (!span) {
        span = document.createElement("span");
        span.tabIndex = k === 0 ? 0 : -1;
        span.setAttribute("role", "button");
        this.#spans.push(span);
        this.#box.append(word.text.match(/^\s*/)[0], span);
      }
      const text = word.text.trimStart();
      if (span.textContent !== text) span.textContent = text;
      const moved = k > 0 && word.region !== answer.words[k - 1].region;
      span.className = `word tint-${Math.round(answer.tint(word) * TINTS)}${moved ? " moved" : ""}`;
    }
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
