// How it looks: heads, strength, mode, and what else the form says.

const MODES = {
  boost_suppress: "Pull to the place, push off the rest",
  suppress_image: "Push off the rest of the image",
  suppress_all: "Push off the rest and the prompt",
  max_suppress_all: "Push off all but the place",
  target_share: "As much as the place lacks",
  within_image: "Only what the image has",
};

/** onChange is called where another answer would come of it. */
export class Controls {
  #facts;
  #form;
  #draw = -1; // which random heads

  constructor(form, facts, onChange) {
    this.#facts = facts;
    this.#form = form;
    const count = facts.heads?.length ?? 0;
    this.#set("count", { max: Math.max(1, count), value: Math.max(1, count), disabled: count < 2 || facts.fixed });
    const usual = facts.strength ?? 5;
    this.#set("strength", { max: Math.max(10, 2 * usual), value: usual });
    this.#set("tokens", { max: facts.most_tokens, value: Math.min(64, facts.most_tokens) });
    const mode = this.#field("mode");
    mode.append(...facts.modes.map((each) => new Option(MODES[each] ?? each, each)));
    mode.value = facts.mode ?? facts.modes[0];
    for (const each of form.elements.arm) {
      each.disabled = facts.fixed ? each.value !== "gaze" : each.value !== "all" && !facts.heads;
    }
    if (!facts.heads) form.elements.arm.value = facts.fixed ? "gaze" : "all";
    form.addEventListener("input", () => this.#tell());
    form.addEventListener("change", (event) => {
      if (event.target.name === "arm" && event.target.value === "random") this.#draw++;
      this.#tell();
      if (event.target.name !== "follow") onChange(event.target);
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    this.#tell();
  }

  get arm() {
    return this.#form.elements.arm.value;
  }

  get goesOn() {
    return this.#form.elements.follow.value === "on" && !this.#field("zoom").checked;
  }

  get beside() {
    return this.#field("beside").checked;
  }

  get grid() {
    const whole = (name) => Math.min(20, Math.max(1, Math.round(Number(this.#field(name).value)) || 1));
    return { rows: whole("rows"), cols: whole("cols") };
  }

  set grid({ rows, cols }) {
    this.#set("rows", { value: rows });
    this.#set("cols", { value: cols });
  }

  get tokens() {
    return Math.min(this.#facts.most_tokens, Math.max(1, Math.round(Number(this.#field("tokens").value)) || 64));
  }

  /** What differs from the model's own, as the server's field `lookhere` takes it. */
  get options() {
    const facts = this.#facts;
    const found = {};
    const mode = this.#field("mode").value;
    const strength = Number(this.#field("strength").value);
    if (mode !== facts.mode) found.mode = mode;
    if (facts.strong_modes.includes(mode) && (strength !== facts.strength || !facts.strong_modes.includes(facts.mode))) {
      found.strength = strength;
    }
    if (this.arm === "all") found.heads = "all";
    else if (this.arm === "random") found.heads = facts.draws[this.#draw % facts.draws.length].slice(0, this.#count);
    else if (facts.heads && this.#count < facts.heads.length) found.heads = this.#count;
    if (this.#field("zoom").checked) found.zoom = true;
    return found;
  }

  get #count() {
    return Number(this.#field("count").value);
  }

  #field(id) {
    return this.#form.querySelector(`#${id}`);
  }

  #set(id, values) {
    Object.assign(this.#field(id), values);
  }

  #tell() {
    const facts = this.#facts;
    const every = facts.layers * facts.heads_per_layer;
    const strong = facts.strong_modes.includes(this.#field("mode").value);
    const says = {
      gaze: facts.heads
        ? `${this.#count} of ${every} heads, those that look at what is being said.`
        : "No gaze heads are known for this model.",
      random: `${this.#count} heads that are no gaze heads, drawn at random. Choose it again to draw anew.`,
      all: `All ${every} heads. Too many cooks.`,
    };
    this.#field("arm-says").textContent = says[this.arm];
    this.#field("count-says").textContent = this.arm === "all" ? every : this.#count;
    this.#set("count", { disabled: this.arm === "all" || facts.fixed || (facts.heads?.length ?? 0) < 2 });
    this.#field("strength-says").textContent = strong ? `${this.#field("strength").value} nats` : "not in this mode";
    this.#set("strength", { disabled: !strong });
  }
}
