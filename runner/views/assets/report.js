// The actions of a plan: found, and drawn when they are looked at. All text goes in as text.
"use strict";
(() => {
  const held = document.getElementById("data");
  if (!held) return;
  const data = JSON.parse(held.textContent);
  const { kinds, symbols, mappings, strings, actions } = data;
  const M = 0, KIND = 1, SIDE = 2, LEFT = 3, RIGHT = 4, LABEL = 5, REASON = 6, HINT = 7, FIELDS = 8;
  const PENDING = 1, DRIFT = 2, PAGE = 100;
  const findings = new Set(["drift", "conflict", "error"].map((k) => kinds.indexOf(k)));

  const make = (tag, words, cls) => {
    const node = document.createElement(tag);
    if (cls) node.className = cls;
    if (words !== undefined && words !== null) node.textContent = words;
    return node;
  };
  const cell = (value, cls) => {
    const node = make("td", value === null ? "blank" : value, cls);
    if (value === null) node.classList.add("blank");
    return node;
  };
  const table = (caption, heads, rows) => {
    const drawn = make("table"), head = make("tr"), body = make("tbody"), top = make("thead");
    drawn.append(make("caption", caption, "unseen"));
    for (const words of heads) {
      const th = make("th", words);
      th.scope = "col";
      head.append(th);
    }
    top.append(head);
    for (const cells of rows) {
      const row = make("tr");
      cells.forEach((one, n) => { if (n) one.dataset.of = heads[n]; });
      row.append(...cells);
      body.append(row);
    }
    drawn.append(top, body);
    return drawn;
  };
  const rowHead = (words) => {
    const th = make("th", words);
    th.scope = "row";
    return th;
  };
  const keysOf = (a) => {
    const { left, right } = mappings[a[M]];
    const told = [];
    if (a[LEFT] !== null) told.push(`${left} ${a[LEFT]}`);
    if (a[RIGHT] !== null) told.push(`${right} ${a[RIGHT]}`);
    return told.join(" ↔ ");
  };
  const kindOf = (a) => {
    const of = mappings[a[M]], where = ["", of.left, of.right][a[SIDE]];
    return `${symbols[a[KIND]]} ${kinds[a[KIND]]}${where ? ` in ${where}` : ""}`;
  };
  const hintOf = (words) => {
    const p = make("p", "hint: ", "hint");
    words.split("`").forEach((part, n) => p.append(n % 2 ? make("code", part) : part));
    return p;
  };
  // Only where there is somebody to answer (sync-run ui): choose a side, ask why.
  const formsOf = (a, left, right) => {
    const key = a[LEFT] !== null ? a[LEFT] : a[RIGHT], forms = [];
    const filled = (id, buttons) => {
      const held = document.getElementById(id);
      if (!held) return;
      const form = held.content.firstElementChild.cloneNode(true);
      for (const [name, value] of [["mapping", mappings[a[M]].name], ["key", key]]) {
        const input = make("input");
        Object.assign(input, { type: "hidden", name, value });
        form.append(input);
      }
      for (const [words, value] of buttons) {
        const button = make("button", words);
        if (value) Object.assign(button, { name: "system", value });
        form.append(button);
      }
      forms.push(form);
    };
    if (kinds[a[KIND]] === "conflict") {
      filled("choose", [[`Take ${left}`, left], [`Take ${right}`, right]]);
    }
    filled("ask", [["Why?", ""]]);
    return forms;
  };
  const bodyOf = (a) => {
    const body = make("div", null, "body"), { left, right } = mappings[a[M]], kind = kinds[a[KIND]];
    if (a[REASON] >= 0) body.append(make("p", strings[a[REASON]]));
    if (a[HINT] >= 0) body.append(hintOf(strings[a[HINT]]));
    if (!a[FIELDS].length) {
      if (kind === "error") body.append(...formsOf(a, left, right));
      return body;
    }
    if (a[SIDE]) {
      const creates = kind === "create";
      const rows = a[FIELDS].map(([name, old, now, flags, meant]) => {
        const fresh = flags & PENDING ? make("td", "known after apply", "blank") : cell(now, "new");
        if (meant !== null) fresh.append(make("span", ` (${meant})`, "quiet"));
        const cells = [rowHead(strings[name])];
        if (!creates) cells.push(cell(old, "old"));
        if (flags & DRIFT) fresh.append(make("span", " (edited there, overwritten)", "drift"));
        return [...cells, fresh];
      });
      body.append(table("Fields", creates ? ["field", "value"] : ["field", "old", "new"], rows));
    } else if (kind === "conflict" || kind === "drift") {
      const rows = a[FIELDS].map(([l, r, lv, rv, base]) => [
        rowHead(`${strings[l] || "="} / ${strings[r] || "="}`), cell(base), cell(lv), cell(rv),
      ]);
      body.append(table("Fields", ["field", "base", left, right], rows));
    }
    if (kind === "conflict" || kind === "error") body.append(...formsOf(a, left, right));
    return body;
  };
  const rowOf = (a, open) => {
    const row = make("details", null, "action"), head = make("summary");
    head.append(make("span", kindOf(a), `kind ${kinds[a[KIND]]}`), make("span", keysOf(a), "key"));
    if (a[LABEL] !== null) head.append(make("span", a[LABEL], "label"));
    head.append(make("span", mappings[a[M]].name, "quiet"));
    row.append(head);
    const fill = () => { if (row.childElementCount === 1) row.append(bodyOf(a)); };
    row.addEventListener("toggle", () => { if (row.open) fill(); });
    if (open) { fill(); row.open = true; }
    return row;
  };

  // A list that grows a page at a time.
  const lister = (section, open) => {
    const list = section.querySelector(".list"), more = section.querySelector(".more");
    const status = section.querySelector("[role=status]");
    let found = [], shown = 0;
    const grow = (focus) => {
      const page = found.slice(shown, shown + PAGE).map((n) => rowOf(actions[n], open));
      list.append(...page);
      shown += page.length;
      more.hidden = shown >= found.length;
      if (focus && page.length) page[0].firstChild.focus();
    };
    more.addEventListener("click", () => grow(true));
    return (indices, words) => {
      found = indices;
      shown = 0;
      list.replaceChildren();
      grow(false);
      if (status) status.textContent = words;
    };
  };

  const all = [...actions.keys()];
  const amiss = document.getElementById("amiss");
  if (amiss) lister(amiss, true)(all.filter((n) => findings.has(actions[n][KIND])), "");

  const section = document.getElementById("actions"), ask = section.querySelector("form");
  const show = lister(section, false);
  let texts = null;
  const textOf = (a) => {
    const words = [a[LEFT], a[RIGHT], a[LABEL], a[REASON] >= 0 ? strings[a[REASON]] : ""];
    for (const f of a[FIELDS]) {
      for (const part of f) if (typeof part === "string") words.push(part);
      words.push(strings[f[0]]);
    }
    return words.join("\n").toLowerCase();
  };
  const search = () => {
    const words = ask.elements.words.value.trim().toLowerCase();
    const mapping = ask.elements.mapping.value, kind = ask.elements.kind.value;
    if (words && !texts) texts = actions.map(textOf);
    const found = all.filter((n) =>
      (mapping === "" || actions[n][M] === Number(mapping)) &&
      (kind === "" || actions[n][KIND] === Number(kind)) &&
      (!words || texts[n].includes(words)));
    show(found, `${found.length.toLocaleString("en")} of ${all.length.toLocaleString("en")} actions`);
  };
  let waiting = 0;
  const soon = () => { clearTimeout(waiting); waiting = setTimeout(search, 120); };
  ask.addEventListener("input", soon);
  ask.addEventListener("change", soon);
  ask.addEventListener("submit", (event) => { event.preventDefault(); search(); });
  ask.addEventListener("reset", () => setTimeout(search));
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-mapping]");
    if (!link) return;
    ask.reset();
    ask.elements.mapping.value = link.dataset.mapping;
    ask.elements.kind.value = link.dataset.kind || "";
    search();
    ask.elements.words.focus({ preventScroll: true });
  });
  search();
})();
