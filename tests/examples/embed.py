#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Ask a host of examples/embed what its guest has to answer.

usage: embed.py PROGRAM
"""
import os
import re
import subprocess
import sys
import unittest

PROGRAM = os.path.abspath(sys.argv.pop(1))
LIMIT = 50  # seconds after which a run counts as hung: a wake-up was missed
IS_CPP = 'cpp' in os.path.basename(PROGRAM)


def answer(word):
    return f'{word} -> {word[::-1]}'


class Host(unittest.TestCase):
    def run_host(self, text):
        """Gives the lines of its output and how many turns it took."""
        done = subprocess.run([PROGRAM], input=text, timeout=LIMIT, check=False, text=True,
                              capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        turns = re.fullmatch(r'(\d+) turns\n', done.stderr)
        self.assertTrue(turns, done.stderr)
        return done.stdout.splitlines(), int(turns.group(1))

    def test_nothing_is_asked_and_answered(self):
        self.assertEqual(self.run_host('')[0], [])

    def test_each_line_is_answered(self):
        lines, _ = self.run_host('hello\nwait 0.001\nworld\n')
        self.assertEqual(sorted(lines), [answer('hello'), 'waited 0.001', answer('world')])

    def test_no_answer_of_many_threads_is_missed(self):
        words = [f'word{i}' for i in range(2000)]
        lines, _ = self.run_host(''.join(f'{word}\n' for word in words))
        self.assertEqual(sorted(lines), sorted(answer(word) for word in words))

    def test_lines_that_come_one_by_one_are_answered_before_the_next(self):
        if IS_CPP:
            self.skipTest('it reads all of its input first')
        with subprocess.Popen(['stdbuf', '-oL', PROGRAM], stdin=subprocess.PIPE, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as host:
            for i in range(200):
                host.stdin.write(f'word{i}\n')
                host.stdin.flush()
                self.assertEqual(host.stdout.readline(), answer(f'word{i}') + '\n')
            out, err = host.communicate(timeout=LIMIT)
        self.assertEqual((host.returncode, out), (0, ''), err)

    def test_host_sleeps_while_the_guest_does(self):
        lines, turns = self.run_host('wait 0.4\n')
        self.assertEqual(lines, ['waited 0.4'])
        self.assertLess(turns, 40)  # of which some are a host's own clock

    def test_exception_stays_in_its_coroutine(self):
        if not IS_CPP:
            self.skipTest('C has none')
        lines, _ = self.run_host('fail no such thing\nfail at all\nhello\n')
        self.assertEqual(sorted(lines), ['failed: at all', 'failed: no such thing',
                                         answer('hello')])


if __name__ == '__main__':
    unittest.main()
