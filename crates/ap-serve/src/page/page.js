'use strict';
// The page: it draws what the server says and asks it for reasons. Letters, words and rules are all the server's.

const $ = (id) => document.getElementById(id);
const make = (tag, className, text) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
};
const setText = (element, text) => { if (element.textContent !== text) element.textContent = text; };
const set = (element, name, value) => { if (element.getAttribute(name) !== value) element.setAttribute(name, value); };
const countOf = (number, what) => `${number} ${what}${number === 1 ? '' : 's'}`;

/** What is shown: the newest state, and what follows from it. */
class Model {
  constructor(state) {
    this.state = state;
    this.rowOf = new Map(state.adapters.map((adapter, row) => [adapter.name, row]));
    this.columnOf = new Map(state.domains.map((domain, column) => [domain.name, column]));
    this.owner = new Map(state.legend.owners.map((letter) => [letter.letter, letter]));
    this.mark = new Map(state.legend.marks.map((letter) => [letter.letter, letter]));
    this.mdevs();
  }

  mdevs() {
    this.wanting = this.state.mdevs.map((mdev) => ({
      number: mdev.number, uuid: mdev.uuid, adapters: new Set(mdev.adapters), domains: new Set(mdev.domains),
    }));
  }

  change(change) {
    const state = this.state;
    state.moment = change.moment;
    state.trouble = change.trouble;
    for (const adapter of change.adapters) state.adapters[this.rowOf.get(adapter.name)] = adapter;
    if (change.domains) state.domains = change.domains;
    if (change.masks) state.masks = change.masks;
    if (change.mdevs) { state.mdevs = change.mdevs; this.mdevs(); }
    state.events = state.events.concat(change.events).slice(-100);
  }

  number(row, column) {
    const adapter = this.state.adapters[row].id;
    const domain = this.state.domains[column].id;
    const found = this.wanting.find((mdev) => mdev.adapters.has(adapter) && mdev.domains.has(domain));
    return found ? found.number : 0;
  }

  name(row, column) {
    const adapter = row === null ? '' : this.state.adapters[row].name;
    return column === null ? adapter : `${adapter}.${this.state.domains[column].name}`;
  }

  place(name) {
    const [adapter, domain] = name.split('.');
    const row = adapter ? this.rowOf.get(adapter) : null;
    const column = domain ? this.columnOf.get(domain) : null;
    return row === undefined || column === undefined ? null : { row, column };
  }

  has(name) {
    return this.place(name) !== null || this.state.mdevs.some((mdev) => mdev.uuid === name);
  }

  counts() {
    const counts = new Map();
    const marks = new Set();
    for (const adapter of this.state.adapters) {
      for (const letter of adapter.owners) counts.set(letter, (counts.get(letter) || 0) + 1);
      for (const letter of adapter.marks) if (letter !== ' ') marks.add(letter);
    }
    return { counts, marks };
  }
}

