#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Put a report of run.py, with its plots, into docs/benchmarks.md.

usage: publish.py [REPORT_FOLDER]      default build/bench-report

What that page says before its line "## The last full run" stays as it is.
"""
import pathlib
import re
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / 'docs' / 'benchmarks.md'
PLOTS = ROOT / 'docs' / 'benchmarks'
MARK = '## The last full run\n'


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / 'build' / 'bench-report')
    report = (folder / 'report.md').read_text().partition('\n')[2]  # without its title
    report = re.sub(r'^##', '###', report, flags=re.M)
    report = re.sub(r'\]\(([\w-]+\.svg)\)', r'](benchmarks/\1)', report)
    before = PAGE.read_text().partition(MARK)[0]
    PAGE.write_text(before + MARK + report)
    shutil.rmtree(PLOTS, ignore_errors=True)
    PLOTS.mkdir()
    for kind in ['png', 'svg']:
        for plot in folder.glob(f'*.{kind}'):
            shutil.copy(plot, PLOTS)


main()
