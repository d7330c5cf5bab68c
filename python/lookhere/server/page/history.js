// Answers that are kept, each with its number, pinned to the image that it is about.

const LONGEST = 280; // characters of an answer in the list; opened, it stands there whole

function beginning(text) {
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST).replace(/\s+\S*$/, "")} …`;
}

export class History {
  entries = [];
  #section;
  #count = 0;

  /** onOpen is called with an entry, onChange after each change. */
  constructor(section, { onOpen, onChange }) {
    this.#section = section;
    this.onOpen = onOpen;
    this.onChange = onChange;
  }

  keep(answer) {
    if (!answer.text || this.entries.some((entry) => entry.answer === answer)) return;
    const entry = { number: ++this.#count, answer, region: answer.region, when: new Date().toISOString() };
    this.entries.push(entry);
    this.#show();
  }

  remove(entry) {
    this.entries = this.entries.filter((each) => each !== entry);
    this.#show();
  }

  clear() {
    this.entries = [];
    this.#count = 0;
    this.#show();
  }

  of(picture) {
    return this.entries.filter((entry) => entry.region && entry.answer.request.picture === picture);
  }

  #show() {
    this.#section.hidden = !this.entries.length;
    this.#section.querySelector("ol").replaceChildren(...this.entries.map((entry) => this.#item(entry)).reverse());
    this.onChange();
  }

  #item(entry) {
    const item = document.createElement("li");
    const open = document.createElement("button");
    open.type = "button";
    open.className = "entry";
    const number = document.createElement("b");
    number.textContent = entry.number;
    const text = document.createElement("span");
    text.textContent = beginning(entry.answer.text.trim());
    open.append(number, text);
    open.addEventListener("click", () => this.onOpen(entry));
    const away = document.createElement("button");
    away.type = "button";
    away.className = "away";
    away.textContent = "×";
    away.setAttribute("aria-label", `Forget answer ${entry.number}`);
    away.addEventListener("click", () => this.remove(entry));
    item.append(open, away);
    return item;
  }
}
