"Whatever is in a table, a list or a label file, reading ends in a `Manifest` or in one line that names the file."
import json
import os
import shutil
import tarfile
from collections import Counter
from pathlib import Path
from zipfile import ZipFile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spact.errors import BadInput
from spact.manifest import read_manifest, read_table
from spact.official import VISPR1, VISPR2, read_official

HEAD = 'path,action,split,a.hat'
ROWS = [f'{i}.mp4,{r}' for i, r in enumerate(['wave,train,0', 'clap,train,1', 'wave,test,1', 'clap,test,0'])]
CELLS = ('a.mp4', 'b/c.mp4', './a.mp4', '../x', '/etc/x', '', '.', 'wave', 'clap', 'train', 'test', '0', '1', 'nan',
         '"', 'x'*300, '\0', 'é', ' ')


def write(path, *lines, head=HEAD):
    path.write_text('\n'.join([head, *lines])+'\n', encoding='utf-8')
    return path


# --- tables -----------------------------------------------------------------------------------------------------------
def mostly(*good): return st.sampled_from(good*30+CELLS)


ROW = st.tuples(mostly('4.mp4', '5.mp4', '6.mp4'), mostly('wave', 'clap'), mostly('train', 'test'), mostly('0', '1'))
HEADS = st.sampled_from([HEAD]*9+['path,action,split,hat,hat', 'path,action,split,', 'path,action'])
BODY = st.lists(ROW.map(','.join), max_size=2).map(lambda rows: ROWS+rows) | st.lists(ROW.map(','.join), max_size=9)
TABLES = st.tuples(HEADS, BODY).map(lambda t: '\n'.join([t[0], *t[1]]))
TEXTS = [t.map(lambda t: t.encode('utf-8', 'surrogatepass')) for t in (st.text(max_size=60), TABLES, TABLES, TABLES)]


def test_any_table(tmp_path):
    outcome, path = Counter(), tmp_path/'any.csv'

    @settings(max_examples=200, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.one_of(st.binary(max_size=60), *TEXTS))
    def check(data):
        path.write_bytes(data)
        try: m = read_manifest(path)
        except BadInput as e:
            outcome['refused'] += 1
            assert 'any.csv' in str(e)
        else:
            outcome['read'] += 1
            assert (len(m.y()), m.p().shape) == (len(m), (len(m), len(m.columns)))
            assert all(Path(os.path.abspath(tmp_path/r['path'])).is_relative_to(tmp_path) for r in m.rows)

    check()
    assert min(outcome['read'], outcome['refused']) > 5 # both happen


def test_zips(tmp_path):
    csv, path = write(tmp_path/'table.csv', *ROWS), tmp_path/'table.zip'
    with ZipFile(path, 'w') as z: z.write(csv, 'any name.csv')
    assert read_table(path) == read_table(csv)
    whole = path.read_bytes()
    at = whole.index(b'any name.csv')+12
    damaged = {'no zip': b'path,action', 'empty': b'PK\5\6'+bytes(18), 'cut': whole[:-9],
               'checksum': whole[:at]+b'\xff'+whole[at+1:]}
    for data in damaged.values():
        path.write_bytes(data)
        with pytest.raises(BadInput, match=r'table\.zip: not a CSV file in UTF-8'): read_table(path)


NOT_TABLES = {b'': 'empty, it needs a line of column names', b'path,action\n': 'empty, it needs',
    b'path\ncaf\xe9.mp4': 'not a CSV file in UTF-8', b'path,action\n"a,b': 'not a CSV file',
    b'path,path\na,b': 'line 1: a column name is empty or repeated',
    b'path,action\n\na,b,c': 'line 3: 3 values under 2 column names'}


@pytest.mark.parametrize('data', NOT_TABLES)
def test_what_is_no_table(tmp_path, data):
    (tmp_path/'x.csv').write_bytes(data)
    with pytest.raises(BadInput, match=f'x.csv:? {NOT_TABLES[data]}'): read_table(tmp_path/'x.csv')


NOT_ROWS = {'../x.mp4,wave,test,1': "the path '../x.mp4' leaves the folder",
    '/etc/x.mp4,wave,test,1': 'leaves the folder',
    'a/../../x.mp4,wave,test,1': 'leaves the folder', '.,wave,test,1': 'the path is empty',
    'a/../0.mp4,wave,test,1': 'stands at .* line 2 already', 'x.mp4,wave,more,1': "split 'more' has one action only",
    'x.mp4,jump,test,1': "action 'jump' is not among", 'x.mp4,wave,test,2': "a.hat is '2'"}


@pytest.mark.parametrize('row', NOT_ROWS)
def test_rows_that_cannot_be(tmp_path, row):
    with pytest.raises(BadInput, match=f'x.csv.*{NOT_ROWS[row]}'):
        read_manifest(write(tmp_path/'x.csv', *ROWS, row))


# --- the official formats ---------------------------------------------------------------------------------------------
def vispr(folder, line, label):
    "A folder with one image in each list; that of val is called `line` and has this label file"
    ids = [*VISPR1, *VISPR2, 'a0_safe']
    (folder/'attributes.tsv').write_text('\n'.join(['idx\tattribute_id', *(f'{i}\t{a}' for i, a in enumerate(ids))]))
    for split, name in dict(train='annotations/a.json', val=line, test='annotations/c.json').items():
        (folder/f'{split}2017.txt').write_text(name)
        held = dict(id=Path(name).stem, image_path=f'{split}.jpg', labels=['a4_gender'])
        if not Path(name).is_absolute() and '..' not in name:
            path = folder/name
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text(label if split == 'val' and label is not None else json.dumps(held))
    return folder


NOT_LABELS = {'[1]': 'is not a label file .TypeError', 'null': 'is not a label file', '{': 'is not a label file',
    '{"id": "b"}': 'is not a label file .KeyError',
    '{"id": "b", "image_path": 5, "labels": []}': 'image_path 5 is not a name',
    '{"id": "x", "image_path": "b.jpg", "labels": []}': "is of another image, 'x'",
    '{"id": "b", "image_path": "../b.jpg", "labels": []}': 'leaves the folder of the dataset',
    '{"id": "b", "image_path": "b.jpg", "labels": ["hat"]}': "has label 'hat', which is not in attributes.tsv"}


@pytest.mark.parametrize('label', NOT_LABELS)
def test_label_files(tmp_path, label):
    home = vispr(tmp_path, 'annotations/b.json', label)
    with pytest.raises(BadInput, match=f'val2017.txt line 1: .*{NOT_LABELS[label]}'): read_official('vispr', home)


@pytest.mark.parametrize('line', ['../b.json', '/etc/b.json', 'annotations/../../b.json'])
def test_label_files_outside(tmp_path, line):
    faults = []
    m = read_official('vispr', vispr(tmp_path, line, None), on_fault=faults.append)
    assert faults == [f'{tmp_path}/val2017.txt line 1: {line} leaves the folder of the dataset']
    assert m.splits == ['test', 'train']


def test_cut_archive(tmp_path):
    home = vispr(tmp_path, 'annotations/b.json', None)
    with tarfile.open(home/'labels.tar.gz', 'w:gz') as t: t.add(home/'annotations', 'annotations')
    rows = read_official('vispr', home).rows
    shutil.rmtree(home/'annotations')
    assert read_official('vispr', home).rows == rows # out of the archive
    (home/'labels.tar.gz').write_bytes((home/'labels.tar.gz').read_bytes()[:90])
    with pytest.raises(BadInput, match=r'labels\.tar\.gz: not a whole archive'): read_official('vispr', home)
