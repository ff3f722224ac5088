"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const T = data.ids.length, L = data.layers, H = data.heads, D = data.headSize;
const at = { kind: "weights", layer: 0, head: 0, query: T - 1, key: 0 };
const $ = id => document.getElementById(id);

// --- text ---

/** A token with its spaces and line breaks visible. */
function visible(text, id) {
  if (!text) return "#" + id;
  return text.replace(/ /g, "\u2423").replace(/\n/g, "\u21b5").replace(/\r/g, "\u240d").replace(/\t/g, "\u21e5");
}
const tokens = data.tokens.map((t, i) => visible(t, data.ids[i]));
const spoken = text => text.replace(/\u2423/g, " space ").replace(/\u21b5/g, " line break ").trim();
const digits = (x, n = 4) => Number.isFinite(x) ? x.toFixed(n).replace("-", "\u2212") : "masked";
const percent = p => (100 * p).toFixed(p < 0.0995 ? 2 : 1) + " %";

function element(name, attributes = {}, ...children) {
  const out = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) out.setAttribute(key, value);
  out.append(...children);
  return out;
}

function table(target, caption, head, rows) {
  const cell = (tag, c, scope) => {
    const out = element(tag, scope ? { scope } : {});
    if (c !== null && typeof c === "object" && !(c instanceof Node)) {
      out.className = c.of;
      out.append(c.value);
    } else out.append(c);
    return out;
  };
  target.replaceChildren(element("caption", { class: "soft" }, caption),
    element("thead", {}, element("tr", {}, ...head.map(h => cell("th", h, "col")))),
    element("tbody", {}, ...rows.map(r => {
      const row = element("tr", {}, ...r.cells.map((c, i) => i === 0 ? cell("th", c, "row") : cell("td", c)));
      if (r.of) row.className = r.of;
      return row;
    })));
}
const n = value => ({ of: "n", value });
const token = value => ({ of: "token", value });
function bar(share) {
  const inner = element("span", { class: "bar" });
  inner.style.width = Math.max(0, Math.min(100, 100 * share)) + "%";
  return element("span", { class: "track", "aria-hidden": "true" }, inner);
}

// --- colours ---

let colours;
function readColours() {
  const style = getComputedStyle(document.documentElement);
  const rgb = name => {
    const hex = style.getPropertyValue(name).trim().slice(1);
    return [0, 2, 4].map(i => parseInt(hex.slice(i, i + 2), 16));
  };
  colours = { ink: rgb("--ink"), paper: rgb("--paper"), more: rgb("--more"), less: rgb("--less"),
    mark: rgb("--mark"), hatch: rgb("--hatch"), soft: rgb("--soft") };
}
const css = c => `rgb(${c.join(",")})`;
const mix = (a, b, t) => a.map((x, i) => Math.round(x + (b[i] - x) * t));

const attention = (l, h) => data.attention[l].heads[h];
const largest = data.attention.map(layer => layer.heads.map(head => {
  let most = 1e-9;
  for (const row of head.scores) for (const x of row) if (x !== null) most = Math.max(most, Math.abs(x));
  return most;
}));

/** The colour of a cell, or null where it is masked. */
function colour(l, h, i, j) {
  const head = attention(l, h), score = head.scores[i][j];
  if (score === null) return null;
  if (at.kind === "weights") return mix(colours.paper, colours.more, Math.sqrt(head.weights[i][j]));
  return mix(colours.paper, score > 0 ? colours.more : colours.less, Math.abs(score) / largest[l][h]);
}

function hatch(context) {
  const tile = element("canvas", { width: 6, height: 6 }), g = tile.getContext("2d");
  g.strokeStyle = css(colours.hatch);
  g.beginPath();
  for (const k of [-6, 0, 6]) { g.moveTo(k - 1, 7); g.lineTo(k + 7, -1); }
  g.stroke();
  return context.createPattern(tile, "repeat");
}

// --- all heads ---

const cell = Math.max(1, Math.ceil(96 / T)), small = [];
function makeHeads() {
  const box = $("heads");
  box.style.gridTemplateColumns = `3.2rem repeat(${H}, minmax(44px, 120px))`;
  box.append(element("span", { "aria-hidden": "true" }));
  for (let h = 0; h < H; h++) box.append(element("span", { class: "name", "aria-hidden": "true" }, (h === 0 ? "head " : "") + h));
  for (let l = 0; l < L; l++) {
    box.append(element("span", { class: "name", "aria-hidden": "true" }, "layer " + l));
    for (let h = 0; h < H; h++) {
      const canvas = element("canvas", { width: T * cell, height: T * cell });
      const button = element("button", { type: "button", "aria-label": `Layer ${l}, head ${h}` }, canvas);
      button.addEventListener("click", () => choose({ layer: l, head: h }));
      if (T < 60) canvas.className = "coarse";
      small.push({ l, h, canvas, button });
      box.append(button);
    }
  }
}

