#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run examples/process_pool: answers, whole lines from its workers, and a crash.

usage: process_pool.py PROGRAM
"""
import os
import re
import subprocess
import sys
import unittest

PROGRAM = os.path.abspath(sys.argv.pop(1))
LIMIT = 60  # seconds after which a run counts as hung


def run(*arguments):
    return subprocess.run([PROGRAM, *map(str, arguments)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=LIMIT, check=False)


def is_prime(number):
    return number > 1 and all(number % i for i in range(2, int(number ** 0.5) + 1))


def answers(done):
    return [line for line in done.stdout.splitlines() if not line.startswith('worker: ')]


class ProcessPool(unittest.TestCase):
    def test_the_answers_are_right_and_in_order(self):
        numbers = [*range(40), 112272535095293, 115797848077099, 1099726899285419]
        want = [f'{n} is prime: {is_prime(n)}' for n in numbers]
        for options in [], ['-j1'], ['-j', '5']:
            done = run(*options, *numbers)
            self.assertEqual((done.returncode, done.stderr), (0, ''))
            self.assertEqual(answers(done), want)

    def test_what_workers_print_comes_in_whole_lines(self):
        numbers = range(1000, 2000)
        done = run('-j', '5', *numbers)
        lines = [line for line in done.stdout.splitlines() if line.startswith('worker: ')]
        self.assertEqual(len(done.stdout.splitlines()), 2000)
        self.assertEqual(sorted(lines), [f'worker: {n} is done' for n in numbers])

    def test_a_worker_that_crashes_is_told_and_the_program_lives(self):
        done = run('-c', '-j1', *range(6))
        self.assertEqual(done.returncode, 1)
        self.assertEqual(answers(done), [f'{n} is prime: {is_prime(n)}' for n in range(4)])
        self.assertRegex(done.stderr, re.compile(
            r'^process_pool: BrokenProcessPool: .* terminated abruptly .*: '
            r'worker \d+ was killed by signal 6$'))

    def test_bad_arguments_are_refused(self):
        for arguments in [], ['x'], ['-5'], ['1', '2x'], ['-j', '0', '1'], ['-j', 'x', '1'], ['']:
            done = run(*arguments)
            self.assertEqual((done.returncode, done.stdout), (2, ''), arguments)
            self.assertIn('usage: ', done.stderr)


if __name__ == '__main__':
    unittest.main(verbosity=2)
