// The front end of every explorer: build the controls, look up the text of each panel, put it in its place.
function make(tag, props = {}, ...inside) {
  const e = Object.assign(document.createElement(tag), props);
  e.append(...inside);
  return e;
}

function gather(options, groups, one, open) { // an element of each option, those of a group inside one of its own
  const out = [];
  options.forEach((o, i) => {
    const g = groups[i] || '';
    if (g && g !== groups[i - 1]) out.push(open(g));
    if (g) out.at(-1).append(one(o, i));
    else out.push(one(o, i));
  });
  return out;
}

function field({ name, kind, options, groups }, pick) { // a control: its element, how to set it, how to switch it off
  const why = make('small', { className: 'why' });
  const off = inputs => reason => {
    for (const e of inputs) e.disabled = !!reason;
    why.textContent = reason;
  };
  if (kind === 'checks') {
    const ticked = () => pick(options.filter((_, i) => boxes[i].checked));
    const boxes = options.map(() => make('input', { type: 'checkbox', onchange: ticked }));
    const labels = gather(options, groups, (o, i) => make('label', {}, boxes[i], ' ' + o),
                          g => make('span', { className: 'group' }, make('b', {}, g)));
    return [make('fieldset', {}, make('legend', {}, name), ...labels),
            chosen => boxes.forEach((b, i) => { b.checked = chosen.includes(options[i]); }), off([])];
  }
  if (kind !== 'select') { // a slider; a film goes round and round, and a look is not played
    const film = kind === 'film', now = make('b'), bar = make('input', { type: 'range', min: 0, max: options.length - 1, ariaLabel: name });
    const start = make('button', { type: 'button', textContent: '▶', ariaLabel: `play ${name}` });
    let clock;
    const stop = () => { clearInterval(clock); clock = 0; start.textContent = '▶'; start.ariaLabel = `play ${name}`; };
    const step = () => {
      if (!bar.isConnected || bar.disabled || (+bar.value >= options.length - 1 && !film)) return stop();
      pick(options[(+bar.value + 1) % options.length]);
    };
    start.onclick = () => { // from the beginning when it is at the end
      if (clock) return stop();
      if (+bar.value >= options.length - 1) pick(options[0]);
      start.textContent = '‖'; start.ariaLabel = `pause ${name}`;
      clock = setInterval(step, film ? 120 : 700);
    };
    bar.oninput = () => { stop(); pick(options[+bar.value]); };
    const parts = [make('label', {}, make('span', {}, name + ' ', now), bar), ...(kind === 'look' ? [] : [start]), why];
    return [make('div', { className: 'slider' }, ...parts),
            chosen => { bar.value = options.indexOf(chosen); bar.ariaValueText = now.textContent = String(chosen); },
            off([bar, start])];
  }
  const list = make('select', { ariaLabel: name },
    ...gather(options, groups, o => new Option(o), label => make('optgroup', { label })));
  list.onchange = () => pick(options[list.selectedIndex]);
  return [make('label', {}, make('span', {}, name), list, why),
          chosen => { list.selectedIndex = options.indexOf(chosen); }, off([list])];
}

function linked(controls) { // what the address of the page asks of these controls: #rule=at most the gap&gap=31
  const asked = new URLSearchParams(location.hash.slice(1)), found = {};
  for (const { name, kind, options } of controls) {
    if (!asked.has(name)) continue;
    const words = asked.get(name).split('|'), known = options.filter(o => words.includes(String(o)));
    if (kind === 'checks') found[name] = known;
    else if (known.length) found[name] = known[0];
  }
  return found;
}

function copier(model) { // a button that writes the view as a line of Python, and where the line is seen
  const line = make('input', { className: 'copied', readOnly: true, hidden: true, ariaLabel: 'this view as Python' });
  const button = make('button', { type: 'button', textContent: 'copy this view as Python' });
  button.onclick = () => {
    line.value = model.get('python').replace('{}', () => JSON.stringify(model.get('choice')));
    line.hidden = false;
    line.select();
    navigator.clipboard?.writeText(line.value).catch(() => document.execCommand('copy'));
  };
  model.on('change:choice', () => { line.hidden = true; });
  return [button, line];
}