function drawSmall() {
  for (const { l, h, canvas } of small) {
    const g = canvas.getContext("2d");
    g.fillStyle = css(colours.paper);
    g.fillRect(0, 0, canvas.width, canvas.height);
    g.fillStyle = hatch(g);
    g.fillRect(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < T; i++) for (let j = 0; j < T; j++) {
      const c = colour(l, h, i, j);
      if (c) { g.fillStyle = css(c); g.fillRect(j * cell, i * cell, cell, cell); }
    }
  }
  const scale = $("scale").getContext("2d");
  for (let x = 0; x < 160; x++) {
    const s = x / 159;
    scale.fillStyle = css(at.kind === "weights" ? mix(colours.paper, colours.more, Math.sqrt(s))
      : mix(colours.paper, s > 0.5 ? colours.more : colours.less, Math.abs(2 * s - 1)));
    scale.fillRect(x, 0, 1, 14);
  }
  $("scale-text").textContent = at.kind === "weights" ? "weights from 0 to 1"
    : "scores from lowest to highest, 0 in the middle; each head by itself";
}

// --- one head ---

let geometry = { left: 0, top: 0, size: 1 };
function drawBig() {
  const canvas = $("big"), ratio = window.devicePixelRatio || 1;
  const room = canvas.closest(".wide").clientWidth;
  const g = canvas.getContext("2d"), font = "13px ui-monospace, 'DejaVu Sans Mono', monospace";
  g.font = font;
  const label = Math.min(90, 12 + Math.max(...tokens.map(t => g.measureText(t).width)));
  const size = Math.max(5, Math.min(30, Math.floor((room - label - 2) / T)));
  const left = Math.ceil(label), top = left, width = left + T * size + 2, height = top + T * size + 2;
  geometry = { left, top, size };
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  canvas.style.width = width + "px";
  canvas.style.height = height + "px";
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.fillStyle = css(colours.paper);
  g.fillRect(0, 0, width, height);
  g.fillStyle = hatch(g);
  g.fillRect(left, top, T * size, T * size);
  const gap = size > 8 ? 1 : 0;
  for (let i = 0; i < T; i++) for (let j = 0; j < T; j++) {
    const c = colour(at.layer, at.head, i, j);
    if (!c) continue;
    g.fillStyle = css(colours.paper);
    g.fillRect(left + j * size, top + i * size, size, size);
    g.fillStyle = css(c);
    g.fillRect(left + j * size, top + i * size, size - gap, size - gap);
  }
  g.strokeStyle = css(colours.hatch);
  g.lineWidth = 1;
  g.strokeRect(left - 0.5, top - 0.5, T * size + 1, T * size + 1);
  g.font = font;
  g.textBaseline = "middle";
  for (let i = 0; i < T; i++) {
    const written = size >= 11;
    if (written || i === at.query) write(g, tokens[i], left - 6, top + (i + 0.5) * size, i === at.query ? colours.mark : colours.soft, 0);
    if (written || i === at.key) write(g, tokens[i], left + (i + 0.5) * size, top - 6, i === at.key ? colours.more : colours.soft, Math.PI / 2);
  }
  g.strokeStyle = css(colours.mark);
  g.lineWidth = 2.5;
  g.strokeRect(left + at.key * size - 0.5, top + at.query * size - 0.5, size, size);
  const wide = canvas.closest(".wide"), x = left + at.key * size; // keeps the chosen key in sight
  if (x < wide.scrollLeft || x + size > wide.scrollLeft + room) wide.scrollLeft = x - room / 2;
}

function write(g, text, x, y, colour, turn) {
  const short = text.length > 9 ? text.slice(0, 8) + "\u2026" : text;
  g.save();
  g.translate(x, y);
  g.fillStyle = css(colour);
  if (turn && short.length === 1) {
    g.textAlign = "center";
    g.fillText(short, 0, -6);
  } else {
    g.rotate(turn);
    g.textAlign = "right";
    g.fillText(short, 0, 0);
  }
  g.restore();
}

// --- the chosen pair ---

function products() {
  const head = attention(at.layer, at.head);
  return head.q[at.query].map((x, d) => x * head.k[at.key][d]);
}

