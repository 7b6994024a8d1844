"use strict";
// Everything from outside becomes text (textContent), never markup.
const KEY = "a2a-console-key";
const fragment = new URLSearchParams(location.hash.slice(1));
if (fragment.has("key")) {
  sessionStorage.setItem(KEY, fragment.get("key"));
  history.replaceState(null, "", "#tasks");
}
const SVG = "http://www.w3.org/2000/svg";
const byId = (id) => document.getElementById(id);
let writes = false;
const filter = { text: "", state: "" };

async function api(path, body) {
  const answer = await fetch("/api/" + path, {
    method: body ? "POST" : "GET",
    headers: { "X-Console-Key": sessionStorage.getItem(KEY) || "" },
    body: body ? JSON.stringify(body) : undefined,
  });
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error);
  writes = found.write;
  byId("mode").textContent = writes ? "shows and acts" : "read-only";
  return found.data;
}

function node(space, name, attributes, children) {
  const made = space ? document.createElementNS(space, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value !== undefined && value !== null) made.setAttribute(key, value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}
const el = (name, attributes, ...children) => node("", name, attributes, children);
const svg = (name, attributes, ...children) => node(SVG, name, attributes, children);

const KINDS = { completed: "good", healthy: "good", working: "busy", submitted: "busy", failed: "bad", rejected: "bad", failing: "bad", unreadable: "bad" };
const kind = (state) => KINDS[state] || "wait";
const stateOf = (state) => el("span", { class: "state " + kind(state) }, state);
const moment = (stamp) => (stamp ? el("time", { datetime: stamp, title: stamp }, stamp.replace("T", " ").slice(0, 19)) : "");
const taskLink = (id) => (id ? el("a", { href: "#task=" + encodeURIComponent(id) }, el("code", {}, id)) : "unreadable");

function table(caption, heads, rows, nothing) {
  if (!rows.length) return el("p", { class: "mute" }, nothing);
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    el("table", {}, el("caption", { class: "hidden" }, caption),
      el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
      el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell) => el("td", {}, cell)))))));
}

async function act(name, given) {
  try {
    const done = await api("do/" + name, given);
    const outcome = done.outcomes.map((each) => each.outcome).join(", ") || done.notes.join(" ");
    byId("said").replaceChildren(outcome + " ", el("code", {}, done.command));
  } catch (error) {
    say(error.message);
  }
  await show(false, true);
}
function say(text) { byId("said").replaceChildren(text); }
function button(label, what, name, given) {
  return writes ? el("button", { type: "button", "aria-label": label + " " + what, click: () => act(name, given) }, label) : null;
}

function hookButtons(hook) {
  const given = { task: hook.task, webhook: hook.webhook };
  const what = `webhook ${hook.webhook} of task ${hook.task}`;
  return [
    hook.state === "paused" ? button("Resume", what, "resume", given) : button("Pause for 2 hours", what, "pause", { ...given, until: "2h" }),
    ["retrying", "failing"].includes(hook.state) ? button("Retry now", what, "retry-now", given) : null,
    button("Delete", what, "delete", given),
  ];
}
function hookTable(hooks, withTask) {
  const heads = ["Webhook", ...(withTask ? ["Task"] : []), "Host", "State", "Why", "Failed", "Since", "Next attempt", ...(writes ? ["Actions"] : [])];
  return table("Webhooks", heads, hooks.map((hook) => [
    el("code", {}, hook.webhook), ...(withTask ? [taskLink(hook.task)] : []), hook.host, stateOf(hook.state),
    [hook.lastError, hook.waitingFor && "waits: " + hook.waitingFor].filter(Boolean).join("; "),
    String(hook.attempts || 0), moment(hook.failingSince), moment(hook.pausedUntil || hook.nextAttempt),
    ...(writes ? [hookButtons(hook)] : []),
  ]), withTask ? "No webhook is in trouble." : "The task has no webhook.");
}
const textOf = (message) => ((message && message.parts) || []).map((part) => part.text ?? (part.url ? "file " + part.url : JSON.stringify(part.data ?? "…"))).join(" ");

// ---------------------------------------------------------------------------------------------------------- pictures

