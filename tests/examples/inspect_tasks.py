#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Ask the example inspect for its tasks, and for its statistics at the end.

usage: inspect_tasks.py PROGRAM
"""
import re
import signal
import subprocess
import sys

LIMIT = 50  # seconds after which a run counts as hung

# What is told of each task, in the tree: supervised stands below who awaits it.
TREE = [
    r'Task-1\b.*async_main\(\)',
    r'worker\b.*work\(\)',
    r'supervisor\b.*supervise\(\)',
    r'supervised\b.*work\(\)',
]
FRAMES = [r'\baio_queue_get\b', r'\bwork\b.*inspect\.c', r'\bsupervise\b.*inspect\.c',
          r'\basync_main\b.*inspect\.c']


def main():
    with subprocess.Popen([sys.argv[1]], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as program:
        assert program.stdout.readline() == 'ready\n'
        program.send_signal(signal.SIGUSR1)
        program.send_signal(signal.SIGTERM)
        out, err = program.communicate(timeout=LIMIT)
    assert program.returncode == 0, err
    for pattern in TREE + FRAMES:
        assert re.search(pattern, out), f'{pattern} is not in:\n{out}'
    assert re.search(r'^4 tasks now, 4 in all, \d+ steps, \d+ iterations$', out, re.M), out
    lags = [int(count) for count in re.findall(r'^lag below \S+ s: (\d+)$', out, re.M)]
    assert sum(lags) > 0, out
    return 0


if __name__ == '__main__':
    sys.exit(main())