function showPair() {
  const head = attention(at.layer, at.head), all = products();
  const dot = all.reduce((a, b) => a + b, 0), masked = head.scores[at.query][at.key] === null;
  const weight = head.weights[at.query][at.key], update = head.updateNorms[at.key];
  $("head-title").textContent = `Layer ${at.layer}, head ${at.head}: ${at.kind}`;
  $("status").textContent = `Query ${at.query} \u201c${spoken(tokens[at.query])}\u201d, key ${at.key} \u201c${spoken(tokens[at.key])}\u201d: `
    + (masked ? "masked." : `weight ${digits(weight)}, score ${digits(dot * data.scale)}.`);
  const lines = [
    ["q \u00b7 k", digits(dot)],
    [`q \u00b7 k / \u221a${D}`, digits(dot * data.scale) + (masked ? " (masked)" : "")],
    ["weight", masked ? "0 (masked)" : digits(weight)],
    ["norm of the key's value", digits(head.valueNorms[at.key])],
    ["norm of its update, through the output matrix", digits(update)],
    ["times the weight", digits(weight * update)]];
  $("pair").replaceChildren(...lines.flatMap(([a, b]) => [element("dt", {}, a), element("dd", {}, b)]));
  drawProducts(all);
  table($("products-table"), "Products of query and key", ["dimension", n("query"), n("key"), n("product")],
    all.map((p, d) => ({ cells: [String(d), n(digits(head.q[at.query][d])), n(digits(head.k[at.key][d])), n(digits(p))] })));
  if ($("row-details").open) showRow();
  document.querySelectorAll("#text span").forEach((span, i) => {
    span.className = i === at.query ? "q" : i === at.key ? "k" : "";
  });
}

function drawProducts(all) {
  const most = Math.max(1e-9, ...all.map(Math.abs)), w = 600 / D;
  const high = Math.max(0, ...all), low = Math.min(0, ...all), unit = 126 / Math.max(1e-9, high - low), zero = 2 + unit * high;
  const name = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(name, "svg");
  const add = (tag, attributes) => {
    const e = document.createElementNS(name, tag);
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    svg.append(e);
  };
  svg.setAttribute("viewBox", "0 0 600 130");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `Products of ${D} dimensions, from ${digits(Math.min(...all))} to ${digits(Math.max(...all))}; the table below has them all`);
  all.forEach((p, d) => {
    const height = unit * Math.abs(p);
    add("rect", { x: d * w + w * 0.1, width: w * 0.8, y: p > 0 ? zero - height : zero, height, fill: `var(--${p > 0 ? "more" : "less"})` });
  });
  add("line", { x1: 0, x2: 600, y1: zero, y2: zero, stroke: "var(--soft)", "vector-effect": "non-scaling-stroke" });
  $("products").replaceChildren(svg,
    element("p", { class: "soft" }, `Dimensions 0 to ${D - 1} from left to right; the longest bar is ${digits(most)}; up is positive, down negative.`));
}

function showRow() {
  const head = attention(at.layer, at.head);
  table($("row-table"), `Layer ${at.layer}, head ${at.head}, query ${at.query} \u201c${spoken(tokens[at.query])}\u201d`,
    ["key", "token", n("score"), n("weight"), n("norm of value"), n("norm of update"), n("weight \u00d7 update")],
    tokens.map((t, j) => {
      const masked = head.scores[at.query][j] === null, w = head.weights[at.query][j];
      return { of: masked ? "off" : "", cells: [String(j), token(t), n(masked ? "masked" : digits(head.scores[at.query][j])),
        n(masked ? "masked" : digits(w)), n(digits(head.valueNorms[j])), n(digits(head.updateNorms[j])), n(digits(w * head.updateNorms[j]))] };
    }));
}

// --- predictions ---

function showLens() {
  const count = data.lens[0].top.length, choice = visible(data.choice.text, data.choice.id);
  table($("lens"), `Probabilities of the next token; the model's final choice is ${choice}`,
    ["behind", { of: "", value: "most probable" }, ...Array(count - 1).fill("next"), { of: "n", value: `P(${choice})` }, ""],
    data.lens.map(row => ({ cells: [row.blocks === 0 ? "the embedding" : "layer " + (row.blocks - 1),
      ...row.top.map(c => {
        const cell = element("span", {}, element("span", { class: "token" }, visible(c.text, c.id)), " " + percent(Math.exp(c.logprob)));
        return { of: c.id === data.choice.id ? "chosen" : "", value: cell };
      }),
      n(percent(Math.exp(row.choiceLogprob))), bar(Math.exp(row.choiceLogprob))] })));
}

