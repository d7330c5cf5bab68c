// Kept answers as a file: JSON for programs, one HTML page for people.

import { path, told } from "./region.js";

const escaped = (text) => String(text).replace(/[&<>"']/g, (letter) => `&#${letter.codePointAt(0)};`);

function pictures(entries) {
  return [...new Set(entries.map((entry) => entry.answer.request.picture))];
}

export function asJson(entries, facts) {
  const images = pictures(entries);
  return JSON.stringify(
    {
      format: "lookhere.page/1",
      version: facts.version,
      model: { name: facts.model, title: facts.title, load: facts.load },
      images: images.map(({ name, width, height, data }) => ({ name, width, height, data })),
      answers: entries.map(({ number, when, answer }) => ({
        number,
        when,
        image: images.indexOf(answer.request.picture),
        question: answer.request.question,
        max_tokens: answer.request.tokens,
        lookhere: answer.request.pointing,
        moves: answer.moves,
        text: answer.text,
        ...answer.summary,
        gaze: answer.words.map((word) => ({
          text: word.text,
          maps: (answer.wordHeat(word)?.maps ?? []).map(({ rows, cols, values }) => ({
            rows,
            cols,
            values: Array.from(values, (value) => Number(value.toPrecision(4))),
          })),
        })),
      })),
    },
    null,
    1,
  );
}

const STYLE = `
:root{color-scheme:light dark;--ink:#1d1a17;--paper:#fbfaf8;--quiet:#6b645c;--accent:200 64 14}
@media(prefers-color-scheme:dark){:root{--ink:#f2eee9;--paper:#171412;--quiet:#a59d94;--accent:255 143 90}}
body{font:17px/1.5 Inter,system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:60rem;margin:3rem auto;padding:0 1.5rem}
figure{margin:0 0 2rem;position:relative}img{width:100%;border-radius:12px;display:block}svg{position:absolute;inset:0;width:100%;height:100%}
path{fill:none;stroke:#fff;stroke-width:2.5;vector-effect:non-scaling-stroke}text{font:600 15px sans-serif;fill:#fff;paint-order:stroke;stroke:#1d1a17;stroke-width:4px}
ol{padding:0;list-style:none}li{margin:0 0 2rem}p{margin:.2rem 0}.a{font-size:1.4rem;line-height:1.4}.q{color:var(--quiet);font-size:.9rem}
b{color:var(--quiet);font-weight:600;margin-right:.6rem}mark{color:inherit;border-radius:4px;padding:.05em .1em}`;

export function asHtml(entries, facts) {
  const parts = pictures(entries).map((picture) => {
    const own = entries.filter((entry) => entry.answer.request.picture === picture);
    const outlines = own.filter((entry) => entry.region).map((entry) => `<path d="${path(entry.region, picture)}"/>`);
    const items = own.map(({ number, answer, region }) => {
      const words = answer.words.map((word) => {
        const tint = (0.45 * answer.tint(word)).toFixed(2);
        const space = word.text.match(/^\s*/)[0];
        return `${space}<mark style="background:rgb(var(--accent)/${tint})">${escaped(word.text.trimStart())}</mark>`;
      });
      return `<li><p class="a"><b>${number}</b>${words.join("")}</p><p class="q">${escaped(told(region))} · ${escaped(answer.request.question)}</p></li>`;
    });
    return `<figure><img alt="${escaped(picture.name)}" src="${escaped(picture.url)}"><svg viewBox="0 0 ${picture.width} ${picture.height}" preserveAspectRatio="none">${outlines.join("")}</svg></figure><ol>${items.join("")}</ol>`;
  });
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Kept answers</title><style>${STYLE}</style></head><body>${parts.join("")}<p class="q">${escaped(facts.title)}, lookhere ${escaped(facts.version)}</p></body></html>`;
}

export function save(text, name, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // Safari may begin to read it late
}