/** The cells in sight: as many elements as there is room for, whatever the matrix is. */
class Grid {
  constructor(root, chosen) {
    this.root = root;
    this.chosen = chosen;
    this.model = null;
    this.compared = null;
    this.selected = null;
    this.rows = this.columns = -1;
    this.space = root.appendChild(make('div', 'space'));
    this.window = this.space.appendChild(make('div', 'window'));
    set(this.window, 'role', 'grid');
    set(this.window, 'aria-label', 'queues: adapters are rows, domains are columns');
    root.addEventListener('scroll', () => this.draw());
    this.window.addEventListener('click', (event) => this.click(event));
    this.window.addEventListener('keydown', (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(root);
  }

  show(model) {
    this.model = model;
    this.draw();
  }

  size() {
    const style = getComputedStyle(this.root);
    const px = (name) => parseInt(style.getPropertyValue(name), 10);
    return { w: px('--w'), h: px('--h'), label: px('--label') };
  }

  /** Draws what is in sight; only what differs is touched. */
  draw() {
    if (!this.model) return;
    const { adapters, domains } = this.model.state;
    const { w, h, label } = this.size();
    this.space.style.width = `${label + domains.length * w}px`;
    this.space.style.height = `${(adapters.length + 1) * h}px`;
    const rows = Math.min(adapters.length, Math.max(1, Math.floor(this.root.clientHeight / h) - 1));
    const columns = Math.min(domains.length, Math.max(1, Math.floor((this.root.clientWidth - label) / w)));
    this.first = {
      row: Math.max(0, Math.min(adapters.length - rows, Math.round(this.root.scrollTop / h))),
      column: Math.max(0, Math.min(domains.length - columns, Math.round(this.root.scrollLeft / w))),
    };
    if (rows !== this.rows || columns !== this.columns) this.build(rows, columns);
    // Where not all domains have room, which of them are shown.
    const { column } = this.first;
    setText(this.corner, columns < domains.length ? `${column + 1}–${column + columns} of ${domains.length} ›` : 'adapter');
    set(this.window, 'aria-rowcount', String(adapters.length + 1));
    set(this.window, 'aria-colcount', String(domains.length + 1));
    const place = this.selected === null ? null : this.model.place(this.selected);
    const mdev = this.model.wanting.find((one) => one.uuid === this.selected);
    const inSight = place && this.sees(place);
    for (let c = 0; c < columns; c += 1) this.heading(c, place, inSight);
    for (let r = 0; r < rows; r += 1) {
      set(this.lines[r], 'aria-rowindex', String(this.first.row + r + 2));
      this.label(r, place, inSight);
      for (let c = 0; c < columns; c += 1) this.cell(r, c, place, mdev, inSight);
    }
    if (this.drawn) this.drawn();
  }

  sees({ row, column }) {
    const { row: r, column: c } = this.first;
    return (row === null || (row >= r && row < r + this.rows)) && (column === null || (column >= c && column < c + this.columns));
  }

  build(rows, columns) {
    const had = this.window.contains(document.activeElement);
    this.rows = rows;
    this.columns = columns;
    this.window.style.gridTemplateColumns = `var(--label) repeat(${columns}, var(--w))`;
    const line = () => { const row = make('div', 'row'); set(row, 'role', 'row'); return row; };
    const top = line();
    set(top, 'aria-rowindex', '1');
    const corner = top.appendChild(make('div', 'label quiet', 'adapter'));
    this.corner = corner;
    set(corner, 'role', 'columnheader');
    set(corner, 'aria-colindex', '1');
    this.headings = [];
    for (let c = 0; c < columns; c += 1) {
      const heading = top.appendChild(make('div'));
      set(heading, 'role', 'columnheader');
      this.headings.push(heading);
    }
    this.lines = [];
    this.labels = [];
    this.cells = [];
    for (let r = 0; r < rows; r += 1) {
      const row = line();
      const label = row.appendChild(make('div', 'label'));
      set(label, 'role', 'rowheader');
      set(label, 'aria-colindex', '1');
      label.append(make('span'), make('small'));
      this.lines.push(row);
      this.labels.push(label);
      this.cells.push([]);
      for (let c = 0; c < columns; c += 1) {
        const cell = row.appendChild(make('div'));
        set(cell, 'role', 'gridcell');
        this.cells[r].push(cell);
      }
    }
    this.window.replaceChildren(top, ...this.lines);
    if (had) requestAnimationFrame(() => this.focus());
  }

  heading(c, place, inSight) {
    const column = this.first.column + c;
    const domain = this.model.state.domains[column];
    const heading = this.headings[c];
    const chosen = place && place.row === null && place.column === column;
    setText(heading, domain.name);
    set(heading, 'class', [domain.reserved ? 'reserved' : '', chosen ? 'chosen' : '', place && place.column === column ? 'open' : ''].join(' '));
    set(heading, 'aria-colindex', String(column + 2));
    set(heading, 'aria-label', `domain ${domain.name}${domain.reserved ? ', in aqmask' : ''}`);
    set(heading, 'tabindex', chosen ? '0' : '-1');
    heading.dataset.name = `.${domain.name}`;
  }

  label(r, place) {
    const row = this.first.row + r;
    const adapter = this.model.state.adapters[row];
    const label = this.labels[r];
    const chosen = place && place.column === null && place.row === row;
    const off = adapter.there ? (adapter.state === 'online' ? '' : adapter.state) : 'not there';
    setText(label.firstChild, adapter.name);
    setText(label.lastChild, `${adapter.type || ''}${off ? ` ${off.slice(0, 5)}` : ''}`);
    set(label, 'class', ['label', adapter.reserved ? 'reserved' : '', off ? 'off' : '', chosen ? 'chosen' : '', place && place.row === row ? 'open' : ''].join(' '));
    set(label, 'aria-label', `adapter ${adapter.name}, ${adapter.type || 'no type'}${off ? `, ${off}` : ''}${adapter.reserved ? ', in apmask' : ''}`);
    set(label, 'title', `${adapter.name} ${adapter.type || ''} ${off}`);
    set(label, 'tabindex', chosen ? '0' : '-1');
    label.dataset.name = adapter.name;
  }

  cell(r, c, place, mdev, inSight) {
    const row = this.first.row + r;
    const column = this.first.column + c;
    const { adapters, domains } = this.model.state;
    const letter = adapters[row].owners[column];
    const markLetter = adapters[row].marks[column];
    const owner = this.model.owner.get(letter);
    const mark = this.model.mark.get(markLetter);
    const numbered = letter === 'M' || letter === 'G' || letter === 'W';
    const number = numbered ? this.model.number(row, column) : 0;
    const cell = this.cells[r][c];
    const chosen = place && place.row === row && place.column === column;
    const part = place ? (place.row === null && place.column === column) || (place.column === null && place.row === row)
      : mdev && mdev.adapters.has(adapters[row].id) && mdev.domains.has(domains[column].id);
    const moved = this.compared && this.differs(row, column);
    setText(cell, `${letter}${number || ''}${mark ? markLetter : ''}`);
    set(cell, 'class', [owner.name, mark ? 'marked' : '', chosen ? 'chosen' : '', part ? 'part' : '', moved ? 'moved' : ''].join(' '));
    set(cell, 'aria-colindex', String(column + 2));
    set(cell, 'aria-label', `queue ${this.model.name(row, column)}: ${owner.name}${number ? `, mdev ${number}` : ''}${mark ? `, ${mark.name}` : ''}${moved ? ', changed' : ''}`);
    set(cell, 'aria-selected', String(Boolean(chosen)));
    // One thing at a time is reached by Tab: what is selected, or else the first cell.
    set(cell, 'tabindex', chosen || (!inSight && r === 0 && c === 0) ? '0' : '-1');
    cell.dataset.name = this.model.name(row, column);
  }

  differs(row, column) {
    const before = this.compared.place(this.model.name(row, column));
    if (!before) return true;
    const [old, now] = [this.compared.state.adapters[before.row], this.model.state.adapters[row]];
    return old.owners[before.column] !== now.owners[column] || old.marks[before.column] !== now.marks[column]
      || this.compared.number(before.row, before.column) !== this.model.number(row, column);
  }

  select(name, { scroll = true, focus = false } = {}) {
    this.selected = name;
    const place = name === null ? null : this.model.place(name);
    if (place && scroll) this.scrollTo(place);
    this.draw();
    if (focus) this.focus();
  }

  scrollTo({ row, column }) {
    const { w, h } = this.size();
    const first = this.first || { row: 0, column: 0 };
    if (row !== null && row < first.row) this.root.scrollTop = row * h;
    if (row !== null && row >= first.row + this.rows) this.root.scrollTop = (row - this.rows + 1) * h;
    if (column !== null && column < first.column) this.root.scrollLeft = column * w;
    if (column !== null && column >= first.column + this.columns) this.root.scrollLeft = (column - this.columns + 1) * w;
  }

  focus() {
    const target = this.window.querySelector('[tabindex="0"]');
    if (target) target.focus({ preventScroll: true });
  }

  click(event) {
    const target = event.target.closest('[data-name]');
    if (target) this.chosen(target.dataset.name, false);
  }

  key(event) {
    const place = (this.selected !== null && this.model.place(this.selected)) || { row: 0, column: 0 };
    const { adapters, domains } = this.model.state;
    let { row, column } = place;
    const on = (at, by, all) => (at === null ? 0 : Math.min(all - 1, at + by));
    const back = (at, by) => (at === null || at === 0 ? null : Math.max(0, at - by));
    const page = Math.max(1, this.rows - 1);
    switch (event.key) {
      case 'ArrowRight': column = on(column, 1, domains.length); break;
      case 'ArrowLeft': column = back(column, 1); break;
      case 'ArrowDown': row = on(row, 1, adapters.length); break;
      case 'ArrowUp': row = back(row, 1); break;
      case 'PageDown': row = on(row, page, adapters.length); break;
      case 'PageUp': row = Math.max(0, (row || 0) - page); break;
      case 'Home': column = 0; if (event.ctrlKey) row = 0; break;
      case 'End': column = domains.length - 1; if (event.ctrlKey) row = adapters.length - 1; break;
      case 'Enter': case ' ': break;
      default: return;
    }
    event.preventDefault();
    if (row === null && column === null) return;
    this.chosen(this.model.name(row, column), true);
  }
}

/** The page. */
const page = {
  model: null,
  selected: null,
  target: null,
  asking: false,
  again: false,
  source: null,
  timer: 0,
  lost: false,

  start() {
    this.grid = new Grid($('grid'), (name, focus) => this.select(name, { focus, scroll: focus }));
    this.grid.drawn = () => this.frame();
    $('search').addEventListener('submit', (event) => { event.preventDefault(); this.find($('find').value); });
    $('operate').addEventListener('submit', (event) => { event.preventDefault(); this.operate($('line').value); });
    $('line').addEventListener('focus', () => $('line').select());
    $('blocks').addEventListener('click', (event) => this.jump(event));
    $('overview').addEventListener('toggle', () => this.blocks());
    const frozen = $('frozen');
    if (frozen) this.freeze(JSON.parse(frozen.textContent)); else this.live();
  },

  /** Follows what the server says, as long as somebody can see it. */
  live() {
    this.follow();
    document.addEventListener('visibilitychange', () => { if (document.hidden) this.unfollow(); else this.follow(); });
  },

  follow() {
    clearTimeout(this.timer);
    if (this.source || document.hidden) return;
    const source = new EventSource('/api/events');
    this.source = source;
    source.addEventListener('state', (event) => { this.whole(JSON.parse(event.data)); });
    source.addEventListener('change', (event) => { this.change(JSON.parse(event.data)); });
    source.addEventListener('open', () => { this.lost = false; this.trouble(); });
    source.addEventListener('error', () => {
      this.lost = true;
      this.trouble();
      // Where it was refused, a browser does not try again by itself.
      if (source.readyState !== EventSource.CLOSED) return;
      this.unfollow();
      this.timer = setTimeout(() => this.follow(), 3000);
    });
  },

  unfollow() {
    clearTimeout(this.timer);
    if (this.source) this.source.close();
    this.source = null;
  },

  /** Why what is shown may not be so, if it may not. */
  trouble() {
    const trouble = this.model && this.model.state.trouble;
    let text = '';
    if (trouble) text = `Not the newest: ${trouble}`;
    if (this.lost) text = 'The server does not answer: what is shown may be old.';
    $('trouble').hidden = !text;
    setText($('trouble'), text);
  },

  whole(state) {
    this.model = new Model(state);
    this.grid.model = this.model;
    if (this.selected !== null && !this.model.has(this.selected)) this.selected = null;
    if (this.selected === null && state.adapters.length && state.domains.length) this.selected = this.model.name(0, 0);
    this.grid.selected = this.selected;
    this.all();
    this.ask();
  },

  change(change) {
    const before = this.model.state.moment;
    this.model.change(change);
    if (before !== change.moment) this.all();
    if (change.mdevs && this.selected && !this.model.has(this.selected)) this.select(this.model.name(0, 0), {});
    this.ask();
  },

  all() {
    const { state } = this.model;
    document.title = `${state.name} - apmatrix`;
    setText($('name'), `apmatrix: ${this.frozen ? this.frozen.title : state.name}`);
    const there = state.adapters.filter((adapter) => adapter.there).length;
    const { counts, marks } = this.model.counts();
    const queues = ['H', 'F', 'M', 'G', 'U'].reduce((sum, letter) => sum + (counts.get(letter) || 0), 0);
    const kernel = state.kernel ? `Linux ${state.kernel}, ` : '';
    setText($('summary'), `${kernel}${countOf(there, 'adapter')} × ${countOf(state.domains.length, 'domain')}, ${countOf(queues, 'queue')}${state.operable || this.frozen ? '' : '; only read'}`);
    this.trouble();
    this.legend(counts, marks);
    this.mdevs();
    const names = (list) => list.filter((one) => one.reserved).map((one) => one.name).join(' ') || 'none';
    const allOf = (list) => (list.length && list.every((one) => one.reserved) ? 'all' : names(list));
    setText($('apmask'), allOf(state.adapters));
    setText($('aqmask'), allOf(state.domains));
    this.events();
    $('operate').hidden = !state.operable;
    this.grid.draw();
    this.overview();
  },

  legend(counts, marks) {
    const items = [];
    for (const owner of this.model.state.legend.owners) {
      const count = counts.get(owner.letter) || 0;
      if (!count && !'HFMG'.includes(owner.letter)) continue;
      const item = make('li', count ? '' : 'none');
      item.append(make('b', owner.name, owner.letter), `${owner.text}: ${count}`);
      items.push(item);
    }
    // What is unusual begins a line of its own.
    if (marks.size) { const end = make('li', 'rest'); set(end, 'aria-hidden', 'true'); items.push(end); }
    for (const mark of this.model.state.legend.marks) {
      if (!marks.has(mark.letter)) continue;
      const item = make('li');
      item.append(make('b', 'marked', mark.letter), mark.text);
      items.push(item);
    }
    const text = items.map((item) => item.textContent).join('|');
    if (this.legendText !== text) $('legend').replaceChildren(...items);
    this.legendText = text;
  },

  mdevs() {
    const { mdevs, operable } = this.model.state;
    const key = JSON.stringify([mdevs, this.selected]);
    if (this.mdevKey === key) return;
    this.mdevKey = key;
    const list = $('mdev-list');
    const focused = list.contains(document.activeElement) ? document.activeElement.dataset.uuid : null;
    const items = mdevs.map((mdev) => {
      const item = make('li');
      const button = item.appendChild(make('button'));
      button.type = 'button';
      button.dataset.uuid = mdev.uuid;
      set(button, 'aria-pressed', String(this.selected === mdev.uuid));
      const all = mdev.adapters.length * mdev.domains.length;
      const gets = mdev.guest_adapters.length * mdev.guest_domains.length;
      button.append(make('b', mdev.runs ? 'guest' : 'mdev', `${mdev.runs ? 'G' : 'M'}${mdev.number}`),
        `${mdev.holder || 'no guest'}, ${gets} of ${countOf(all, 'queue')}`, make('br'), make('code', 'quiet', mdev.uuid));
      for (const why of mdev.filtered.slice(0, 3)) button.append(make('span', 'why', `${why}.`));
      button.addEventListener('click', () => { this.target = mdev.uuid; this.select(mdev.uuid, {}); });
      return item;
    });
    if (!items.length) items.push(make('li', 'quiet', operable ? 'None yet: "make an mdev" makes one.' : 'None.'));
    list.replaceChildren(...items);
    if (focused) { const again = list.querySelector(`[data-uuid="${focused}"]`); if (again) again.focus(); }
  },

  events() {
    const { events } = this.model.state;
    const last = events.length ? events[events.length - 1].number : 0;
    if (this.lastEvent === last && last) return;
    this.lastEvent = last;
    const items = events.slice(-40).reverse().map((event) => make('li', '', event.text));
    if (!items.length) items.push(make('li', 'quiet', 'Nothing has happened yet.'));
    $('event-list').replaceChildren(...items);
  },

  select(name, { focus = false, scroll = true }) {
    this.selected = name;
    this.grid.select(name, { focus, scroll });
    if (this.gridBefore) this.gridBefore.select(name, { scroll });
    this.mdevs();
    this.ask();
  },

  /** Asks what is said of what is selected; one question at a time, the newest last. */
  async ask() {
    if (this.frozen) { this.detail(this.frozenDetail()); return; }
    if (this.asking) { this.again = true; return; }
    this.asking = true;
    do {
      this.again = false;
      const query = new URLSearchParams({ select: this.selected || '', target: this.target || '' });
      try {
        const answer = await fetch(`/api/why?${query}`);
        if (answer.ok) this.detail(await answer.json());
      } catch { /* the events' own connection says so */ }
    } while (this.again);
    this.asking = false;
  },

  detail(detail) {
    const key = JSON.stringify(detail);
    if (this.detailKey === key) return;
    this.detailKey = key;
    const title = detail.title.charAt(0).toUpperCase() + detail.title.slice(1);
    setText($('detail-title'), title);
    $('detail-text').replaceChildren(...detail.reasons.map((reason) => make('p', '', reason)));
    const facts = detail.facts.flatMap((fact) => [make('dt', '', fact.name), make('dd', '', fact.value)]);
    $('facts').replaceChildren(...facts);
    $('facts').hidden = $('facts-heading').hidden = !facts.length;
    $('actions-heading').hidden = !detail.actions.length;
    const list = $('actions');
    const focused = list.contains(document.activeElement) ? document.activeElement.textContent : null;
    list.replaceChildren(...detail.actions.map((action) => this.action(action)));
    if (focused) { const again = [...list.querySelectorAll('button')].find((one) => one.textContent === focused); if (again) again.focus(); }
  },

  action(action) {
    const item = make('li');
    const head = item.appendChild(make('div', 'head'));
    if (this.model.state.operable) {
      const button = head.appendChild(make('button', '', action.label));
      button.type = 'button';
      button.addEventListener('click', () => this.operate(action.line));
    } else {
      head.append(make('span', '', action.label));
    }
    if (action.verdict !== 'unasked') head.append(make('span', action.verdict, action.verdict === 'yes' ? 'would be done' : 'would be refused'));
    item.append(make('code', '', action.line));
    if (action.verdict === 'yes') item.append(make('p', 'quiet', `${action.text}.`));
    if (action.verdict === 'no') {
      item.append(make('p', 'no', `${action.errno ? `Refused, ${action.answer}` : 'It would wait'}: ${action.text}.`), make('p', '', `Instead: ${action.remedy}.`));
    }
    return item;
  },

  async operate(line) {
    $('line').value = line;
    let said;
    let waits = false;
    try {
      const answer = await fetch('/api/operate', {
        method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ line }),
      });
      waits = answer.status === 202;
      said = answer.headers.get('Content-Type').includes('json') ? await answer.json() : { done: false, text: await answer.text() };
    } catch { said = { done: false, text: 'the server does not answer' }; }
    const more = said.text.trim() ? `: ${said.text.trim()}` : '';
    $('said').className = said.done || waits ? 'yes' : 'no';
    const asked = /^\s*why\b/.test(line);
    setText($('said'), said.done && asked ? said.text : said.done ? `Done: ${line}${more}` : waits ? `Begun: ${line}${more}` : `Refused: ${said.text}`);
  },

