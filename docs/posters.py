"""What explorers look like, for readers of notebooks that run nothing, from the built site:

    python docs/posters.py _docs/html

Then store fresh outputs of nbs/explore.ipynb, which takes the pictures in."""
import functools
import http.server
import os
import shutil
import sys
import threading
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
POSTERS = {'guess': 'What can you still see, and what can a machine?', 'game': 'How does the game go?',
           'attention': 'Where do f_T and f_B look?', 'tradeoff': 'What was kept, and what leaks?',
           'sampler': 'Which two frames does S_F draw?'}

handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
with sync_playwright() as p:
    names = 'chromium', 'chromium-browser', 'google-chrome'
    program = os.environ.get('CHROMIUM') or next(filter(None, map(shutil.which, names)))
    browser = p.chromium.launch(executable_path=program, args=['--no-sandbox'])
    page = browser.new_page(viewport=dict(width=1400, height=1400), reduced_motion='reduce')
    page.goto(f'http://127.0.0.1:{server.server_port}/explore.html')
    for name, title in POSTERS.items():
        explorer = page.get_by_role('group', name=title)
        if name == 'game':
            for _ in range(5): explorer.get_by_label('step', exact=True).press('ArrowRight')
        file = ROOT/f'nbs/images/explore_{name}.png'
        explorer.screenshot(path=file)
        Image.open(file).convert('RGB').quantize(64).save(file, optimize=True)
        print(file.name, file.stat().st_size//1024, 'KiB')
    browser.close()
