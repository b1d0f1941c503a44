"use strict";
{
  const $ = id => document.getElementById(id);
  const { views, levels } = JSON.parse($("data").textContent);
  const view = $("view"), panel = $("panel"), step = $("step"), told = $("told"), level = $("level");
  const drawings = [...document.querySelectorAll("template")];
  const space = { svg: 1, rect: 1, defs: 1, marker: 1, path: 1 };
  let data, svg, boxes, edges, whole, x, y, w, h, arrival;  // of the view that is shown

  const make = (parent, tag, text, attributes = {}) => {
    const element = parent.appendChild(document.createElementNS(
      space[tag] ? "http://www.w3.org/2000/svg" : "http://www.w3.org/1999/xhtml", tag));
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const onEnter = (element, action) => element.addEventListener("keydown", event => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    action();
  });

  // Pan and zoom: the part of the drawing that is in view, in its own units.
  const look = () => svg.setAttribute("viewBox", `${x} ${y} ${w} ${h}`);
  const fit = () => { [x, y, w, h] = whole; look(); };
  const scale = () => Math.max(w / view.clientWidth, h / view.clientHeight);
  const zoom = (factor, px = view.clientWidth / 2, py = view.clientHeight / 2) => {
    const before = scale(), cx = x + w / 2, cy = y + h / 2;
    const dx = px - view.clientWidth / 2, dy = py - view.clientHeight / 2;
    w *= factor; h *= factor;
    x = cx + dx * (before - scale()) - w / 2;
    y = cy + dy * (before - scale()) - h / 2;
    look();
  };
  const move = (dx, dy) => { x += dx * scale(); y += dy * scale(); look(); };
  const show = (node, always = false) => {
    const at = node.getBoundingClientRect(), frame = view.getBoundingClientRect();
    if (always || at.left < frame.left || at.right > frame.right || at.top < frame.top || at.bottom > frame.bottom)
      move((at.left + at.right - frame.left - frame.right) / 2, (at.top + at.bottom - frame.top - frame.bottom) / 2);
  };
  const readable = 0.8;  // units of the drawing (points) per pixel of the screen, at most, for text to be read
  const zoomTo = node => {
    if (scale() > readable) zoom(readable / scale());
    show(node, true);
  };
  view.addEventListener("wheel", event => {
    const frame = view.getBoundingClientRect();
    event.preventDefault();
    zoom(Math.exp(event.deltaY / 400), event.clientX - frame.left, event.clientY - frame.top);
  }, { passive: false });
  let drag = null;
  view.addEventListener("pointerdown", event => { drag = { x: event.clientX, y: event.clientY, moved: false }; });
  window.addEventListener("pointermove", event => {
    if (!drag) return;
    const dx = drag.x - event.clientX, dy = drag.y - event.clientY;
    if (!drag.moved && Math.abs(dx) + Math.abs(dy) < 4) return;
    move(dx, dy);
    drag = { x: event.clientX, y: event.clientY, moved: true };
    view.classList.add("dragged");
  });
  window.addEventListener("pointerup", () => {
    view.classList.remove("dragged");
    setTimeout(() => { drag = null; });
  });
  const keys = {
    ArrowLeft: () => move(-60, 0), ArrowRight: () => move(60, 0), ArrowUp: () => move(0, -60),
    ArrowDown: () => move(0, 60), "+": () => zoom(0.8), "=": () => zoom(0.8), "-": () => zoom(1.25), 0: () => fit(),
  };
  view.addEventListener("keydown", event => {
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  });
  $("fit").addEventListener("click", fit);

  // The way from a box to the outputs.
  const highlight = id => {
    for (const element of svg.querySelectorAll(".on")) element.classList.remove("on");
    svg.classList.toggle("path", id !== null);
    const todo = id === null ? [] : [id], seen = new Set(todo);
    while (todo.length) {
      const box = todo.pop();
      $(box).classList.add("on");
      for (const [edge, { source, target }] of edges) {
        if (source !== box) continue;
        $(edge).classList.add("on");
        if (!seen.has(target)) { seen.add(target); todo.push(target); }
      }
    }
  };

  // The side panel.
  const table = (parent, lines) => {
    const list = make(parent, "dl");
    for (const [name, text] of lines) { make(list, "dt", name); make(list, "dd", text); }
  };
  const statistics = (title, part) => {
    if (!part.lines && !part.state) return;
    make(panel, "h3", title + (part.state ? `: ${part.state}` : ""));
    if (!part.lines) return;
    table(panel, part.lines);
    if (!part.histogram.length) return;
    const top = Math.max(...part.histogram), count = part.histogram.length;
    const chart = make(panel, "svg", undefined, { class: "histogram", viewBox: `0 0 ${count} 1`,
      preserveAspectRatio: "none", role: "img", "aria-label": `histogram of the ${title}` });
    part.histogram.forEach((n, i) => {
      make(chart, "rect", undefined, { x: i + 0.06, width: 0.88, y: 1 - n / top, height: n / top });
    });
    const range = make(panel, "div", undefined, { class: "range" });
    make(range, "span", part.low);
    make(range, "span", part.high);
  };
  let opener = null;
  const close = () => {
    panel.hidden = true;
    svg.querySelector(".picked")?.classList.remove("picked");
    opener?.focus();
    opener = null;
  };
  const arrived = id => Number(step.value) === 0 || Number(step.value) >= (arrival[id] ?? 0);
  const open = node => {
    const box = data.boxes[node.id];
    svg.querySelector(".picked")?.classList.remove("picked");
    node.classList.add("picked");
    opener = node;
    panel.replaceChildren();
    make(panel, "button", "×", { class: "close", "aria-label": "Close" }).addEventListener("click", close);
    make(panel, "h2", box.title);
    if (node.id in data.opens)
      make(panel, "button", "Open it in the drawing", { id: "unfold" }).addEventListener("click", () => unfold(node.id));
    table(panel, box.lines);
    if (box.rules.length) make(panel, "h3", "backward rule");
    for (const rule of box.rules) {
      make(panel, "pre", rule.line);
      make(panel, "div", `${rule.op}: ${rule.where}`, { class: "range" });
    }
    statistics("value", box.value);
    if (arrived(node.id)) statistics("gradient", box.gradient);
    else make(panel, "h3", "gradient: not here yet");
    const uses = edges.filter(([, edge]) => edge.source === node.id || edge.target === node.id);
    if (uses.length) make(panel, "h3", "edges");
    const flown = id => Number(step.value) === 0 || $(id).classList.contains("past");
    for (const [id, edge] of uses) make(panel, "div", edge.about + (flown(id) ? edge.gradient : ""));
    panel.hidden = false;
  };
  document.addEventListener("keydown", event => { if (event.key === "Escape" && !panel.hidden) close(); });

  // The views: modules open and fold by going from one to another.
  const textOf = box => [box.title, ...box.lines.flat()].join(" ");
  const mount = to => {
    if (!panel.hidden) close();
    data = views[to];
    view.replaceChildren(drawings[to].content.cloneNode(true));
    svg = view.querySelector("svg");
    svg.removeAttribute("width");
    svg.removeAttribute("height");
    whole = svg.getAttribute("viewBox").split(/\s+/).map(Number);
    edges = Object.entries(data.edges);
    boxes = Object.keys(data.boxes).map($);
    for (const node of boxes) {
      node.setAttribute("tabindex", "0");
      node.setAttribute("role", "button");
      node.setAttribute("aria-label", textOf(data.boxes[node.id]));
      node.addEventListener("click", () => { if (!drag?.moved) open(node); });
      if (node.id in data.opens) {
        node.classList.add("opens");
        node.addEventListener("dblclick", () => unfold(node.id));
      }
      onEnter(node, () => open(node));
      node.addEventListener("pointerenter", () => highlight(node.id));
      node.addEventListener("pointerleave", () => highlight(null));
      node.addEventListener("focus", () => { show(node); highlight(node.id); });
      node.addEventListener("blur", () => highlight(null));
    }
    for (const [id, target] of Object.entries(data.folds)) {
      const title = $(id).querySelector("text");
      title.classList.add("folds");
      title.setAttribute("tabindex", "0");
      title.setAttribute("role", "button");
      title.setAttribute("aria-label", `Fold ${title.textContent}`);
      title.textContent = `− ${title.textContent}`;
      title.addEventListener("click", () => { if (!drag?.moved) mount(target); });
      onEnter(title, () => mount(target));
    }
    for (const text of svg.querySelectorAll("g.edge text, g.node text"))
      if (/^\s*(grad|gradient:|gradient of all uses:|δ\S+) /.test(text.textContent)) text.classList.add("gradient");
    for (const cell of svg.querySelectorAll("g.node [fill*=shade]")) cell.classList.add("shade");
    for (const when of ["now", "past"]) {
      const marker = make(make(svg, "defs"), "marker", undefined, { id: `back-${when}`, viewBox: "0 0 10 8", refX: 10,
        refY: 4, markerWidth: 10, markerHeight: 8, markerUnits: "userSpaceOnUse", orient: "auto-start-reverse" });
      make(marker, "path", undefined, { d: "M0,0 10,4 0,8z" });
    }
    // A gradient is all there once the last of its contributions has arrived.
    arrival = {};
    data.steps.forEach((past, i) => past.edges.forEach(id => { arrival[data.edges[id].source] = i + 1; }));
    $("footer").hidden = !data.steps.length;
    step.max = data.steps.length;
    step.value = 0;
    if (levels.includes(to)) level.value = levels.indexOf(to);
    fit();
    replay();
    find();
  };
  const unfold = id => mount(data.opens[id]);
  const fits = to => {
    const [, , width, height] = drawings[to].content.querySelector("svg").getAttribute("viewBox").split(/\s+/).map(Number);
    return Math.max(width / view.clientWidth, height / view.clientHeight) <= 2 * readable;
  };
  level.max = levels.length - 1;
  level.parentElement.hidden = levels.length < 2;
  level.addEventListener("input", () => mount(levels[level.value]));

  // Search, in the view that is shown, and if nothing is found there, in the others.
  const search = $("search");
  let hits = [], hit = -1;
  const wanted = () => search.value.trim().toLowerCase();
  const matches = box => textOf(box).toLowerCase().includes(wanted());
  const find = () => {
    hits = wanted() ? boxes.filter(node => matches(data.boxes[node.id])) : [];
    hit = -1;
    for (const node of boxes) node.classList.toggle("hit", hits.includes(node));
    svg.classList.toggle("searched", wanted() !== "");
    $("found").textContent = wanted() ? `${hits.length} found` : "";
  };
  search.addEventListener("input", () => {
    find();
    if (hits.length || !wanted()) return;
    const other = views.findIndex(other => Object.values(other.boxes).some(matches));
    if (other >= 0) mount(other);
  });
  search.addEventListener("keydown", event => {
    if (event.key !== "Enter" || !hits.length) return;
    hit = (hit + 1) % hits.length;
    zoomTo(hits[hit]);
    open(hits[hit]);
  });

  // The backward pass, op by op.
  const replay = () => {
    const at = Number(step.value), now = data.steps[at - 1];
    for (const element of svg.querySelectorAll(".now, .past")) element.classList.remove("now", "past");
    svg.classList.toggle("stepping", at > 0);
    for (const node of boxes) node.classList.toggle("waiting", !arrived(node.id));
    data.steps.slice(0, at).forEach(past => past.edges.forEach(id => $(id).classList.add("past")));
    if (!panel.hidden) open(opener);
    if (!now) {
      told.textContent = `The backward pass runs ${data.steps.length} ops, from the loss to the parameters. ` +
        "Move the slider to see the gradient arrive, edge by edge.";
      return;
    }
    $(now.box).classList.add("now");
    now.edges.forEach(id => $(id).classList.add("now"));
    told.textContent = `${at} of ${data.steps.length}: backward of ${now.op} sends\n` + now.told.map(part =>
      `to ${part.to}: ${part.equation ? part.equation + ", " : ""}${part.gradient}`).join("\n");
    show($(now.box));
  };
  const by = count => () => { step.value = Number(step.value) + count; replay(); };
  step.addEventListener("input", replay);
  $("back").addEventListener("click", by(-1));
  $("next").addEventListener("click", by(1));

  $("theme").addEventListener("click", () => {
    const dark = getComputedStyle(document.documentElement).colorScheme === "dark";
    document.documentElement.dataset.theme = dark ? "light" : "dark";
  });
  mount(levels.findLast(fits) ?? levels[0] ?? 0);
}