  async find(text) {
    if (!text.trim()) return;
    let name = null;
    if (this.frozen) {
      name = this.findHere(text.trim().toLowerCase());
    } else {
      const query = new URLSearchParams({ text, from: this.selected || '' });
      const answer = await fetch(`/api/find?${query}`);
      name = answer.ok ? (await answer.json()).select : null;
    }
    setText($('found'), name === null ? 'Nothing is found.' : name);
    if (name === null) return;
    if (!this.model.place(name)) this.target = name;
    this.select(name, {});
  },

  /** In a page that stands alone: a name, or the next cell of an owner or with a mark. */
  findHere(text) {
    const { adapters, domains, legend } = this.model.state;
    if (this.model.has(text)) return text;
    const owner = legend.owners.find((one) => one.name === text);
    const mark = legend.marks.find((one) => text.length > 2 && one.name.startsWith(text));
    const from = (this.selected && this.model.place(this.selected)) || { row: 0, column: -1 };
    const all = adapters.length * domains.length;
    const start = (from.row || 0) * domains.length + (from.column === null ? -1 : from.column);
    for (let step = 1; step <= all; step += 1) {
      const at = (start + step + all) % all;
      const [row, column] = [Math.floor(at / domains.length), at % domains.length];
      const adapter = adapters[row];
      if ((owner && adapter.owners[column] === owner.letter) || (mark && adapter.marks[column] === mark.letter)) return this.model.name(row, column);
    }
    return null;
  },

