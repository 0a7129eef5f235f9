#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Build the documentation: docs/, and the C API as the headers tell it.

usage: build.py OUT

Doxygen reads the headers, Sphinx the pages; warnings of either are errors. Nothing is fetched from
anywhere. OUT/html is the site. Pages made here: the porting tables of docs/porting/api.tsv, and
reference pages for headers that no page of docs/reference shows.
"""
import csv
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SITE = ROOT / 'docs' / 'site'
HEADERS = sorted((ROOT / 'include' / 'aio').glob('*.h'))

DOXYFILE = '''
PROJECT_NAME = aioc
INPUT = {headers}
OUTPUT_DIRECTORY = {out}
FILTER_PATTERNS = *.h="python3 {filter}"
GENERATE_XML = YES
XML_PROGRAMLISTING = NO
GENERATE_HTML = NO
GENERATE_LATEX = NO
QUIET = YES
HAVE_DOT = NO
EXTRACT_ALL = YES
OPTIMIZE_OUTPUT_FOR_C = YES
AUTOLINK_SUPPORT = NO
WARN_IF_INCOMPLETE_DOC = NO
WARN_AS_ERROR = FAIL_ON_WARNINGS
MACRO_EXPANSION = YES
EXPAND_ONLY_PREDEF = YES
PREDEFINED = __GNUC__ AIO_API= AIO_MUST_CHECK= "AIO_PRINTF(a,b)=" AIO_BEGIN_DECLS= \\
    AIO_END_DECLS= "AIO_DEFINE_AUTO(t)=" "AIO_AUTO(t)="
EXCLUDE_SYMBOLS = *_H AIO_API AIO_MUST_CHECK AIO_PRINTF AIO_BEGIN_DECLS AIO_END_DECLS \\
    AIO_DEFINE_AUTO AIO_SITE AIO_VALUE AIO_SET AIO_SIZED AIO_SIZED_WITH
'''

AREAS = [  # of the porting table, in the order of its pages: area, title
    ('runner', 'Runners'), ('task', 'Tasks and coroutines'), ('timeouts', 'Timeouts'),
    ('taskgroup', 'Task groups'), ('future', 'Futures'), ('sync', 'Synchronization'),
    ('queue', 'Queues'), ('streams', 'Streams'), ('subprocess', 'Subprocesses'),
    ('exceptions', 'Exceptions'), ('iteration', 'Iteration and blocks'),
    ('loop-lifecycle', 'Event loop: life'), ('loop-scheduling', 'Event loop: calls and timers'),
    ('loop-net', 'Event loop: connections and servers'), ('loop-fd', 'Event loop: descriptors'),
    ('loop-sock', 'Event loop: sockets'), ('loop-dns', 'Event loop: names'),
    ('loop-signal', 'Event loop: signals'), ('loop-exec', 'Event loop: executors'),
    ('loop-subprocess', 'Event loop: subprocesses'), ('loop-tls', 'Event loop: TLS'),
    ('loop-errors', 'Event loop: errors'), ('loop-debug', 'Event loop: debugging'),
    ('handle', 'Handles'), ('transports', 'Transports'), ('protocols', 'Protocols'),
    ('context', 'Context variables'), ('executor', 'concurrent.futures'),
    ('graph', 'Call graph'), ('policy', 'Policies'),
]

NAMES = '''# Every name

The {0} names of asyncio, concurrent.futures and contextvars that a program may use, and what each
is in C; and {1} that C has no place for, each with its reason. A test holds the table to the
headers, to what the library exports, and to the tests that pin what each does.

```{{toctree}}
:maxdepth: 1
{contents}
```
'''


def run_doxygen(out):
    config = DOXYFILE.format(out=out, filter=SITE / 'headers.py',
                             headers=' '.join(map(str, HEADERS)))
    subprocess.run(['doxygen', '-'], input=config, text=True, check=True)


def cell(text):
    return text.replace('|', '\\|')


def role(name, functions):
    """A name that leads to its entry in the reference."""
    if '.' in name:
        return f'{{c:member}}`{name}`'
    kind = 'func' if name in functions else 'macro' if name.isupper() else 'type'
    return f'{{c:{kind}}}`{name}`'


def table(rows, functions):
    yield '| asyncio | aioc | |'
    yield '| --- | --- | --- |'
    for row in rows:
        c = ' '.join(role(name, functions) for name in row['c'].split())
        yield f'| `{cell(row["python"])}` | {c or "*not in C*"} | {cell(row["differences"])} |'


def write_tables(folder):
    """The porting tables: a page for each area, and one that leads to them."""
    with open(ROOT / 'docs/porting/api.tsv', encoding='utf-8', newline='') as file:
        rows = list(csv.DictReader(file, delimiter='\t', quoting=csv.QUOTE_NONE))
    unknown = {row['area'] for row in rows} - {area for area, _ in AREAS}
    if unknown:
        sys.exit(f'areas of the table without a title: {", ".join(sorted(unknown))}')
    headers = ''.join(path.read_text(encoding='utf-8') for path in HEADERS)
    functions = set(re.findall(r'\b(aio_\w+)\(', headers))
    for area, title in AREAS:
        mine = [row for row in rows if row['area'] == area]
        used = sorted({header for row in mine for header in row['header'].split()})
        text = [f'# {title}', '']
        if used:
            text += ['In ' + ', '.join(f'`<{header}>`' for header in used) + '.', '']
        text += table(mine, functions)
        (folder / f'table-{area}.md').write_text('\n'.join([*text, '']), encoding='utf-8')
    counts = [sum(row['need'] != 'na' for row in rows), sum(row['need'] == 'na' for row in rows)]
    contents = '\n'.join(f'table-{area}' for area, _ in AREAS)
    (folder / 'names.md').write_text(NAMES.format(*counts, contents=contents), encoding='utf-8')


PARTS = [  # optional ones, whose entries say whose counterpart they are: headers, title
    (['http_client'], "aiohttp's client"), (['http_server', 'web', 'web_model'], 'FastAPI and uvicorn'),
    (['redis'], 'aioredis'), (['mysql'], 'aiomysql'),
]
ENTRY = re.compile(r'/\*\*((?:(?!\*/).)*)\*/\s*(?:AIO_API|static inline)\s[^;{]*?\b(aio_\w+)\(', re.S)


def write_part_tables(folder):
    """For each part the names of the Python library that its functions stand for."""
    pages = []
    for headers, title in PARTS:
        text = [f'# {title}', '', '| Python | aioc |', '| --- | --- |']
        for header in headers:
            source = (ROOT / 'include' / 'aio' / f'{header}.h').read_text(encoding='utf-8')
            for entry, name in ENTRY.findall(source):
                entry = ' '.join(re.sub(r'\n *\*', '\n', entry).split())
                python = re.search(r'asyncio: (?:none; )?(.+?)\.? Since:', entry)
                if python and python.group(1) != 'none':
                    text.append(f'| {cell(python.group(1))} | {{c:func}}`{name}` |')
        pages.append(f'table-part-{headers[0]}')
        (folder / f'{pages[-1]}.md').write_text('\n'.join([*text, '']), encoding='utf-8')
    with open(folder / 'libraries.md', 'a', encoding='utf-8') as page:
        page.write('\n## All their names\n\n```{toctree}\n:maxdepth: 1\n' + '\n'.join(pages) + '\n```\n')


def write_missing_references(folder):
    """Every public header is in the reference, were it on a page without words."""
    shown = ''.join(path.read_text(encoding='utf-8') for path in folder.glob('*.md'))
    missing = [header for header in HEADERS if header.name != 'aio.h'
               and f'{{doxygenfile}} {header.name}\n' not in shown]
    for header in missing:
        what = re.search(r' - (.*?)\n \*(?:/|\n)', header.read_text(encoding='utf-8'), re.S).group(1)
        what = ' '.join(re.sub(r'\n \*', '', what).split())
        (folder / f'header-{header.stem}.md').write_text(
            f'# aio/{header.name}\n\n{what[0].upper()}{what[1:]}.\n\n'
            f'```{{doxygenfile}} {header.name}\n:project: aioc\n```\n', encoding='utf-8')
    if missing:
        with open(folder / 'index.md', 'a', encoding='utf-8') as index:
            pages = '\n'.join(f'header-{header.stem}' for header in missing)
            index.write(f'\n```{{toctree}}\n:maxdepth: 1\n{pages}\n```\n')


def outside_links(page, source):
    """A link to a file that is not part of the site becomes that file's name; the table has pages."""
    def rewrite(match):
        if match.group(2).endswith('api.tsv'):
            return match.group(0).replace('api.tsv', 'names.md')
        target = (page.parent / match.group(2)).resolve()
        inside = (ROOT / 'docs').resolve() in target.parents
        return match.group(0) if inside else f'{match.group(1)} (`{target.relative_to(ROOT)}`)'
    return re.sub(r'\[([^\]]*)\]\(([^):#\s]+)\)', rewrite, source)


def copy_pages(source):
    shutil.rmtree(source, ignore_errors=True)
    for page in sorted((ROOT / 'docs').rglob('*.md')):
        copy = source / page.relative_to(ROOT / 'docs')
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(outside_links(page, page.read_text(encoding='utf-8')), encoding='utf-8')
    shutil.copytree(ROOT / 'docs' / 'benchmarks', source / 'benchmarks')  # pictures
    shutil.copy(SITE / 'conf.py', source)
    shutil.copytree(SITE / 'static', source / 'static')
    shutil.copytree(ROOT / 'examples', source / 'examples')  # for pages to show


def main():
    out = pathlib.Path(sys.argv[1]).resolve()
    out.mkdir(parents=True, exist_ok=True)
    run_doxygen(out)
    source = out / 'pages'
    copy_pages(source)
    write_tables(source / 'porting')
    write_part_tables(source / 'porting')
    write_missing_references(source / 'reference')
    subprocess.run(['sphinx-build', '-W', '--keep-going', '-q', '-b', 'html',
                    '-d', out / 'doctrees', source, out / 'html'], check=True)
    print(f'{out}/html/index.html')


if __name__ == '__main__':
    main()