async function render({ model, el }) {
  const packed = new Blob([model.get('answers')]).stream().pipeThrough(new DecompressionStream('gzip'));
  const { texts, images, panels } = await new Response(packed).json();
  const controls = model.get('controls'), names = model.get('panels'), first = { ...model.get('choice') };
  const options = Object.fromEntries(controls.map(c => [c.name, c.options]));
  function choose(some) {
    model.set('choice', { ...model.get('choice'), ...some });
    model.save_changes();
  }
  const fields = controls.map(c => field(c, value => { choose({ [c.name]: value }); note(); })), shown = [];
  const boxes = names.map(({ name, wide }) =>
    make('section', { className: 'panel ' + (wide ? 'wide' : ''), ariaLabel: name }));
  const says = make('p', { className: 'says' }), hint = model.get('hint');
  const reset = make('button', { type: 'button', className: 'reset', textContent: 'reset' });
  reset.onclick = () => { choose(first); note(); };
  const root = make('div', { className: 'spact-explorer', role: 'group', ariaLabel: model.get('title') },
    make('p', { className: 'title' }, model.get('title')),
    make('div', { className: 'controls' }, ...fields.map(f => f[0]), reset),
    make('div', { className: 'panels' }, ...boxes), says,
    make('p', { className: 'note' }, model.get('note')), make('div', { className: 'below' }, ...copier(model)));
  says.setAttribute('aria-live', 'polite');
  // without this, JupyterLab takes the arrow keys
  for (const e of root.querySelectorAll('input, select')) e.dataset.lmSuppressShortcuts = 'true';
  const tell = e => { says.textContent = e?.target.closest('[data-says]')?.dataset.says ?? hint; };
  root.addEventListener('pointerover', tell); root.addEventListener('focusin', tell);

  const place = (uses, choice) => uses.reduce((i, c) => i * options[c].length + options[c].indexOf(choice[c]), 0);
  function idle({ name, kind }, choice) { // does no option of this control change anything now?
    const using = names.map(({ uses }, k) => [uses, panels[k]]).filter(([uses]) => uses.includes(name));
    return ['select', 'slider'].includes(kind) && using.every(([uses, row]) =>
      options[name].every(o => row[place(uses, { ...choice, [name]: o })] === row[place(uses, choice)]));
  }
  function draw() {
    const choice = model.get('choice');
    names.forEach(({ uses }, k) => {
      const text = texts[panels[k][place(uses, choice)]];
      if (text === shown[k]) return;
      boxes[k].innerHTML = (shown[k] = text).replace(/\x01(\d+)\x01/g, (_, i) => images[i]);
    });
    fields.forEach(([, set, off], i) => { // after the panels: some controls need a film to act on
      const { name, kind } = controls[i], needs = { film: '.film', look: '.over' }[kind];
      set(choice[name]);
      off(needs && !root.querySelector(needs) ? `makes no difference here: no ${kind === 'film' ? 'clip' : 'map'} is shown`
        : idle(controls[i], choice) ? 'makes no difference here' : '');
    });
    for (const { name, kind } of controls) if (kind === 'film' || kind === 'look')
      root.style.setProperty('--' + name, choice[name]);
    for (const { name, kind } of controls) if (kind === 'checks')
      for (const e of root.querySelectorAll(`[data-${name}]`))
        e.style.display = choice[name].includes(e.dataset[name]) ? '' : 'none';
  }
  function note() { // on a page of its own the address follows, so that a view can be sent
    if (!model.page) return;
    const words = new URLSearchParams(location.hash.slice(1)), choice = model.get('choice');
    for (const { name } of controls) words.set(name, [choice[name]].flat().join('|'));
    history.replaceState(null, '', '#' + words);
  }
  if (model.page) Object.assign(model.get('choice'), linked(controls));
  model.on('change:choice', draw); draw(); tell(); el.append(root);
}
export default { render };
