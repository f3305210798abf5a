"use strict";
(() => {
  const source = document.getElementById("data");
  const data = JSON.parse(source.textContent);
  source.remove();
  if (!data.actions.length) return;

  const HEIGHT = 34; // of a row, as in the style
  const TALLEST = 8e6; // pixels: browsers make no taller element; above it scrolling is scaled
  const [WORD, BUCKET, NAME, SIGN, SIZE, WAS, UNDO, REASON, AFTER, BEFORE, NOTE, ID, CHANGES] =
    Array.from({ length: 13 }, (_, at) => at);
  const actions = data.actions;
  let lower; // made when somebody searches
  const at = (id) => document.getElementById(id);
  const high = Math.max(204, Math.min(476, actions.length * HEIGHT + 2));
  const number = new Intl.NumberFormat("en-US");

  const make = (tag, words = "", about = {}) => {
    const made = document.createElement(tag);
    made.textContent = words; // never as markup: names are foreign
    for (const [name, value] of Object.entries(about)) made.setAttribute(name, value);
    return made;
  };

  const size = (count) => {
    const units = ["bytes", "kB", "MB", "GB", "TB", "PB"];
    let amount = count, unit = 0;
    while (amount >= 999.5 && unit < units.length - 1) { amount /= 1000; unit += 1; }
    if (unit === 0) return count === 1 ? "1 byte" : `${count} bytes`;
    return `${amount < 99.95 ? amount.toFixed(1) : amount.toFixed(0)} ${units[unit]}`;
  };
  const irreversible = (item) => data.undos[item[UNDO]] === "none";

  // -- the list: only the rows that are in sight exist ---------------------------------------------

  const list = at("list"), tall = at("tall"), search = at("search");
  let found = [], chosen = -1, folder = "", needle = "";

  const height = () => Math.min(found.length * HEIGHT, TALLEST);
  const room = () => list.clientHeight;
  const first = () => {
    const most = found.length * HEIGHT - room(), can = height() - room();
    return most <= 0 || can <= 0 ? 0 : (list.scrollTop / can) * most;
  };

  const paint = () => {
    const offset = first();
    const from = Math.max(0, Math.floor(offset / HEIGHT) - 4);
    const to = Math.min(found.length, Math.ceil((offset + room()) / HEIGHT) + 4);
    const rows = document.createDocumentFragment();
    for (let place = from; place < to; place += 1) {
      const row = draw(place);
      row.style.transform = `translateY(${place * HEIGHT - offset + list.scrollTop}px)`;
      rows.append(row);
    }
    tall.replaceChildren(rows);
    if (chosen >= from && chosen < to) list.setAttribute("aria-activedescendant", `row-${chosen}`);
    else list.removeAttribute("aria-activedescendant");
  };

  const draw = (place) => {
    const item = actions[found[place]];
    const row = make("div", "", {
      role: "option", id: `row-${place}`, "aria-posinset": place + 1, "aria-setsize": found.length,
      "aria-selected": place === chosen, class: irreversible(item) ? "row danger" : "row", title: item[NAME],
    });
    row.dataset.place = place;
    const name = make("code");
    const where = needle ? lower[found[place]].indexOf(needle) : -1;
    if (where >= 0 && lower[found[place]].length === item[NAME].length) {
      const end = where + needle.length;
      name.append(item[NAME].slice(0, where), make("mark", item[NAME].slice(where, end)), item[NAME].slice(end));
    } else name.textContent = item[NAME];
    row.append(make("span", item[SIGN], { class: "sign", "data-sign": item[SIGN] }),
      make("span", data.words[item[WORD]][0], { class: "word" }), name,
      make("span", item[SIZE] ? size(item[SIZE]) : "", { class: "size" }));
    return row;
  };

  const wanted = () => new Set([...document.querySelectorAll("#chips input:checked")].map((box) => Number(box.value)));

  const filter = () => {
    needle = search.value.toLowerCase();
    if (needle) lower ??= actions.map((item) => item[NAME].toLowerCase());
    const words = wanted(), bucket = Number(at("bucket").value), last = at("irreversible-only").checked;
    found = [];
    let bytes = 0;
    for (let n = 0; n < actions.length; n += 1) {
      const item = actions[n];
      if ((words.size && !words.has(item[WORD])) || (bucket >= 0 && item[BUCKET] !== bucket) ||
          (last && !irreversible(item)) || !item[NAME].startsWith(folder) || (needle && !lower[n].includes(needle))) continue;
      found.push(n);
      bytes += item[SIZE];
    }
    const order = at("order").value;
    if (order === "size") found.sort((a, b) => actions[b][SIZE] - actions[a][SIZE] || a - b);
    if (order === "name") found.sort((a, b) => (actions[a][NAME] < actions[b][NAME] ? -1 : 1));
    const where = folder ? ` in ${folder}` : "";
    at("found").textContent =
      `${number.format(found.length)} of ${number.format(actions.length)} actions${where}, ${size(bytes)}`;
    tall.style.height = `${height()}px`;
    list.scrollTop = 0;
    chosen = -1;
    at("detail").replaceChildren(make("p", found.length ? "Choose an action to read all of it." : "No action is like this.", { class: "dim" }));
    paint();
  };

  const choose = (place) => {
    if (!found.length) return;
    chosen = Math.max(0, Math.min(place, found.length - 1));
    const top = chosen * HEIGHT, offset = first();
    const most = found.length * HEIGHT - room(), can = height() - room();
    let aim = offset;
    if (top < offset) aim = top;
    else if (top + HEIGHT > offset + room()) aim = top + HEIGHT - room();
    if (aim !== offset && most > 0) list.scrollTop = (aim / most) * can;
    paint();
    tell(actions[found[chosen]]);
  };

  const tell = (item) => {
    const facts = make("dl");
    const fact = (name, value) => { if (value) facts.append(make("dt", name), make("dd", value)); };
    const kept = { "": "", none: "cannot be undone", version: "kept as a version", trash: "kept in the trash" };
    const undo = data.undos[item[UNDO]];
    fact("does", data.words[item[WORD]][0]);
    fact("bucket", data.buckets[item[BUCKET]]);
    fact("because", data.reasons[item[REASON]]);
    fact("", item[NOTE]);
    fact("size", item[WAS] >= 0 ? `${size(item[SIZE])}, was ${size(item[WAS])}` : size(item[SIZE]));
    fact("expects", item[BEFORE] || "nothing there");
    fact("leaves", item[AFTER] || "nothing");
    fact("old bytes", kept[undo] ?? undo);
    fact("id", item[ID]);
    const parts = [make("h3", item[NAME]), facts];
    if (item[CHANGES]) parts.push(make("h4", "Changes"), make("pre", item[CHANGES].join("\n")));
    const preview = at(`preview-${item[ID]}`);
    if (preview) parts.push(preview.querySelector(".inside").cloneNode(true));
    at("detail").replaceChildren(...parts);
    at("detail").scrollTop = 0;
  };

  // -- bytes by folder -----------------------------------------------------------------------------

  const weighed = new Map(); // a hundred thousand actions are gone through once a folder
  const weigh = (path) => {
    if (!weighed.has(path)) weighed.set(path, parts(path));
    return weighed.get(path);
  };

  const parts = (path) => {
    const found = new Map();
    for (const item of actions) {
      if (!item[NAME].startsWith(path) || !item[SIZE]) continue;
      const end = item[NAME].indexOf("/", path.length);
      const name = end < 0 ? item[NAME] : item[NAME].slice(0, end + 1);
      const part = found.get(name) ?? { name, folder: end >= 0, bytes: 0, count: 0, signs: {} };
      part.bytes += item[SIZE];
      part.count += 1;
      part.signs[item[SIGN]] = (part.signs[item[SIGN]] ?? 0) + item[SIZE];
      found.set(name, part);
    }
    const order = [...found.values()].sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1));
    const rest = order.splice(60);
    if (rest.length) {
      const bytes = rest.reduce((sum, part) => sum + part.bytes, 0);
      const count = rest.reduce((sum, part) => sum + part.count, 0);
      order.push({ name: "", folder: false, bytes, count, signs: {}, rest: rest.length });
    }
    return order;
  };

  const lay = (tiles, box, put) => { // squarified: rows whose worst ratio of sides is the best
    let left = tiles.reduce((sum, part) => sum + part.bytes, 0);
    let [x, y, wide, high] = box, n = 0;
    while (n < tiles.length && left > 0) {
      const short = Math.min(wide, high), scale = (wide * high) / left;
      let taken = 0, worst = Infinity, m = n;
      while (m < tiles.length) {
        const sum = taken + tiles[m].bytes, side = (sum * scale) / short;
        const ratio = (part) => { const other = (part.bytes * scale) / side; return Math.max(side / other, other / side); };
        const next = Math.max(ratio(tiles[n]), ratio(tiles[m]));
        if (next > worst) break;
        worst = next; taken = sum; m += 1;
      }
      const side = (taken * scale) / short;
      let along = 0;
      for (const part of tiles.slice(n, m)) {
        const length = (part.bytes * scale) / side;
        if (wide >= high) put(part, x, y + along, side, length); else put(part, x + along, y, length, side);
        along += length;
      }
      if (wide >= high) { x += side; wide -= side; } else { y += side; high -= side; }
      left -= taken; n = m;
    }
  };

  const map = () => {
    const box = at("treemap"), tiles = document.createDocumentFragment();
    const shown = only(folder);
    lay(weigh(shown), [0, 0, box.clientWidth, box.clientHeight], (part, x, y, wide, high) => {
      const sign = Object.entries(part.signs).sort((a, b) => b[1] - a[1])[0]?.[0] ?? "";
      const short = part.rest ? `${number.format(part.rest)} smaller` : part.name.slice(shown.length);
      const told = `${number.format(part.count)} ${part.count === 1 ? "action" : "actions"}, ${size(part.bytes)}`;
      const tile = make("button", "", { type: "button", "data-sign": sign, title: `${short}: ${told}`, "aria-label": `${short}: ${told}` });
      if (wide > 46 && high > 22) tile.append(make("b", short));
      if (wide > 90 && high > 44) tile.append(told);
      tile.disabled = !part.folder && !part.name;
      tile.addEventListener("click", () => { if (part.folder) enter(part.name); else { search.value = part.name; filter(); } });
      Object.assign(tile.style, { left: `${x}px`, top: `${y}px`, width: `${wide}px`, height: `${high}px` });
      if (wide < 16 || high < 16) tile.style.padding = "0";
      tiles.append(tile);
    });
    box.replaceChildren(tiles);
  };

  const only = (path) => { // the one folder that all is in, further down
    for (let all = weigh(path); all.length === 1 && all[0].folder; all = weigh(path)) path = all[0].name;
    return path;
  };

  const enter = (path) => {
    folder = path;
    const crumbs = [["all folders", ""]];
    for (let end = path.indexOf("/"); end >= 0; end = path.indexOf("/", end + 1)) {
      const before = crumbs[crumbs.length - 1][1];
      crumbs.push([path.slice(before.length, end + 1), path.slice(0, end + 1)]);
    }
    at("crumbs").replaceChildren(...crumbs.map(([words, place]) => {
      const crumb = make("button", words, { type: "button" });
      crumb.addEventListener("click", () => enter(place));
      return crumb;
    }));
    map();
    filter();
  };

  // -- what a person does --------------------------------------------------------------------------

  const counts = new Map();
  for (const item of actions) counts.set(item[WORD], (counts.get(item[WORD]) ?? 0) + 1);
  data.words.forEach(([word], n) => {
    const chip = make("label", "", { class: "chip" });
    chip.append(make("input", "", { type: "checkbox", value: n, "data-word": word }), word,
      make("small", number.format(counts.get(n))));
    at("chips").append(chip);
  });
  const buckets = at("bucket");
  buckets.append(make("option", "all buckets", { value: -1 }));
  data.buckets.forEach((name, n) => buckets.append(make("option", name, { value: n })));
  buckets.hidden = data.buckets.length < 2;

  search.addEventListener("input", filter);
  for (const id of ["bucket", "order", "irreversible-only", "chips"]) at(id).addEventListener("change", filter);
  at("reset").addEventListener("click", () => {
    for (const box of document.querySelectorAll("#actions input:checked")) box.checked = false;
    search.value = ""; buckets.value = -1; at("order").value = "plan";
    enter("");
  });
  list.addEventListener("scroll", paint, { passive: true });
  list.addEventListener("click", (event) => {
    const row = event.target.closest(".row");
    if (row) choose(Number(row.dataset.place));
  });
  list.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.floor(room() / HEIGHT) - 1);
    const moves = { ArrowDown: chosen + 1, ArrowUp: chosen - 1, PageDown: chosen + page, PageUp: chosen - page, Home: 0, End: found.length - 1 };
    if (event.key in moves) choose(moves[event.key]);
    else if (event.key === "Enter" && chosen >= 0) at("detail").focus();
    else return;
    event.preventDefault();
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "Enter") { list.focus(); choose(0); event.preventDefault(); }
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input[type=search], select");
    if (event.key === "/" && !typing) { search.focus(); event.preventDefault(); }
    if (event.key === "Escape") { if (event.target.closest("#detail")) list.focus(); else if (event.target === search) { search.value = ""; filter(); } }
  });
  for (const image of document.querySelectorAll("figure img")) {
    const measure = () => image.nextElementSibling.append(make("span", `${image.naturalWidth} × ${image.naturalHeight}`));
    if (image.complete) measure(); else image.addEventListener("load", measure, { once: true });
  }
  for (const part of document.querySelectorAll(".needs-script")) part.hidden = false;
  at("list").style.height = at("detail").style.height = `${high}px`;
  at("bytes").hidden = weigh(only("")).length < 2;
  addEventListener("resize", () => { map(); paint(); });
  enter("");
  document.documentElement.dataset.ready = "yes";
})();
