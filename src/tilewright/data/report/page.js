"use strict";
// The report's page: light or dark, the filter of candidates, sources and changes drawn when asked for.

const root = document.documentElement;
root.classList.add("scripted");

// ---------------------------------------------------------------- light and dark

const theme = document.getElementById("theme");
const darkWanted = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : darkWanted.matches);
const nameTheme = () => { theme.textContent = isDark() ? "light" : "dark"; };
if (theme) {
  theme.setAttribute("title", "Change between light and dark");
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    nameTheme();
  });
  darkWanted.addEventListener("change", nameTheme);
  nameTheme();
}

// ---------------------------------------------------------------- candidates

const fate = document.getElementById("fate");
const words = document.getElementById("words");

// Of all that has a fate, what has the chosen one and holds the words.
function filter() {
  const all = document.querySelectorAll("[data-fate]");
  const wanted = words.value.toLowerCase();
  let left = 0;
  for (const one of all) {
    const fits = (!fate.value || one.dataset.fate === fate.value) && one.textContent.toLowerCase().includes(wanted);
    one.hidden = !fits;
    left += fits;
  }
  document.getElementById("count").textContent = `${left} of ${all.length}`;
}

function openTarget() {
  const one = location.hash && document.getElementById(location.hash.slice(1));
  if (!one || !one.classList.contains("candidate")) return;
  one.hidden = false;
  one.open = true;
  one.scrollIntoView({ block: "start" });
  one.querySelector("summary").focus({ preventScroll: true });
}

document.addEventListener("click", (event) => {
  const mark = event.target.closest("[data-to]");
  if (!mark) return;
  if (location.hash === `#${mark.dataset.to}`) openTarget();
  else location.hash = mark.dataset.to;
});

if (fate) {
  fate.addEventListener("change", filter);
  words.addEventListener("input", filter);
  addEventListener("updated", filter); // where the page is served live
  addEventListener("hashchange", openTarget);
  openTarget();
}

// ---------------------------------------------------------------- sources and changes

// They lie in the page, or where it says: there may be more of them by now.
async function sources() {
  const place = document.getElementById("sources");
  const packed = place.dataset.at ? await (await fetch(place.dataset.at)).text() : place.textContent;
  const bytes = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).json();
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-after]");
  if (!button) return;
  const place = button.closest("details, .changes");
  const old = place.querySelector(".code");
  const same = old && old.dataset.of === button.textContent;
  if (old) old.remove();
  if (same) return;
  const texts = (await sources()).map((text) => text.replace(/\n$/, ""));
  const after = texts[button.dataset.after].split("\n");
  const rows = button.dataset.before === undefined
    ? after.map((line, i) => ({ kind: "", right: [i + 1, line] }))
    : changes(texts[button.dataset.before].split("\n"), after);
  const table = drawn(rows, button.dataset.before !== undefined);
  table.dataset.of = button.textContent;
  place.append(table);
});

// Lines of both sides beside each other; what is the same in both is left out but for three lines around a change.
function changes(before, after) {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start++;
  let end = 0;
  while (end < before.length - start && end < after.length - start && before.at(-1 - end) === after.at(-1 - end)) end++;
  const middle = aligned(before.slice(start, before.length - end), after.slice(start, after.length - end));
  const rows = before.slice(0, start).map((line, i) => ({ kind: "", left: [i + 1, line], right: [i + 1, line] }));
  for (const [left, right] of middle) {
    rows.push({
      kind: left !== null && right !== null ? "" : "changed",
      left: left === null ? null : [start + left + 1, before[start + left]],
      right: right === null ? null : [start + right + 1, after[start + right]],
    });
  }
  for (let i = end; i > 0; i--) {
    rows.push({
      kind: "",
      left: [before.length - i + 1, before.at(-i)],
      right: [after.length - i + 1, after.at(-i)],
    });
  }
  return shortened(sideBySide(rows));
}

// Pairs of line numbers by their longest common subsequence; null where a side has no such line.
function aligned(a, b) {
  if (a.length * b.length > 2e7) return [...a.map((_, i) => [i, null]), ...b.map((_, j) => [null, j])];
  const width = b.length + 1;
  const longest = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      longest[i * width + j] = a[i] === b[j]
        ? longest[(i + 1) * width + j + 1] + 1
        : Math.max(longest[(i + 1) * width + j], longest[i * width + j + 1]);
    }
  }
  const pairs = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) pairs.push([i++, j++]);
    else if (i < a.length && (j === b.length || longest[(i + 1) * width + j] >= longest[i * width + j + 1])) pairs.push([i++, null]);
    else pairs.push([null, j++]);
  }
  return pairs;
}

// Removed lines beside the added ones that replaced them.
function sideBySide(rows) {
  const joined = [];
  let lefts = [];
  let rights = [];
  const flush = () => {
    for (let k = 0; k < Math.max(lefts.length, rights.length); k++) {
      joined.push({ kind: "changed", left: lefts[k] ?? null, right: rights[k] ?? null });
    }
    lefts = [];
    rights = [];
  };
  for (const row of rows) {
    if (row.kind === "") {
      flush();
      joined.push(row);
    } else if (row.left) lefts.push(row.left);
    else rights.push(row.right);
  }
  flush();
  return joined;
}

function shortened(rows) {
  const near = new Set();
  rows.forEach((row, i) => {
    if (row.kind) for (let k = i - 3; k <= i + 3; k++) near.add(k);
  });
  const kept = [];
  let skipped = 0;
  rows.forEach((row, i) => {
    if (near.has(i)) {
      if (skipped) kept.push({ kind: "skipped", count: skipped });
      skipped = 0;
      kept.push(row);
    } else skipped++;
  });
  if (skipped) kept.push({ kind: "skipped", count: skipped });
  return kept;
}

// Everything from a kernel goes in as text, never as markup.
function drawn(rows, twoSides) {
  const narrow = matchMedia("(max-width: 40rem)").matches;
  const table = document.createElement("table");
  table.className = "code";
  const cell = (tr, text, kind) => {
    const td = tr.insertCell();
    td.textContent = text;
    if (kind) td.className = kind;
    return td;
  };
  const put = (tr, line, kind) => {
    cell(tr, line ? line[0] : "", "line");
    cell(tr, line ? line[1] : "", line ? kind : "");
  };
  for (const row of rows) {
    if (row.kind === "skipped") {
      cell(table.insertRow(), `${row.count} lines are the same`, "skipped").colSpan = 4;
    } else if (!twoSides || (narrow && !row.kind)) {
      put(table.insertRow(), row.right, "");
    } else if (narrow) {
      if (row.left) put(table.insertRow(), row.left, "removed");
      if (row.right) put(table.insertRow(), row.right, "added");
    } else {
      const tr = table.insertRow();
      put(tr, row.left, row.kind && "removed");
      put(tr, row.right, row.kind && "added");
    }
  }
  return table;
}
