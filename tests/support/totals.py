#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Count the single tests in meson's logs.

usage: totals.py LOG...

Prints "PASSED FAILED SKIPPED" over all logs (meson-logs/testlog*.json). A program that
tells how many tests it ran (cmocka's, or a line "N passed, N failed") counts as those, any
other as one; one that failed without naming a failure, by a crash or a leak found at its
end, counts as one failed more.
"""
import json
import re
import sys

CMOCKA = {
    'passed': re.compile(r'^\[  PASSED  \] (\d+) test\(s\)', re.M),
    'failed': re.compile(r'^\[  FAILED  \] (\d+) test\(s\)', re.M),
    'skipped': re.compile(r'^\[  SKIPPED \] (\d+) test\(s\)', re.M),
}
LINE = re.compile(r'^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$', re.M)
GOOD = {'OK', 'EXPECTEDFAIL', 'SKIP'}


def told(text):
    """What the program says of itself: [passed, failed, skipped]."""
    counts = [sum(int(n) for n in pattern.findall(text)) for pattern in CMOCKA.values()]
    for numbers in LINE.findall(text):
        counts = [count + int(number or 0) for count, number in zip(counts, numbers)]
    return counts


def count(record):
    passed, failed, skipped = told(record.get('stdout', '') + '\n' + record.get('stderr', ''))
    good = record['result'] in GOOD
    if passed + failed + skipped == 0:
        if record['result'] == 'SKIP':
            return 0, 0, 1
        return (1, 0, 0) if good else (0, 1, 0)
    if not good and failed == 0:
        failed = 1
    return passed, failed, skipped


def main():
    totals = [0, 0, 0]
    for path in sys.argv[1:]:
        with open(path, encoding='utf-8', errors='replace') as log:
            for line in log:
                totals = [a + b for a, b in zip(totals, count(json.loads(line)))]
    print(*totals)


if __name__ == '__main__':
    main()
