// Code that makes an answer again: Python, the command line, curl.

import { told } from "./region.js";

const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`);

const HEADS = "these-heads.json"; // no name that a file of one's own has

/** A Python literal; JSON's strings are Python's. */
const literal = (text) => JSON.stringify(text);

function pythonRegion(region) {
  switch (region.kind) {
    case "panel":
      return region.rows === 1
        ? `lookhere.Panel(${region.col}, ${region.cols})`
        : `lookhere.Panel(${region.row}, ${region.col}, ${region.rows}, ${region.cols})`;
    case "box":
      return `lookhere.Box(${region.x0}, ${region.y0}, ${region.x1}, ${region.y1})`;
    case "point":
      return `lookhere.Point(${region.x}, ${region.y})`;
    default:
      return `lookhere.Polygon([${region.corners.map(([x, y]) => `(${x}, ${y})`).join(", ")}])`;
  }
}

function option(region) {
  switch (region.kind) {
    case "panel":
      return region.rows === 1
        ? `--panel ${region.col}/${region.cols}`
        : `--panel ${region.row},${region.col}/${region.rows},${region.cols}`;
    case "box":
      return `--box ${region.x0},${region.y0},${region.x1},${region.y1}`;
    case "point":
      return `--point ${region.x},${region.y}`;
    default:
      return `--polygon ${region.corners.flat().join(",")}`;
  }
}

/** facts.load: what the server's model was loaded with, by the names of Python's arguments. */
function pythonLoad({ load: { model, ...more } }) {
  const given = Object.entries(more).map(([name, value]) => `${name}=${literal(value)}`);
  return [...(model ? [literal(model)] : []), ...given].join(", ");
}

function loadOptions({ load }, own) {
  return Object.entries({ ...load, ...own }).map(([name, value]) => `--${name.replaceAll("_", "-")} ${quoted(String(value))}`);
}

/** Other heads than the model's, as a Python expression; null where they are the model's. */
function pythonHeads(options, known) {
  const { heads } = options;
  if (heads === undefined) return null;
  if (typeof heads === "number") return `model.head_set.top(${heads})`;
  const pairs = heads === "all" ? "model.facts.every_head" : `(${heads.map(([l, h]) => `(${l}, ${h})`).join(", ")},)`;
  return known ? `replace(model.head_set, heads=${pairs}, scores=())` : `lookhere.HeadSet(model.facts, ${pairs})`;
}

export function python(answer, facts) {
  const { request } = answer;
  const { options, region } = request;
  const heads = region && pythonHeads(options, facts.heads);
  const load = pythonLoad(facts);
  const push = [];
  if (options.strength !== undefined) push.push(`strength=${options.strength}`);
  if (options.mode !== undefined) push.push(`mode=${literal(options.mode)}`);
  const place = (each) => (heads ? [`lookhere.Steering(heads, ${pythonRegion(each)}`, ...push].join(", ") + ")" : pythonRegion(each));
  const given = [literal(request.question)];
  if (region) given.push(`at=${place(region)}`, ...(heads ? [] : push));
  given.push(`max_tokens=${request.tokens}`);
  if (options.zoom) given.push("zoom=True");
  const lines = [...(heads?.startsWith("replace") ? ["from dataclasses import replace", ""] : []), "import lookhere", ""];
  lines.push(`with lookhere.load(${load}) as model:`);
  if (heads) lines.push(`    heads = ${heads}`);
  lines.push(`    scene = model.look(${literal(request.picture.name)})`);
  const call = given.map((each) => `        ${each},`);
  if (!answer.moves.length) {
    lines.push("    answer = scene.describe(", ...call, "    )", "    print(answer.text)");
  } else {
    lines.push("    run = scene.stream(", ...call, "    )", "    for step in run:");
    lines.push('        print(step.text, end="", flush=True)');
    for (const { index, region: next } of answer.moves) {
      lines.push(`        if step.index == ${index - 1}:`, `            run.look_at(${place(next)})`);
    }
  }
  return lines.join("\n");
}

export function shell(answer, facts) {
  const { request } = answer;
  const { options, region } = request;
  const heads = region && pythonHeads(options, facts.heads);
  const before = [];
  if (heads) {
    before.push(
      "python - <<'END'", "from dataclasses import replace", "import lookhere",
      `with lookhere.load(${pythonLoad(facts)}) as model:`, `    (${heads}).write(${literal(HEADS)})`, "END",
    );
  }
  const parts = [`lookhere describe ${quoted(request.picture.name)}`, ...loadOptions(facts, heads ? { heads: HEADS } : {})];
  if (region) {
    parts.push(option(region));
    if (options.strength !== undefined) parts.push(`--strength ${options.strength}`);
    if (options.mode !== undefined) parts.push(`--mode ${options.mode}`);
  }
  if (options.zoom) parts.push("--zoom");
  parts.push(`--prompt ${quoted(request.question)}`, `--max-tokens ${request.tokens}`);
  return [...before, ...moveNote(answer), parts.join(" \\\n  ")].join("\n");
}

export function curl(answer, facts, token) {
  const { request } = answer;
  const image = "@IMAGE@";
  const type = request.picture.data.slice(0, request.picture.data.indexOf(",") + 1);
  const body = JSON.stringify(request.plain(image), null, 2)
    .replace(/[\\$`]/g, "\\$&") // the shell reads the text below before curl does
    .replace(image, `${type}$(base64 < ${quoted(request.picture.name)} | tr -d '\\n')`);
  const secret = token ? ' \\\n  -H "Authorization: Bearer $LOOKHERE_TOKEN"' : "";
  const lines = [`curl ${location.origin}/v1/chat/completions -H 'Content-Type: application/json'${secret} -d @- <<END`, body, "END"];
  return [...moveNote(answer), ...lines].join("\n");
}

function moveNote({ moves }) {
  if (!moves.length) return [];
  const when = moves.map(({ index, region }) => `${told(region)} from token ${index + 1} on`).join("; ");
  return [`# This is where it began; the place moved (${when}), which Python can say.`];
}
