#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Doxygen's filter: give a public header as Doxygen reads it.

usage: headers.py HEADER

The entries of our headers are written to be read in the header. Here their tables become lists,
the lines that say thread, asyncio's name and so on become a line of their own, and what Doxygen
would stumble over is quoted. Macros over functions of the same name, and typedefs of structs that
have a body, would be told twice: they are left out.
"""
import itertools
import pathlib
import re
import sys
import textwrap

LABELS = ['Suspends', 'Cancellation point', 'Thread', 'asyncio', 'Since', 'Differs']
LABEL = re.compile(rf'(?:(?<=\s)|^)({"|".join(LABELS)}):\s+')
COMMAND = re.compile(r'^@(param|return|name|brief|note)\b')
ROW = re.compile(r'^ {2,4}(\S(?:.*?\S)?)(?: {2,}(\S.*))?$')


def quote(text):
    """What would be a command or a tag to Doxygen."""
    parts = re.split(r'(`[^`]*`)', text)
    for i in range(0, len(parts), 2):
        part = re.sub(r'\\', r'\\\\', parts[i])
        part = re.sub(r'#(?=\w)', r'\\#', part)
        part = part.replace('**', r'\*\*')
        part = re.sub(r'"', r'\\"', part)
        part = re.sub(r'<', r'\\<', part)
        parts[i] = re.sub(r'>', r'\\>', part)
    return ''.join(parts)


def code(text):
    """A call or a name in code, but no whole sentence."""
    return f'`{text}`' if re.fullmatch(r'[\w.]+\(.*?\)', text) else quote(text)


def labels(text):
    """The labelled facts at the end of an entry, as one line; a difference is a line of its own."""
    parts = LABEL.split(text)
    facts, differs = [], []
    for label, value in zip(parts[1::2], parts[2::2]):
        value = ' '.join(value.split()).rstrip()
        if label == 'Differs':
            differs.append(f'**Differs:** {quote(value)}')
        else:
            value = value.removesuffix('.') if len(value) < 60 else value
            facts.append(f'**{label}:** {code(value)}')
    return parts[0].rstrip(), differs + [' \N{MIDDLE DOT} '.join(facts)] if facts else differs


def is_row(line, lines, i):
    """Whether a line is a row of a table under @param or @return: a key, and what it means."""
    match = ROW.match(line)
    if not match or line.lstrip().startswith(('@', '-')):
        return False
    key = match.group(1)
    if match.group(2):
        return True
    return re.fullmatch(r'[A-Z-][\w.]*(, [A-Z-.][\w.]*)*,?', key) is not None


def sample_marks(lines):
    """How the indented lines at the start are quoted: they are C, or what something looks like."""
    block = itertools.takewhile(lambda line: not line.strip() or line.startswith('    '), lines)
    if any(line.rstrip().endswith((';', '{')) for line in block):
        return '@code{.c}', '@endcode'
    return '@verbatim', '@endverbatim'


def close_sample(out, end):
    while not out[-1].strip():
        out.pop()
    out += [end, '']


def entry(body):
    """The lines of one comment, without the stars, as Doxygen should have them."""
    out, table, end = [], False, None
    text, facts = labels('\n'.join(body))
    text = re.sub(r'^@param (\w+(?:, \w+)+)(\s.*(?:\n +\S.*)*)', each_of_several, text, flags=re.M)
    body = text.split('\n')
    for i, line in enumerate(body):
        if end is None and line.startswith('    ') and not body[i - 1].strip():
            begin, end = sample_marks(body[i:])
            out.append(begin)
        elif end is not None and line.strip() and not line.startswith('    '):
            close_sample(out, end)
            end = None
        if end is not None:
            out.append(line[4:])
            continue
        indent = len(line) - len(line.lstrip())
        before = body[i - 1] if i else ''
        if is_row(line, body, i) and (table or in_section(body, i) or before.endswith(':')):
            key, meaning = ROW.match(line).groups()
            out.append(f'  - {quote(key)}' + (f': {quote(meaning)}' if meaning else ''))
            table = True
        elif table and indent > 4:
            out.append(f'    {quote(line.strip())}')
        else:
            table = False
            out.append(quote(line))
    if end is not None:
        close_sample(out, end)
    for fact in facts:
        out += ['', fact]
    return out


def each_of_several(match):
    """Parameters that share an entry have one each."""
    return '\n'.join(f'@param {name}{match.group(2)}' for name in match.group(1).split(', '))


def in_section(body, i):
    """Whether line i belongs to a @param or @return."""
    for line in reversed(body[:i]):
        if not line.strip():
            return False
        if COMMAND.match(line.strip()):
            return True
    return False


def starred(body):
    """The lines of a comment; what is shown as it is would be shown with its stars."""
    verbatim = False
    for line in body:
        verbatim = verbatim and line != '@endverbatim'
        yield line if verbatim else f' * {line}'
        verbatim = verbatim or line == '@verbatim'


def comment(match):
    text = match.group(0)
    if text.startswith('/**<'):
        return f'/**<{quote(text[4:-2])}*/'
    first, *rest = text[3:-2].split('\n')
    rest = textwrap.dedent('\n'.join(re.sub(r'^ *\* ?', '', line) for line in rest)).split('\n')
    body = [line.rstrip() for line in ([first.strip()] if first.strip() else []) + rest]
    while body and not body[-1]:
        body.pop()
    group = re.match(r'@name (.*)', body[0])
    if group:  # its brace on a line of its own, or Doxygen misses it
        title, *words = [line.removesuffix('@{').rstrip() for line in body]
        body = [title, '', *map(quote, words), '@{']
    elif body != ['@}']:
        body = entry(body)
    return '\n'.join(['/**', *starred(body), ' */'])


def main():
    with open(sys.argv[1], encoding='utf-8') as header:
        text = header.read()
    text = re.sub(r'^#define aio_\w+\(.*?(?<!\\)\n', '\n', text, flags=re.M | re.S)
    text = re.sub(r'/\*\*(?!/).*?\*/', comment, text, flags=re.S)
    for name in re.findall(r'^(?:typedef )?struct (\w+)\s*\{', text, re.M):
        text = re.sub(rf'^typedef struct {name} {name};$', '', text, flags=re.M)
    for number in range(len(re.findall(r'^enum\s*\{', text, re.M))):  # Doxygen's names collide
        name = f'unnamed_{number + 1}_in_{pathlib.Path(sys.argv[1]).stem}_h'
        text = re.sub(r'^enum\s*\{', f'enum {name} {{', text, count=1, flags=re.M)
    text = re.sub(r'^typedef ((struct|enum) (\w+)\s*\{.*?\}) \3;', r'\1;', text,
                  flags=re.M | re.S)
    sys.stdout.write(text)


if __name__ == '__main__':
    main()