  overview() {
    const { adapters, domains } = this.model.state;
    const all = this.grid.rows >= adapters.length && this.grid.columns >= domains.length;
    $('overview').hidden = all;
    this.blocks();
  },

  /** The whole matrix in at most 64 × 64 blocks, each in the colour that most of its queues have. */
  blocks() {
    const svg = $('blocks');
    if ($('overview').hidden || !$('overview').open || !this.model) return;
    const { adapters, domains } = this.model.state;
    const size = { row: Math.ceil(adapters.length / 64), column: Math.ceil(domains.length / 64) };
    const [rows, columns] = [Math.ceil(adapters.length / size.row), Math.ceil(domains.length / size.column)];
    this.blockSize = size;
    if (svg.dataset.size !== `${rows}x${columns}`) {
      svg.dataset.size = `${rows}x${columns}`;
      set(svg, 'viewBox', `0 0 ${columns} ${rows}`);
      set(svg, 'preserveAspectRatio', 'none');
      const rectangle = (x, y, name) => {
        const one = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
        for (const [key, value] of Object.entries({ x, y, width: 1, height: 1, class: name })) one.setAttribute(key, value);
        return one;
      };
      const blocks = [];
      for (let y = 0; y < rows; y += 1) for (let x = 0; x < columns; x += 1) blocks.push(rectangle(x, y, 'absent'));
      svg.replaceChildren(...blocks, rectangle(0, 0, 'frame'));
    }
    for (let y = 0; y < rows; y += 1) {
      for (let x = 0; x < columns; x += 1) {
        const counts = new Map();
        for (const adapter of adapters.slice(y * size.row, (y + 1) * size.row)) {
          for (const letter of adapter.owners.slice(x * size.column, (x + 1) * size.column)) counts.set(letter, (counts.get(letter) || 0) + 1);
        }
        let most = null;
        for (const [letter, count] of counts) if (most === null || count > counts.get(most)) most = letter;
        set(svg.children[y * columns + x], 'class', this.model.owner.get(most).name);
      }
    }
    this.frame();
  },