const logits = data.next.logits;
const order = Array.from(logits.keys()).sort((a, b) => logits[b] - logits[a] || a - b);
function showNext() {
  const temperature = Number($("temperature").value), k = Number($("top-k").value);
  const kept = order.slice(0, k), high = logits[order[0]];
  const raw = kept.map((id, i) => temperature === 0 ? (i === 0 ? 1 : 0) : Math.exp((logits[id] - high) / temperature));
  const sum = raw.reduce((a, b) => a + b, 0), shares = raw.map(x => x / sum);
  const entropy = shares.reduce((a, p) => a - (p > 0 ? p * Math.log2(p) : 0), 0);
  $("temperature-value").value = temperature.toFixed(2) + (temperature === 0 ? " greedy" : "");
  $("top-k-value").value = k === logits.length ? "all " + k : String(k);
  const shown = Math.min(kept.length, data.next.texts.length, 30);
  $("next-about").textContent = `${k} of ${logits.length} tokens kept; entropy ${entropy.toFixed(2)} bits`
    + (shown < k ? `; the ${shown} most probable are shown.` : ".");
  table($("next"), "Probabilities of the next token", ["token", n("id"), n("logit"), n("probability"), ""],
    kept.slice(0, shown).map((id, i) => ({ cells: [token(visible(data.next.texts[i], id)), n(String(id)), n(digits(logits[id], 2)),
      n(percent(shares[i])), bar(shares[i])] })));
}

// --- choices ---

function choose(change) {
  Object.assign(at, change);
  for (const name of ["layer", "head", "query", "key"]) $(name).value = String(at[name]);
  for (const s of small) s.button.setAttribute("aria-pressed", String(s.l === at.layer && s.h === at.head));
  drawBig();
  showPair();
}

function redraw() {
  readColours();
  drawSmall();
  choose({});
}

function strongest() {
  const weights = attention(at.layer, at.head).weights[at.query];
  return weights.indexOf(Math.max(...weights));
}

function move(event) {
  const row = attention(at.layer, at.head).scores[at.query];
  const steps = { ArrowLeft: { key: Math.max(0, at.key - 1) }, ArrowRight: { key: Math.min(T - 1, at.key + 1) },
    ArrowUp: { query: Math.max(0, at.query - 1) }, ArrowDown: { query: Math.min(T - 1, at.query + 1) },
    Home: { key: row.findIndex(x => x !== null) }, End: { key: row.findLastIndex(x => x !== null) } };
  const step = steps[event.key];
  if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  choose(step);
}

function point(event) {
  const box = $("big").getBoundingClientRect();
  const key = Math.floor((event.clientX - box.left - geometry.left) / geometry.size);
  const query = Math.floor((event.clientY - box.top - geometry.top) / geometry.size);
  if (key < 0 || key >= T || query < 0 || query >= T) return;
  const head = attention(at.layer, at.head), score = head.scores[query][key];
  $("big").title = `query ${query} ${tokens[query]}, key ${key} ${tokens[key]}: `
    + (score === null ? "masked" : `score ${digits(score)}, weight ${digits(head.weights[query][key])}`);
  if (event.buttons && (key !== at.key || query !== at.query)) choose({ key, query });
}

function start() {
  document.title = "Attention: " + data.model;
  $("about").textContent = `${data.model[0].toUpperCase() + data.model.slice(1)}: ${L} layers of ${H} heads of ${D} dimensions, ${T} tokens, computed on ${data.device}. All counts start at 0.`;
  $("text").append(...tokens.map(t => element("span", {}, t)));
  const fill = (id, names) => {
    $(id).append(...names.map((name, i) => element("option", { value: i }, name)));
    $(id).addEventListener("change", () => choose({ [id]: Number($(id).value) }));
  };
  fill("layer", Array.from({ length: L }, (_, l) => String(l)));
  fill("head", Array.from({ length: H }, (_, h) => String(h)));
  fill("query", tokens.map((t, i) => `${i} ${t}`));
  fill("key", tokens.map((t, i) => `${i} ${t}`));
  for (const radio of document.querySelectorAll("input[name=kind]")) {
    radio.addEventListener("change", () => { at.kind = radio.value; redraw(); });
  }
  $("grid").addEventListener("keydown", move);
  $("big").addEventListener("pointerdown", point);
  $("big").addEventListener("pointermove", event => { if (event.pointerType === "mouse") point(event); });
  $("row-details").addEventListener("toggle", () => { if ($("row-details").open) showRow(); });
  $("top-k").max = logits.length;
  $("top-k").value = logits.length;
  for (const id of ["temperature", "top-k"]) $(id).addEventListener("input", showNext);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  window.addEventListener("resize", drawBig);
  makeHeads();
  at.key = strongest();
  showLens();
  showNext();
  redraw();
  document.body.dataset.ready = "yes";
}
start();
