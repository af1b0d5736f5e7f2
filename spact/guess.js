// A clip as it is shared: guess what it shows, then see what a machine read, and the truth. Answers are counted here.
function make(tag, props = {}, ...inside) {
  const e = Object.assign(document.createElement(tag), props);
  e.append(...inside);
  return e;
}

function render({ model, el }) {
  const { questions, truth, films, read } = model.get('held');
  const methods = Object.keys(films), asked = Object.keys(questions);
  const n = truth.length, done = {}, percent = v => Math.round(100 * v) + ' %'; // done: 'method|clip' -> guesses
  const at = () => model.get('choice'), key = () => `${at().method}|${at().clip}`;
  const choose = some => { model.set('choice', { ...at(), ...some }); model.save_changes(); };
  const button = (textContent, onclick) => make('button', { type: 'button', textContent, onclick });

  const list = make('select', { ariaLabel: 'method' }, ...methods.map(m => new Option(m)));
  list.onchange = () => choose({ method: list.value });
  const where = make('span'), next = button('next clip', () => choose({ clip: at().clip % n + 1 }));
  const film = make('div'), play = button('▶', () => clock ? stop() : start());
  let clock, frame = 0;
  const stop = () => { clearInterval(clock); clock = 0; play.textContent = '▶'; play.ariaLabel = 'play the clip'; };
  const start = () => {
    play.textContent = '‖'; play.ariaLabel = 'pause the clip';
    clock = setInterval(() => {
      if (!root.isConnected) return stop();
      const strip = film.querySelector('.film');
      if (strip) root.style.setProperty('--frame', frame = (frame + 1) % strip.style.getPropertyValue('--n'));
    }, 120);
  };
  const guesses = asked.map(q => {
    const options = [new Option('?', ''), ...questions[q].map(o => new Option(o))];
    const field = make('select', { ariaLabel: `your guess: ${q}` }, ...options);
    field.onchange = ready;
    return field;
  });
  const fields = guesses.map((g, i) => make('label', {}, make('span', {}, asked[i]), g));
  const why = make('small', { className: 'why' }), tell = button('what did a machine read?', answer);
  const answers = make('div'), score = make('p', { className: 'score' });
  score.setAttribute('aria-live', 'polite');
  const save = button('save answers (CSV)', download), reset = button('begin again', () => {
    for (const k in done) delete done[k];
    show();
  });
  const line = make('input', { className: 'copied', readOnly: true, hidden: true, ariaLabel: 'this view as Python' });
  const copy = button('copy this view as Python', () => {
    line.value = model.get('python').replace('{}', () => JSON.stringify(at()));
    line.hidden = false;
    line.select();
    navigator.clipboard?.writeText(line.value).catch(() => document.execCommand('copy'));
  });

  function ready() { // a guess of everything, before anything is told
    const told = key() in done, all = guesses.every(g => g.value);
    tell.disabled = told || !all;
    why.textContent = told ? 'answered: go on to the next clip' : all ? '' : 'guess all of them first';
    guesses.forEach(g => { g.disabled = told; });
  }
  function answer() {
    done[key()] = Object.fromEntries(asked.map((q, i) => [q, guesses[i].value]));
    show();
  }
  function rows() { // of everything answered: what a table needs
    return Object.entries(done).flatMap(([k, own]) => {
      const [method, clip] = k.split('|');
      return asked.map(q => ({ method, clip, question: q, guess: own[q], machine: read[method][q].answers[clip - 1],
                               truth: truth[clip - 1][q] }));
    });
  }
  function show() {
    const { method, clip } = at(), own = done[key()];
    list.value = method; where.textContent = `clip ${clip} of ${n}`;
    const html = films[method][clip - 1];
    if (film.innerHTML !== html) film.innerHTML = html;
    guesses.forEach((g, i) => { g.value = own ? own[asked[i]] : ''; });
    ready();
    const heads = ['', 'you', 'a machine', 'truth', 'the machine on test clips'];
    const cell = (v, right) => make('td', {}, v + (right === undefined ? '' : right ? ' ✓' : ' ✗'));
    answers.replaceChildren(...(own ? [make('table', {},
      make('tr', {}, ...heads.map(t => make('th', { scope: 'col' }, t))),
      ...asked.map(q => {
        const r = read[method][q], t = truth[clip - 1][q], a = r.answers[clip - 1];
        return make('tr', {}, make('th', { scope: 'row' }, q), cell(own[q], own[q] === t), cell(a, a === t), cell(t),
                    cell(`right on ${percent(r.right)} (always the commonest: ${percent(r.chance)})`));
      }))] : []));
    const all = rows(), right = who => all.filter(r => r[who] === r.truth).length;
    const count = who => `${right(who)} of ${all.length}`;
    score.textContent = all.length ? `You: ${count('guess')} right. The machine: ${count('machine')}.` : '';
    save.disabled = reset.disabled = !all.length;
  }
  function download() {
    const names = ['method', 'clip', 'question', 'guess', 'machine', 'truth'];
    const quote = v => `"${String(v).replaceAll('"', '""')}"`;
    const text = [names.join(','), ...rows().map(r => names.map(k => quote(r[k])).join(','))].join('\r\n') + '\r\n';
    const a = make('a', { href: URL.createObjectURL(new Blob([text], { type: 'text/csv' })), download: 'guesses.csv' });
    a.click();
    setTimeout(() => URL.revokeObjectURL(a.href), 10000);
  }

  const root = make('div', { className: 'spact-explorer', role: 'group', ariaLabel: model.get('title') },
    make('p', { className: 'title' }, model.get('title')),
    make('div', { className: 'controls' }, make('label', {}, make('span', {}, 'method'), list), where, next, play),
    film,
    make('div', { className: 'controls' }, ...fields, tell, why),
    answers, score,
    make('p', { className: 'note' }, model.get('note')),
    make('div', { className: 'below' }, save, reset, copy, line));
  for (const e of root.querySelectorAll('input, select')) e.dataset.lmSuppressShortcuts = 'true'; // of JupyterLab
  model.on('change:choice', () => { line.hidden = true; show(); });
  stop(); show(); el.append(root);
  if (!matchMedia('(prefers-reduced-motion: reduce)').matches) start();
}
export default { render };
