/** What the live page does in the browser: takes events, and draws. Text is only ever set as text. */

/** The script; it runs as it stands in every browser of the last years. */
export const PAGE_SCRIPT: string = String.raw`
'use strict';
const $ = (id) => document.getElementById(id);
let token = document.documentElement.dataset.token;
const SVG = 'http://www.w3.org/2000/svg';
// More than this many problems, or boxes in the drawing, nobody reads.
const MOST = 30;
const ACROSS = 5;
let samples = [];
let state;
function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return node;
}
function svg(name, attributes = {}, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}
const fill = (id, ...children) => patch($(id), children);
// What did not change stays: the focus, what somebody has selected, and a button under a finger.
function patch(parent, children) {
  const fresh = children.map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
  fresh.forEach((node, n) => {
    const old = parent.childNodes[n];
    if (old === undefined) parent.append(node);
    else if (old.isEqualNode(node)) return;
    else if (old.nodeName !== node.nodeName || old.dataset?.action !== node.dataset?.action) old.replaceWith(node);
    else if (old.nodeType === Node.TEXT_NODE) old.data = node.data;
    else {
      for (const { name } of [...old.attributes]) if (!node.hasAttribute(name)) old.removeAttribute(name);
      // The policy of the page takes no styles as text.
      for (const { name, value } of node.attributes) if (name !== 'style' && old.getAttribute(name) !== value) old.setAttribute(name, value);
      if (old.style && old.style.cssText !== node.style.cssText) old.style.cssText = node.style.cssText;
      patch(old, [...node.childNodes]);
    }
  });
  while (parent.childNodes.length > fresh.length) parent.lastChild.remove();
}
const clock = (at) => new Date(at).toLocaleTimeString();
const ms = (value) => (value === null ? 'unknown' : value < 1000 ? Math.round(value) + ' ms' : (value / 1000).toFixed(1) + ' s');
function moodOf(node) {
  if (node.suspicion === 'down' || node.suspicion === 'objectively-down' || node.state === 'down') return 'bad';
  const open = Object.values(node.breakers).some((phase) => phase !== 'closed');
  return node.suspicion === 'up' && !open ? 'ok' : 'warn';
}
function breakersOf(node) {
  const open = Object.entries(node.breakers).filter(([, phase]) => phase !== 'closed');
  return open.length === 0 ? 'closed' : open.map(([name, phase]) => name + ' ' + phase).join(', ');
}
function table(head, rows, numeric = []) {
  const row = (kind, cells) => el('tr', {}, ...cells.map((cell, n) => el(kind, { ...(kind === 'th' ? { scope: 'col' } : {}), ...(numeric.includes(n) ? { class: 'n' } : {}) }, cell)));
  return el('table', {}, el('thead', {}, row('th', head)), el('tbody', {}, ...rows.map((cells) => row('td', cells))));
}
function problems() {
  const worst = state.problems.some(({ severity }) => severity === 'critical') ? 'bad' : state.problems.length > 0 ? 'warn' : '';
  $('problems').className = worst;
  const more = state.problems.length - MOST;
  const items = state.problems.slice(0, MOST).map(({ severity, text }) => el('li', {}, el('strong', { class: severity === 'critical' ? 'bad' : 'warn' }, severity === 'critical' ? 'Critical: ' : 'Warning: '), text));
  if (more > 0) items.push(el('li', {}, 'And ' + more + ' more.'));
  const text = JSON.stringify(state.problems.map(({ severity, node, text }) => [severity, node, text.replace(/\d+/g, '')]));
  // A screen reader reads what changed: numbers that only count up are no change.
  if (text !== problems.last) $('problem-list').replaceChildren();
  problems.last = text;
  fill('problem-list', items.length === 0 ? el('p', { class: 'ok' }, 'Nothing is wrong.') : el('ul', {}, ...items));
}
function topology() {
  const known = new Map(state.nodes.map((node) => [node.id, node]));
  const depth = (node, seen = []) => {
    const up = known.get(node.sources[0]);
    return up === undefined || seen.includes(up.id) ? 0 : 1 + depth(up, [...seen, node.id]);
  };
  const rows = [];
  const rank = (node) => ({ bad: 0, warn: 1 })[moodOf(node)] ?? (node.role.endsWith('primary') ? 2 : 3);
  const many = state.nodes.length > MOST;
  const drawn = many ? [...state.nodes].sort((a, b) => rank(a) - rank(b)).slice(0, MOST) : state.nodes;
  for (const node of drawn) {
    const at = node.role.endsWith('primary') && node.sources.length === 0 ? 0 : Math.max(depth(node), node.sources.length > 0 ? 1 : 0, 0);
    (rows[at] ??= []).push(node);
  }
  const lines = rows.filter(Boolean).flatMap((row) => Array.from({ length: Math.ceil(row.length / ACROSS) }, (_, n) => row.slice(n * ACROSS, (n + 1) * ACROSS)));
  const [w, h, gapX, gapY] = [250, 112, 24, 62];
  const width = Math.max(...lines.map((line) => line.length * (w + gapX)), 300);
  const height = lines.length * (h + gapY) - gapY + 8;
  const drawing = svg('svg', { viewBox: '0 0 ' + width + ' ' + height, role: 'img', 'aria-labelledby': 'topology-title' });
  drawing.style.cssText = 'max-width:' + width + 'px;margin:auto';
  drawing.append(svg('title', { id: 'topology-title' }, drawn.map((node) => node.id + ': ' + node.role + ', ' + node.suspicion + (node.lagMs === null ? '' : ', ' + ms(node.lagMs) + ' behind')).join('; ')));
  const place = new Map();
  lines.forEach((line, y) => line.forEach((node, x) => {
    const left = (width - line.length * (w + gapX) + gapX) / 2 + x * (w + gapX);
    place.set(node.id, { left, top: y * (h + gapY) + 4 });
  }));
  for (const node of drawn) for (const source of node.sources) {
    const [from, to] = [place.get(source), place.get(node.id)];
    if (!from || !to || from === to) continue;
    const [x1, y1, x2, y2] = [from.left + w / 2, from.top + h, to.left + w / 2, to.top];
    const broken = node.lagMs === null;
    drawing.append(svg('path', { class: 'edge' + (broken ? ' bad' : ''), d: 'M' + x1 + ' ' + y1 + ' C' + x1 + ' ' + (y1 + 30) + ' ' + x2 + ' ' + (y2 - 30) + ' ' + x2 + ' ' + y2 }));
    const isLeft = x2 < x1;
    drawing.append(svg('text', { class: 'soft', x: isLeft ? x2 - 10 : x2 + 10, y: y2 - 12, 'text-anchor': isLeft ? 'end' : 'start' }, broken ? 'lag unknown' : ms(node.lagMs) + ' behind'));
  }
  for (const node of drawn) {
    const at = place.get(node.id);
    drawing.append(svg('rect', { class: 'box ' + moodOf(node), x: at.left, y: at.top, width: w, height: h, rx: 8 }));
    const lines = [node.id, node.role + (node.readOnly ? ', read-only' : ''), node.suspicion, 'breakers: ' + breakersOf(node), node.latencyMs === null ? 'no answer' : 'answers in ' + node.latencyMs + ' ms'];
    lines.forEach((text, n) => drawing.append(svg('text', { x: at.left + 12, y: at.top + 22 + n * 19, class: n === 0 ? '' : 'soft', ...(n === 0 ? { 'font-weight': 600 } : {}) }, text.length > 32 ? text.slice(0, 31) + '…' : text)));
  }
  fill('topology-drawing', drawing, ...(many ? [el('p', { class: 'soft' }, 'And ' + (state.nodes.length - drawn.length) + ' more, in the table. Those with problems are drawn first.')] : []));
  const head = ['Node', 'Role', 'State', 'Behind', 'Breakers', 'In flight', 'Connections', 'Server', ...(token ? ['Action'] : [])];
  const focused = document.activeElement?.dataset?.action;
  fill('topology-table', table(head, state.nodes.map((node) => [
    node.id, node.role, el('span', { class: moodOf(node) }, node.suspicion), node.sources.length === 0 ? '–' : ms(node.lagMs), breakersOf(node),
    node.inFlight, node.connections + (node.waiting > 0 ? ' (' + node.waiting + ' wait)' : ''), node.server, ...(token ? [el('span', { class: 'actions' }, ...actionButtons(node))] : []),
  ]), [5]));
  if (focused) focusAction(focused);
}
const words = { isolate: 'Take out', release: 'Let in', switchover: 'Make primary' };
function actionButtons(node) {
  // Who took it out elsewhere lets it in there.
  const actions = state.outHere.includes(node.id) ? ['release'] : node.suspicion === 'isolated' ? [] : ['isolate'];
  if (state.mode !== null && state.mode !== 'follow' && node.role === 'replica') actions.push('switchover');
  const buttons = actions.map((action) => el('button', { type: 'button', 'data-action': action + ' ' + node.id, 'aria-label': words[action] + ' ' + node.id }, words[action]));
  return actions.includes('release') || actions.includes('isolate') ? buttons : ['taken out elsewhere, not on this page ', ...buttons];
}
document.addEventListener('click', ({ target }) => {
  const asked = target.closest('[data-action]')?.dataset.action;
  if (asked) plan(...asked.split(' '));
});
const send = (path, body) => fetch(path, { method: 'POST', headers: { 'content-type': 'application/json', 'x-stormlamp-token': token }, body: JSON.stringify(body) });
async function post(path, body) {
  let response = await send(path, body);
  // The process was begun anew since this page was loaded, and with it the token.
  if (response.status === 403 && (await freshToken())) response = await send(path, body);
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}
async function freshToken() {
  const page = await fetch('./', { cache: 'no-store' });
  const now = page.ok ? new DOMParser().parseFromString(await page.text(), 'text/html').documentElement.dataset.token : undefined;
  if (now === undefined || now === token) return false;
  token = now;
  return token !== '';
}
let isAsking = false;
async function plan(action, node) {
  // A key that is held down, or a second click, asks for one plan.
  if (isAsking || $('plan').open) return;
  isAsking = true;
  // What was said of another plan is not about this one.
  say('');
  try {
    const { id, steps } = await post('plan', { action, node });
    $('plan-title').textContent = words[action] + ' ' + node;
    fill('plan-steps', ...steps.map((step) => el('li', {}, step)));
    $('plan-confirm').onclick = () => confirmPlan(id, action + ' ' + node);
    $('plan').showModal();
  } catch (error) { say(error.message); }
  isAsking = false;
}
async function confirmPlan(id, asked) {
  const buttons = [$('plan-confirm'), $('plan-cancel')];
  for (const button of buttons) button.disabled = true;
  try { await post('confirm', { plan: id }); } catch (error) { say(error.message); }
  for (const button of buttons) button.disabled = false;
  $('plan').close();
  focusAction(asked);
}
// What was done takes its button away: the node's other one is nearest.
function focusAction(asked) {
  const end = asked.slice(asked.indexOf(' '));
  const buttons = [...document.querySelectorAll('[data-action]')];
  (buttons.find(({ dataset }) => dataset.action === asked) ?? buttons.find(({ dataset }) => dataset.action.endsWith(end)))?.focus();
}
let told = '';
function say(text, className = 'bad') { $('said').textContent = text; $('said').className = className; }
function decisions() {
  const rows = state.decisions.map(({ sql, kind, node, role, because, count, at }) => [el('code', {}, sql), kind, node + ' (' + role + ')', because === '' ? 'a fit ' + role : because, count, clock(at)]);
  fill('decision-table', rows.length === 0 ? el('p', { class: 'soft' }, 'No statement was routed since this page is open.') : table(['Statement, without values', 'Kind', 'Went to', 'Because', 'Times', 'Last'], rows, [4]));
}
function sessions() {
  $('sessions').hidden = state.sessions === null;
  if (state.sessions === null) return;
  fill('session-table', table(['Node', 'Copies', 'Breaker for reads', 'Breaker for writes'], state.sessions.map(({ node, standing, begunAnewAt, reads, writes }) => [node, el('span', { class: standing === 'filled' ? 'ok' : 'warn' }, standing + (begunAnewAt === null ? '' : ', anew since ' + clock(begunAnewAt))), reads, writes])));
}
function timeline() {
  const begun = new Map();
  for (const { opId, at } of [...state.timeline].reverse()) if (!begun.has(opId)) begun.set(opId, at);
  const items = state.timeline.map(({ at, message, opId }) => {
    const after = at - begun.get(opId);
    return el('li', {}, el('time', { datetime: new Date(at).toISOString() }, clock(at)), ' ', message, after > 0 ? el('span', { class: 'soft' }, ' (after ' + ms(after) + ')') : '');
  });
  fill('timeline-list', items.length === 0 ? el('p', { class: 'soft' }, 'Nothing happened yet.') : el('ol', {}, ...items));
}
function chart(id, label, unit, value) {
  const names = Object.keys(samples.at(-1)?.nodes ?? {});
  const [w, h, left, bottom] = [420, 130, 46, 18];
  const all = samples.flatMap((sample) => names.map((name) => value(sample.nodes[name]))).filter((v) => v !== null);
  const top = all.reduce((most, v) => Math.max(most, v), 1) * 1.1;
  const from = samples[0]?.at ?? 0;
  const span = Math.max(1, (samples.at(-1)?.at ?? 1) - from);
  const x = (at) => left + ((at - from) / span) * (w - left - 6);
  const y = (v) => 6 + (1 - v / top) * (h - bottom - 6);
  const now = names.map((name) => { const v = value(samples.at(-1)?.nodes[name]); return name + ' ' + (v === null ? 'unknown' : v + ' ' + unit); }).join(', ');
  const drawing = svg('svg', { viewBox: '0 0 ' + w + ' ' + h, role: 'img', 'aria-label': label + ' now: ' + now });
  drawing.append(svg('line', { class: 'axis', x1: left, x2: w - 6, y1: y(0), y2: y(0) }), svg('line', { class: 'axis', x1: left, x2: w - 6, y1: y(top / 1.1), y2: y(top / 1.1) }));
  drawing.append(svg('text', { class: 'soft', x: left - 6, y: y(0) + 4, 'text-anchor': 'end' }, '0'), svg('text', { class: 'soft', x: left - 6, y: y(top / 1.1) + 4, 'text-anchor': 'end' }, String(Math.round((top / 1.1) * 10) / 10)));
  drawing.append(svg('text', { class: 'soft', x: left, y: h - 3 }, Math.round(span / 1000) + ' s ago'), svg('text', { class: 'soft', x: w - 6, y: h - 3, 'text-anchor': 'end' }, 'now'));
  const dashes = ['', '6 3', '2 3', '9 3 2 3', '1 4', '12 4'];
  const stroke = (n) => 'stroke:var(--c' + (n % 6) + ')';
  names.forEach((name, n) => {
    let d = '';
    let pen = false;
    for (const sample of samples) {
      const v = value(sample.nodes[name]);
      if (v === null) { pen = false; continue; }
      d += (pen ? 'L' : 'M') + x(sample.at).toFixed(1) + ' ' + y(v).toFixed(1);
      pen = true;
    }
    const path = svg('path', { d, fill: 'none', 'stroke-width': 2, 'stroke-dasharray': dashes[n % 6] });
    path.style.cssText = stroke(n);
    drawing.append(path);
  });
  const legend = el('div', { class: 'legend', 'aria-hidden': 'true' }, ...names.map((name, n) => {
    const sign = svg('svg', { viewBox: '0 0 18 10' });
    const line = svg('path', { d: 'M0 5H18', 'stroke-width': 3, 'stroke-dasharray': dashes[n % 6] });
    line.style.cssText = stroke(n);
    sign.append(line);
    return el('span', {}, sign, ' ' + name);
  }));
  fill(id, drawing, legend);
}
function charts() {
  chart('chart-reads', 'Reads per second', '/s', (s) => s?.reads ?? null);
  chart('chart-writes', 'Writes per second', '/s', (s) => s?.writes ?? null);
  chart('chart-latency', 'Probe round trip', 'ms', (s) => s?.latencyMs ?? null);
  chart('chart-lag', 'Lag', 'ms', (s) => s?.lagMs ?? null);
}
function draw() {
  for (const part of document.querySelectorAll('[data-of="databases"]')) part.hidden = !state.hasDatabases;
  problems(); sessions();
  if (state.hasDatabases) drawDatabases();
  document.title = (state.problems.length > 0 ? '(' + state.problems.length + ') ' : '') + $('title').textContent;
  document.body.dataset.drawn = String(Number(document.body.dataset.drawn ?? 0) + 1);
}
function drawDatabases() {
  $('writer').textContent = state.writer === null ? 'no primary' : 'primary ' + state.writer;
  $('writer').className = 'pill ' + (state.writer === null ? 'bad' : 'ok');
  $('epoch').textContent = state.epoch === null ? '' : 'epoch ' + state.epoch + ', mode ' + state.mode;
  if (state.change && state.change.text !== told) { told = state.change.text; say(told, { running: 'warn', done: 'ok', failed: 'bad' }[state.change.state]); }
  topology(); decisions(); timeline(); charts();
}
function live(text, look) { $('live').textContent = text; $('live').className = 'pill ' + look; }
async function again() {
  const status = await fetch('state.json', { cache: 'no-store' }).then((answer) => answer.status, () => 0);
  if (status === 401 || status === 403) return live('not let in any more: load the page again', 'bad');
  live(status === 200 ? 'not served now: begun anew, or too many pages are open; trying again' : 'connection lost, trying again', 'bad');
  setTimeout(follow, 2000);
}
function follow() {
  const events = new EventSource('events');
  events.addEventListener('open', () => live('live', 'ok'));
  events.addEventListener('error', () => {
    // After an answer other than 200, as a proxy gives while the process restarts, a browser does not try again by itself.
    if (events.readyState === EventSource.CLOSED) again();
    else live('connection lost, trying again', 'bad');
  });
  events.addEventListener('state', ({ data }) => {
    state = JSON.parse(data);
    if (state.samples) samples = state.samples;
    else if (state.sample) samples = [...samples.slice(-299), state.sample];
    draw();
  });
}
follow();
$('theme').addEventListener('click', () => {
  const dark = document.documentElement.dataset.theme ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
  document.documentElement.dataset.theme = dark === 'dark' ? 'light' : 'dark';
});
$('plan-cancel').addEventListener('click', () => $('plan').close());
`;
