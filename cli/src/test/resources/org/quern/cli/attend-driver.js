// Uses the page of `quern attend` like a person with a keyboard, and tells what is wrong with it.
"use strict";
(() => {
  const wrong = window.pageErrors;
  const check = (ok, what) => { if (!ok) wrong.push(what); };
  const press = key => $("grid").dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  const set = (id, value, type) => { $(id).value = value; $(id).dispatchEvent(new Event(type)); };
  const cells = id => $(id).querySelectorAll("tbody tr");
  const colours = (i, j) => {
    const g = $("big").getContext("2d"), r = window.devicePixelRatio, { left, top, size } = geometry;
    const seen = g.getImageData((left + j * size + 2) * r, (top + i * size + 2) * r, size - 4, size - 4).data;
    const all = new Set();
    for (let p = 0; p < seen.length; p += 4) all.add(seen.slice(p, p + 3).join());
    return all.size;
  };
  try {
    check(document.body.dataset.ready === "yes", "the script did not finish");
    check(document.documentElement.scrollWidth <= window.innerWidth, "wider than the window: " + document.documentElement.scrollWidth);
    check(performance.getEntriesByType("resource").length === 0, "loads something");
    check($("heads").querySelectorAll("button").length === L * H, "not one button a head");
    for (const e of document.querySelectorAll("input, select")) check(e.labels.length > 0, "no label: " + e.outerHTML);
    for (const e of document.querySelectorAll("button")) check(e.getAttribute("aria-label"), "no name: " + e.outerHTML);
    for (const e of document.querySelectorAll("[aria-labelledby], [aria-describedby]")) {
      for (const name of ["aria-labelledby", "aria-describedby"]) {
        const id = e.getAttribute(name);
        check(id === null || $(id), "nothing is called " + id);
      }
    }
    $("heads").querySelectorAll("button")[H + 1].click();
    check($("head-title").textContent === "Layer 1, head 1: weights", $("head-title").textContent);
    $("grid").focus();
    check(document.activeElement === $("grid"), "the grid takes no focus");
    for (let i = 0; i < T; i++) press("ArrowUp");
    check(at.query === 0, "the first query");
    press("ArrowDown");
    press("Home");
    check(at.query === 1 && at.key === 0, "the first key");
    check($("status").textContent.includes("weight 0.") || $("status").textContent.includes("weight 1."), $("status").textContent);
    press("End");
    press("ArrowRight");
    check(at.key === 2 && $("status").textContent.includes("masked"), $("status").textContent);
    check(colours(0, T - 1) > 1, "a masked cell is not hatched");
    check(colours(T - 1, 0) === 1, "a visible cell is hatched");
    document.querySelector("input[value=scores]").click();
    check($("head-title").textContent.endsWith("scores"), "no scores");
    $("row-details").open = true;
    showRow();
    check(cells("row-table").length === T, "not one line a key");
    check(cells("products-table").length === D, "not one line a dimension");
    const sum = attention(1, 1).weights[T - 1].reduce((a, b) => a + b, 0);
    check(Math.abs(sum - 1) < 1e-5 * T, "weights sum to " + sum);
    check(cells("lens").length === L + 1, "not one line a layer");
    set("temperature", "0", "input");
    check(cells("next")[0].textContent.includes("100.0 %"), "greedy is not certain");
    set("temperature", "1", "input");
    set("top-k", "3", "input");
    check(cells("next").length === 3, "not three tokens kept");
    set("layer", "0", "change");
    check(at.layer === 0, "the list of layers does nothing");
  } catch (e) {
    wrong.push(e.stack);
  }
  parent.postMessage(JSON.stringify(wrong), "*");
})();