  frame() {
    const svg = $('blocks');
    const frame = svg.lastElementChild;
    if (!frame || !this.blockSize || !this.grid.first) return;
    const { row, column } = this.blockSize;
    set(frame, 'x', String(this.grid.first.column / column));
    set(frame, 'y', String(this.grid.first.row / row));
    set(frame, 'width', String(this.grid.columns / column));
    set(frame, 'height', String(this.grid.rows / row));
  },

  jump(event) {
    const box = $('blocks').getBoundingClientRect();
    const { adapters, domains } = this.model.state;
    const row = Math.min(adapters.length - 1, Math.floor((event.clientY - box.top) / box.height * adapters.length));
    const column = Math.min(domains.length - 1, Math.floor((event.clientX - box.left) / box.width * domains.length));
    this.select(this.model.name(Math.max(0, row), Math.max(0, column)), {});
  },

  freeze(frozen) {
    this.frozen = frozen;
    this.step = 0;
    const last = frozen.steps.length - 1;
    if (last > 0) {
      $('stepper').hidden = $('before').hidden = $('after-caption').hidden = false;
      document.body.classList.add('steps');
      this.gridBefore = new Grid($('grid-before'), (name, focus) => { this.select(name, { scroll: focus }); if (focus) this.gridBefore.focus(); });
      set(this.gridBefore.window, 'aria-label', 'queues before the first step');
      $('step').max = String(last);
      $('step').addEventListener('input', () => this.goTo(Number($('step').value)));
      $('step-back').addEventListener('click', () => this.goTo(this.step - 1));
      $('step-on').addEventListener('click', () => this.goTo(this.step + 1));
    }
    $('events').hidden = true;
    this.goTo(last);
    if (last > 0) { const moved = this.firstMoved(); if (moved) this.select(moved, {}); }
    document.title = `${frozen.title} - apmatrix`;
  },

