// The connection to the server: one answer at a time, and it comes back by itself.

const PAUSES = [300, 600, 1200, 2500, 5000]; // milliseconds before it is tried again

/** A token within the name of a protocol, which takes few of the letters that a token may have. */
const named = (token) => `lookhere.token.${encodeURIComponent(token).replace(/[()]/g, (letter) => `%${letter.charCodeAt(0).toString(16)}`)}`;

/** onState is called with "open" or "gone". */
export class Link {
  #socket = null;
  #tries = 0;
  #messages = ""; // what the server knows of this connection: which image, which question
  #next = null; // what is asked as soon as the server has taken what was asked before
  #current = null; // {request, answer} that the server's words are for
  #pending = false; // asked, and not yet begun: words that still come are of the answer before
  #token;

  constructor(token, onState) {
    this.#token = token;
    this.onState = onState;
    this.#open();
  }

  ask(request, answer) {
    this.#next = { request, answer };
    this.#send();
  }

  /** False where there is no answer that could obey. */
  lookAt(region) {
    if (!this.#ready || this.#pending || !this.#current?.answer.running) return false;
    this.#socket.send(JSON.stringify({ type: "look_at", at: region }));
    return true;
  }

  stop() {
    this.#next = null;
    if (this.#ready) this.#socket.send('{"type":"stop"}');
    this.#current?.answer.ended("stopped");
  }

  get #ready() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  #open() {
    const url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/v1/lookhere/socket`;
    const socket = new WebSocket(url, this.#token ? ["lookhere", named(this.#token)] : ["lookhere"]);
    this.#socket = socket;
    socket.addEventListener("open", () => {
      this.#tries = 0;
      this.#messages = "";
      this.#pending = false;
      this.onState("open");
      const broken = this.#current?.answer.running ? this.#current : null;
      this.#next ??= broken;
      this.#send();
    });
    socket.addEventListener("message", (event) => this.#take(JSON.parse(event.data)));
    socket.addEventListener("close", () => {
      this.onState("gone");
      this.#again();
    });
  }

  /** Opens once the server is there: Firefox lets a WebSocket wait for up to a minute after others could not open. */
  #again() {
    setTimeout(async () => {
      const there = await fetch("/health").then((found) => found.ok, () => false);
      if (there) this.#open();
      else this.#again();
    }, PAUSES[Math.min(this.#tries++, PAUSES.length - 1)]);
  }

  #send() {
    if (!this.#next || !this.#ready || this.#pending) return;
    this.#current = this.#next;
    this.#next = null;
    this.#pending = true;
    const { messages, ...rest } = this.#current.request.body();
    const key = this.#current.request.key;
    const known = key === this.#messages;
    this.#messages = key;
    this.#socket.send(JSON.stringify({ type: "ask", ...rest, ...(known ? {} : { messages }) }));
  }

  #take(data) {
    const answer = this.#current?.answer;
    if (!answer) return;
    switch (data.type) {
      case "begun":
        this.#pending = false;
        answer.begun(data.id);
        this.#send();
        break;
      case "chunk":
        if (!this.#pending) answer.chunk(data.chunk);
        break;
      case "ended":
        if (!this.#pending) answer.ended();
        break;
      case "error":
        if (data.error.code === "ended") break; // a move came too late; that it ended is told, too
        if (data.id === undefined || data.id === answer.id) {
          this.#pending = false;
          this.#messages = "";
          answer.failed(data.error.message);
          this.#send();
        }
    }
  }
}
