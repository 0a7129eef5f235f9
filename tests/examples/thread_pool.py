#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compare examples/thread_pool with wc.

usage: thread_pool.py PROGRAM
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.path.abspath(sys.argv.pop(1))
LIMIT = 60  # seconds after which a run counts as hung


def run(*command, folder):
    return subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=LIMIT, check=False,
                          env=dict(os.environ, LC_ALL='C'))


def counts(text):
    """wc's lines without the blanks that align them."""
    return [line.split() for line in text.splitlines()]


class ThreadPool(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='aioc-thread-pool-')
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.names = []
        for i in range(20):
            name = f'file{i}'
            (self.folder / name).write_bytes(b'some words\n\n and\tmore' * (i * 997) + b'end' * (i % 2))
            self.names.append(name)

    def test_the_counts_are_those_of_wc_in_the_order_of_the_names(self):
        want = run('wc', *self.names, folder=self.folder)
        for options in [], ['-j1'], ['-j', '32']:
            got = run(PROGRAM, *options, *self.names, folder=self.folder)
            self.assertEqual((got.returncode, got.stderr), (0, ''))
            self.assertEqual(counts(got.stdout), counts(want.stdout))

    def test_one_file_has_no_total(self):
        got = run(PROGRAM, 'file1', folder=self.folder)
        self.assertEqual(counts(got.stdout), counts(run('wc', 'file1', folder=self.folder).stdout))

    def test_a_file_that_is_not_there_is_told_and_the_rest_is_counted(self):
        got = run(PROGRAM, 'file1', 'nowhere', '.', 'file2', folder=self.folder)
        self.assertEqual(got.returncode, 1)
        self.assertEqual(got.stderr, 'thread_pool: nowhere: No such file or directory\n'
                                     'thread_pool: .: Is a directory\n')
        self.assertEqual(counts(got.stdout),
                         counts(run('wc', 'file1', 'file2', folder=self.folder).stdout))

    def test_bad_options_are_refused(self):
        for arguments in [], ['-j', '0', 'file1'], ['-j', 'x', 'file1'], ['-x', 'file1']:
            got = run(PROGRAM, *arguments, folder=self.folder)
            self.assertEqual((got.returncode, got.stdout), (2, ''))
            self.assertIn('usage: ', got.stderr)


if __name__ == '__main__':
    unittest.main(verbosity=2)