  firstMoved() {
    const { adapters, domains } = this.model.state;
    for (let row = 0; row < adapters.length; row += 1) {
      for (let column = 0; column < domains.length; column += 1) if (this.grid.differs(row, column)) return this.model.name(row, column);
    }
    return null;
  },

  goTo(step) {
    const { steps } = this.frozen;
    this.step = Math.max(0, Math.min(steps.length - 1, step));
    const at = steps[this.step];
    if (this.gridBefore) {
      const before = new Model(steps[0].state);
      this.gridBefore.selected = this.selected;
      this.gridBefore.show(before);
      this.grid.compared = before;
      $('step').value = String(this.step);
      setText($('step-number'), `${this.step} of ${steps.length - 1}`);
      setText($('step-why'), this.step ? at.why : 'Before the first step.');
      setText($('step-line'), at.line);
      setText($('after-caption'), this.step ? `After step ${this.step}: outlined in red is what differs` : 'Before the first step');
      $('step-back').disabled = this.step === 0;
      $('step-on').disabled = this.step === steps.length - 1;
    }
    this.whole(at.state);
  },

  frozenDetail() {
    const { details } = this.frozen.steps[this.step];
    const name = this.selected || '';
    if (details[name]) return details[name];
    const place = this.model.place(name);
    const owner = place && place.row !== null && place.column !== null
      ? this.model.owner.get(this.model.state.adapters[place.row].owners[place.column]) : null;
    return { title: name, reasons: owner ? [`${owner.text}.`] : [], facts: [], actions: [] };
  },
};

page.start();
