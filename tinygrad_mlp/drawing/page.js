"use strict";
{
  const $ = id => document.getElementById(id);
  const data = JSON.parse($("data").textContent);
  const view = $("view"), svg = view.querySelector("svg"), panel = $("panel");
  const boxes = Object.keys(data.boxes).map($), edges = Object.entries(data.edges);

  const make = (parent, tag, text, attributes = {}) => {
    const space = ["svg", "rect", "defs", "marker", "path"].includes(tag) ? "http://www.w3.org/2000/svg" : "http://www.w3.org/1999/xhtml";
    const element = parent.appendChild(document.createElementNS(space, tag));
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    return element;
  };

  // Pan and zoom: the part of the drawing that is in view, in its own units.
  const whole = svg.getAttribute("viewBox").split(/\s+/).map(Number);
  let [x, y, w, h] = whole;
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
  const show = node => {
    const at = node.getBoundingClientRect(), frame = view.getBoundingClientRect();
    if (at.left < frame.left || at.right > frame.right || at.top < frame.top || at.bottom > frame.bottom)
      move((at.left + at.right - frame.left - frame.right) / 2, (at.top + at.bottom - frame.top - frame.bottom) / 2);
  };
  svg.removeAttribute("width");
  svg.removeAttribute("height");
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
    ArrowDown: () => move(0, 60), "+": () => zoom(0.8), "=": () => zoom(0.8), "-": () => zoom(1.25), 0: fit,
  };
  view.addEventListener("keydown", event => {
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  });
  $("fit").addEventListener("click", fit);

  // The way from a box to the outputs.
  const after = {};
  for (const [id, edge] of edges) (after[edge.source] ??= []).push([id, edge.target]);
  const highlight = id => {
    for (const element of svg.querySelectorAll(".on")) element.classList.remove("on");
    svg.classList.toggle("path", id !== null);
    const todo = id === null ? [] : [id], seen = new Set(todo);
    while (todo.length) {
      const box = todo.pop();
      $(box).classList.add("on");
      for (const [edge, target] of after[box] ?? []) {
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
  };
  const open = node => {
    const box = data.boxes[node.id];
    svg.querySelector(".picked")?.classList.remove("picked");
    node.classList.add("picked");
    opener = node;
    panel.replaceChildren();
    make(panel, "button", "×", { class: "close", "aria-label": "Close" }).addEventListener("click", close);
    make(panel, "h2", box.title);
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
  for (const node of boxes) {
    node.setAttribute("tabindex", "0");
    node.setAttribute("role", "button");
    node.setAttribute("aria-label", [data.boxes[node.id].title, ...data.boxes[node.id].lines.flat()].join(" "));
    node.addEventListener("click", () => { if (!drag?.moved) open(node); });
    node.addEventListener("keydown", event => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      open(node);
    });
    node.addEventListener("pointerenter", () => highlight(node.id));
    node.addEventListener("pointerleave", () => highlight(null));
    node.addEventListener("focus", () => { show(node); highlight(node.id); });
    node.addEventListener("blur", () => highlight(null));
  }

  // Search.
  const search = $("search");
  let hits = [], hit = -1;
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    const text = node => [data.boxes[node.id].title, ...data.boxes[node.id].lines.flat()].join(" ").toLowerCase();
    hits = wanted ? boxes.filter(node => text(node).includes(wanted)) : [];
    hit = -1;
    for (const node of boxes) node.classList.toggle("hit", hits.includes(node));
    svg.classList.toggle("searched", wanted !== "");
    $("found").textContent = wanted ? `${hits.length} found` : "";
  });
  search.addEventListener("keydown", event => {
    if (event.key !== "Enter" || !hits.length) return;
    hit = (hit + 1) % hits.length;
    show(hits[hit]);
    open(hits[hit]);
  });

  // The backward pass, op by op.
  const step = $("step"), told = $("told");
  for (const text of svg.querySelectorAll("g.edge text, g.node text"))
    if (/^\s*(grad|gradient:|gradient of all uses:|δ\S+) /.test(text.textContent)) text.classList.add("gradient");
  for (const cell of svg.querySelectorAll("g.node [fill*=shade]")) cell.classList.add("shade");
  // A gradient is all there once the last of its contributions has arrived.
  const arrival = {};
  data.steps.forEach((past, i) => past.edges.forEach(id => {
    const source = data.edges[id].source;
    arrival[source] = Math.max(arrival[source] ?? 0, i + 1);
  }));
  const arrived = id => Number(step.value) === 0 || Number(step.value) >= (arrival[id] ?? 0);
  for (const size of ["now", "past"]) {
    const marker = make(make(svg, "defs"), "marker", undefined, { id: `back-${size}`, viewBox: "0 0 10 8", refX: 10,
      refY: 4, markerWidth: 10, markerHeight: 8, markerUnits: "userSpaceOnUse", orient: "auto-start-reverse" });
    make(marker, "path", undefined, { d: "M0,0 10,4 0,8z" });
  }
  const replay = () => {
    const at = Number(step.value), now = data.steps[at - 1];
    for (const element of svg.querySelectorAll(".now, .past")) element.classList.remove("now", "past");
    svg.classList.toggle("stepping", at > 0);
    for (const node of boxes) node.classList.toggle("waiting", !arrived(node.id));
    if (!panel.hidden && opener) open(opener);
    data.steps.slice(0, at).forEach(past => past.edges.forEach(id => $(id).classList.add("past")));
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
  replay();

  $("theme").addEventListener("click", () => {
    const dark = getComputedStyle(document.documentElement).colorScheme === "dark";
    document.documentElement.dataset.theme = dark ? "light" : "dark";
  });
}
