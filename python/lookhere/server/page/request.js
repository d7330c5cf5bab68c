// What is asked: of an image, with a question, about a place, in a way. Frozen, so that an answer can say what made it.

export class Request {
  /** options: what the server's field `lookhere` takes beside the place; tokens: of the answer at most. */
  constructor({ picture, question, region, options, arm, tokens }) {
    Object.assign(this, { picture, question, region, options, arm, tokens });
    Object.freeze(this);
  }

  /** The same for all places of one image and one question. */
  get key() {
    return `${this.picture.id}\n${this.question}`;
  }

  get pointing() {
    return { ...(this.region ? { at: this.region } : {}), ...this.options };
  }

  /** The fields of a chat completion. */
  body() {
    return { ...this.plain(this.picture.data), lookhere: { ...this.pointing, gaze: true } };
  }

  /** Without what only this page needs. url: of the image. */
  plain(url) {
    const image = { type: "image_url", image_url: { url } };
    const text = { type: "text", text: this.question };
    return {
      messages: [{ role: "user", content: [image, text] }],
      max_tokens: this.tokens,
      lookhere: this.pointing,
    };
  }
}
