// What is fetched of this server, with the token that it may ask for.

const KEY = "lookhere.token";

/** What is kept until the tab is closed; nothing where the browser keeps nothing. */
const kept = () => {
  try {
    return sessionStorage;
  } catch {
    return null;
  }
};

export class Door {
  token = kept()?.getItem(KEY);
  #form;

  constructor(form) {
    this.#form = form;
  }

  /** What the page has to know; asks for the token until it is right. */
  async facts() {
    for (;;) {
      const response = await this.#get("/page/facts.json");
      if (response.ok) return response.json();
      if (response.status !== 401) throw new Error((await response.json()).error.message);
      await this.#ask();
    }
  }

  /** A file, as a Blob. */
  async blob(url) {
    const response = await this.#get(url);
    if (!response.ok) throw new Error((await response.json()).error.message);
    return response.blob();
  }

  #get(url) {
    return fetch(url, this.token ? { headers: { Authorization: `Bearer ${this.token}` } } : {});
  }

  #ask() {
    this.#form.hidden = false;
    this.#form.elements.token.focus();
    return new Promise((resolve) => {
      const taken = (event) => {
        event.preventDefault();
        this.token = this.#form.elements.token.value;
        kept()?.setItem(KEY, this.token);
        this.#form.hidden = true;
        resolve();
      };
      this.#form.addEventListener("submit", taken, { once: true });
    });
  }
}