function timeline(task, attempts) {
  const all = [...task.timeline.map((each) => each.at), ...attempts.map((each) => each.at), task.changed].map(Date.parse).filter(Number.isFinite);
  const first = Math.min(...all), span = Math.max(1, Math.max(...all) - first), left = 90, width = 880;
  const x = (stamp) => left + ((Date.parse(stamp) - first) / span) * (width - left - 30);
  const parts = [];
  task.timeline.forEach((each, place) => {
    const next = task.timeline[place + 1], begin = x(each.at), end = next ? x(next.at) : x(task.changed);
    parts.push(svg("rect", { x: begin, y: 24, width: Math.max(4, end - begin), height: 18, class: "fill-" + kind(each.state) }, svg("title", {}, `${each.state} since ${each.at}`)));
    parts.push(svg("text", { x: Math.min(begin, width - 80), y: 16 + (place % 2 ? 44 : 0) }, each.state));
  });
  const hooks = [...new Set(attempts.map((each) => each.webhook))];
  hooks.forEach((hook, row) => {
    const y = 86 + row * 26;
    parts.push(svg("text", { x: 6, y: y + 4, class: "faint" }, hook.slice(0, 12)), svg("line", { x1: left, x2: width - 30, y1: y, y2: y, class: "axis" }));
    for (const each of attempts.filter((one) => one.webhook === hook)) {
      const good = /^2/.test(each.outcome);
      parts.push(svg(good ? "circle" : "rect", good ? { cx: x(each.at), cy: y, r: 5, class: "fill-good" } : { x: x(each.at) - 5, y: y - 5, width: 10, height: 10, class: "fill-bad" },
        svg("title", {}, `event ${each.event}: ${each.outcome} in ${each.milliseconds} ms at ${each.at}`)));
    }
  });
  const height = 100 + hooks.length * 26;
  parts.push(svg("text", { x: 6, y: 38, class: "faint" }, "status"), svg("text", { x: left, y: height - 6, class: "faint" }, "0 s"),
    svg("text", { x: width - 30, y: height - 6, "text-anchor": "end", class: "faint" }, (span / 1000).toFixed(1) + " s"));
  const words = `From ${task.timeline.map((each) => each.state).join(" to ")} in ${(span / 1000).toFixed(1)} seconds; ${attempts.length} attempts at webhooks, ${attempts.filter((each) => !/^2/.test(each.outcome)).length} failed.`;
  return el("figure", {}, svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": words }, parts), el("figcaption", { class: "mute" }, words + " Circles were delivered, squares failed."));
}

function chart(minutes) {
  const width = 880, height = 220, base = 180, left = 40, step = (width - left - 50) / minutes.length;
  const most = Math.max(1, ...minutes.map((each) => each.delivered + each.failed)), slowest = Math.max(0.1, ...minutes.map((each) => each.p99 || 0));
  const parts = [svg("line", { x1: left, x2: width - 50, y1: base, y2: base, class: "axis" }),
    svg("text", { x: 4, y: 24 }, String(most)), svg("text", { x: width - 46, y: 24 }, slowest.toFixed(1) + " s")];
  const points = [];
  minutes.forEach((each, place) => {
    const x = left + place * step, good = (each.delivered / most) * 150, bad = (each.failed / most) * 150;
    const title = () => svg("title", {}, `${each.minute}: ${each.delivered} delivered, ${each.failed} failed`);
    parts.push(svg("rect", { x, y: base - good, width: Math.max(2, step - 3), height: good, class: "fill-busy" }, title()),
      svg("rect", { x, y: base - good - bad, width: Math.max(2, step - 3), height: bad, class: "fill-bad" }, title()));
    if (each.p99 !== null) points.push([x + step / 2, base - (each.p99 / slowest) * 150]);
    if (place % 5 === 0) parts.push(svg("text", { x, y: base + 18, class: "faint" }, each.minute.slice(11, 16)));
  });
  parts.push(svg("polyline", { points: points.map((point) => point.join(",")).join(" "), class: "curve" }));
  for (const [x, y] of points) parts.push(svg("circle", { cx: x, cy: y, r: 3, class: "fill-wait" }));
  const delivered = minutes.reduce((sum, each) => sum + each.delivered, 0), failed = minutes.reduce((sum, each) => sum + each.failed, 0);
  const words = `${delivered} pushes delivered and ${failed} attempts failed in ${minutes.length} minutes.`;
  return el("figure", {}, svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": words }, parts),
    el("figcaption", { class: "mute" }, words + " Bars: per minute, failed ones on top. Line: 99th percentile from the write to the acknowledgement."));
}

// ------------------------------------------------------------------------------------------------------------- views

const views = {
  async tasks() {
    const query = new URLSearchParams(filter);
    const found = await api("tasks?" + query);
    const states = ["", "submitted", "working", "input_required", "auth_required", "completed", "failed", "canceled", "rejected"];
    return ["Tasks",
      writes ? el("form", { submit: sendTask, id: "send" }, el("label", {}, "Text of a test task", el("input", { name: "text", required: "" })), el("button", {}, "Send")) : null,
      el("form", { submit: (event) => event.preventDefault(), id: "filter" },
        el("label", {}, "Id or owner contains", el("input", { name: "text", value: filter.text, input: (event) => { filter.text = event.target.value; refreshSoon(); } })),
        el("label", {}, "State", el("select", { name: "state", change: (event) => { filter.state = event.target.value; refreshSoon(); } },
          states.map((state) => el("option", { value: state, selected: state === filter.state ? "" : null }, state || "any"))))),
      el("div", { id: "list" }, table("Tasks, the latest first", ["Task", "State", "Changed", "Owner"], found.rows.map((row) => [taskLink(row.task), stateOf(row.state), moment(row.changed), row.owner]), "No task."),
        el("p", { class: "mute" }, found.note))];
  },
  async task(id) {
    const found = await api("task?id=" + encodeURIComponent(id));
    if (found.state === "unreadable") return ["Task " + id, el("p", {}, stateOf("unreadable"), " ", found.why), hookTable(found.webhooks)];
    const log = await api(`attempts?id=${encodeURIComponent(id)}&since=${encodeURIComponent(found.created)}`);
    const content = found.content, ended = ["completed", "failed", "canceled", "rejected"].includes(found.state);
    return ["Task " + id,
      el("p", {}, stateOf(found.state), " ", textOf(content.status.message)),
      el("p", { class: "mute" }, `step ${found.step || "–"}, run ${found.run}, generation ${found.generation}, execution ${found.execution}, owner ${found.owner}`),
      el("p", {}, ended ? null : button("End as failed", "task " + id, "end", { task: id }), button("Send its state to all webhooks", "of task " + id, "replay", { task: id })),
      el("h2", {}, "Timeline"), timeline(found, log.rows),
      el("h2", {}, "Messages"), table("Messages", ["Who", "Text"], [...(content.history || []), content.status.message].filter(Boolean).map((message) => [message.role.replace("ROLE_", "").toLowerCase(), textOf(message)]), "None."),
      el("h2", {}, "Artifacts"), table("Artifacts", ["Name", "Content"], (content.artifacts || []).map((artifact) => [artifact.name || artifact.artifactId, textOf(artifact)]), "None yet."),
      el("h2", {}, "Webhooks"), hookTable(found.webhooks),
      el("h2", {}, "Attempts"), table("Attempts", ["At", "Event", "Webhook", "By", "Host", "Outcome", "Milliseconds"], log.rows.map((each) => [moment(each.at), each.event, each.webhook, each.by, each.host, el("span", { class: /^2/.test(each.outcome) ? "good" : "bad" }, each.outcome), String(each.milliseconds)]), "None in the logs yet."),
      el("p", { class: "mute" }, log.note)];
  },
  async webhooks() {
    const found = await api("webhooks");
    return ["Webhooks in trouble",
      table("By host", ["Host", "Webhooks", "Failing", "Retrying", "Paused", "Unreadable", "Since", "Mostly", ...(writes ? ["Actions"] : [])], found.hosts.map((each) => [
        each.host, String(each.webhooks), String(each.failing), String(each.retrying), String(each.paused), String(each.unreadable), moment(each.since), each.mostly,
        ...(writes ? [[button("Pause for 2 hours", "all at " + each.host, "pause", { host: each.host, until: "2h" }), button("Resume", "all at " + each.host, "resume", { host: each.host })]] : [])]), "No webhook is in trouble."),
      found.rows.length ? el("h2", {}, "One by one") : null, found.rows.length ? hookTable(found.rows, true) : null, el("p", { class: "mute" }, found.note)];
  },
  async dead() {
    const found = await api("dead");
    return ["Dead letters",
      el("p", { class: "mute" }, `${found.count} in all. SQS shows ten of a webhook at a time.`),
      table("Dead letters", ["Task", "Event", "Webhook", "Host", "Reason", ...(writes ? ["Actions"] : [])], found.rows.map((each) => [
        taskLink(each.task), each.event, each.webhook, each.host, each.reason,
        ...(writes ? [[each.task ? button("Redrive", `webhook ${each.webhook} of task ${each.task}`, "redrive", { task: each.task, webhook: each.webhook }) : ""]] : [])]), "No dead letter.")];
  },
  async pushes() {
    const found = await api("pushes");
    return ["Pushes", chart(found.minutes),
      table("Pushes per minute", ["Minute", "Delivered", "Failed", "Median", "99th percentile"], found.minutes.filter((each) => each.delivered || each.failed).map((each) => [each.minute, String(each.delivered), String(each.failed), seconds(each.p50), seconds(each.p99)]), "None in this half hour."),
      el("p", { class: "mute" }, "From the " + found.source + ".")];
  },
  async card() {
    const found = await api("card");
    return ["Card of " + found.name, el("p", {}, found.description), el("pre", { tabindex: "0", "aria-label": "Agent card" }, JSON.stringify(found, null, 2))];
  },
};
const seconds = (value) => (value === null ? "" : value.toFixed(2) + " s");

async function sendTask(event) {
  event.preventDefault();
  try {
    const sent = await api("do/send", { text: event.target.elements.text.value });
    location.hash = "task=" + encodeURIComponent(sent.task);
  } catch (error) {
    say(error.message);
  }
}

let timer, turn = 0;
function refreshSoon() { clearTimeout(timer); timer = setTimeout(() => show(false, false), 300); }

async function show(focus, keepSaid) {
  clearTimeout(timer);
  const mine = ++turn;
  const [name, argument] = (location.hash.slice(1) || "tasks").split("=");
  const view = Object.hasOwn(views, name) ? name : "tasks", main = byId("main");
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === "#" + view) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current");
  }
  if (focus && !keepSaid) say("");
  try {
    const [title, ...rest] = await views[view](argument ? decodeURIComponent(argument) : "");
    if (mine !== turn) return;
    replace(main, title, rest.filter(Boolean), focus, view);
  } catch (error) {
    if (mine !== turn) return;
    say(error.message);
    if (focus) main.replaceChildren(el("h1", {}, "Nothing to show"));
  }
  timer = setTimeout(() => show(false, true), view === "dead" || view === "pushes" || view === "card" ? 30000 : 3000);
}

// Who types or has tabbed into the page keeps the place: only the list is renewed, or the same button focused again.
function replace(main, title, rest, focus, view) {
  const active = document.activeElement, inside = main.contains(active) && active !== main;
  document.title = title + " – A2A console";
  if (view === "tasks" && inside && active.form) {
    const fresh = rest.find((each) => each.id === "list"), old = byId("list");
    if (fresh && old) { old.replaceWith(fresh); return; }
  }
  const label = inside ? active.getAttribute("aria-label") || active.getAttribute("href") : "";
  main.replaceChildren(el("h1", {}, title), ...rest);
  if (focus) main.focus();
  else if (label) {
    const again = [...main.querySelectorAll("a, button, [tabindex]")].find((each) => (each.getAttribute("aria-label") || each.getAttribute("href")) === label);
    (again || main).focus();
  }
}

addEventListener("hashchange", () => { if (location.hash === "#main") { byId("main").focus(); return; } show(true, false); });
(async () => {
  try {
    const about = await api("about");
    byId("stack").textContent = about.stack + " · " + about.region;
    await show(true, false);
  } catch (error) {
    say(error.message);
  }
})();
