// The front end of every explorer: build the controls, look up the text of each panel, put it in its place.
function make(tag, props = {}, ...inside) {
  const e = Object.assign(document.createElement(tag), props);
  e.append(...inside);
  return e;
}

function field({ name, kind, options }, pick) { // a control, and how to set it
  if (kind === 'checks') {
    const ticked = () => pick(options.filter((_, i) => boxes[i].checked));
    const boxes = options.map(() => make('input', { type: 'checkbox', onchange: ticked }));
    const labels = options.map((o, i) => make('label', {}, boxes[i], ' ' + o));
    return [make('fieldset', {}, make('legend', {}, name), ...labels),
            chosen => boxes.forEach((b, i) => { b.checked = chosen.includes(options[i]); })];
  }
  if (kind === 'slider') {
    const now = make('b'), bar = make('input', { type: 'range', min: 0, max: options.length - 1, ariaLabel: name });
    bar.oninput = () => pick(options[+bar.value]);
    return [make('label', {}, make('span', {}, name + ' ', now), bar),
            chosen => { bar.value = options.indexOf(chosen); bar.ariaValueText = now.textContent = String(chosen); }];
  }
  const list = make('select', { ariaLabel: name }, ...options.map(o => new Option(o)));
  list.onchange = () => pick(options[list.selectedIndex]);
  return [make('label', {}, make('span', {}, name), list),
          chosen => { list.selectedIndex = options.indexOf(chosen); }];
}

async function render({ model, el }) {
  const packed = new Blob([model.get('answers')]).stream().pipeThrough(new DecompressionStream('gzip'));
  const { texts, images, panels } = await new Response(packed).json();
  const controls = model.get('controls'), names = model.get('panels');
  const options = Object.fromEntries(controls.map(c => [c.name, c.options]));
  const pick = name => value => {
    model.set('choice', { ...model.get('choice'), [name]: value });
    model.save_changes();
  };
  const fields = controls.map(c => field(c, pick(c.name))), shown = [];
  const boxes = names.map(({ name, wide }) =>
    make('section', { className: 'panel ' + (wide ? 'wide' : ''), ariaLabel: name }));
  const says = make('p', { className: 'says' }), hint = model.get('hint');
  const root = make('div', { className: 'spact-explorer', role: 'group', ariaLabel: model.get('title') },
    make('p', { className: 'title' }, model.get('title')),
    make('div', { className: 'controls' }, ...fields.map(f => f[0])),
    make('div', { className: 'panels' }, ...boxes), says,
    make('p', { className: 'note' }, model.get('note')));
  says.setAttribute('aria-live', 'polite');
  // without this, JupyterLab takes the arrow keys
  for (const e of root.querySelectorAll('input, select')) e.dataset.lmSuppressShortcuts = 'true';
  const tell = e => { says.textContent = e?.target.closest('[data-says]')?.dataset.says ?? hint; };
  root.addEventListener('pointerover', tell); root.addEventListener('focusin', tell);

  function draw() {
    const choice = model.get('choice');
    fields.forEach(([, set], i) => set(choice[controls[i].name]));
    names.forEach(({ uses }, k) => {
      const at = uses.reduce((i, c) => i * options[c].length + options[c].indexOf(choice[c]), 0);
      const text = texts[panels[k][at]];
      if (text === shown[k]) return;
      boxes[k].innerHTML = (shown[k] = text).replace(/\x01(\d+)\x01/g, (_, i) => images[i]);
    });
    for (const { name, kind } of controls) if (kind === 'checks')
      for (const e of root.querySelectorAll(`[data-${name}]`))
        e.style.display = choice[name].includes(e.dataset[name]) ? '' : 'none';
  }
  model.on('change:choice', draw); draw(); tell(); el.append(root);
}
export default { render };
