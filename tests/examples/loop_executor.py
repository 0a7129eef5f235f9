#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run examples/loop_executor.

usage: loop_executor.py PROGRAM
"""
import os
import subprocess
import sys
import unittest

PROGRAM = os.path.abspath(sys.argv.pop(1))
LIMIT = 60  # seconds after which a run counts as hung


class LoopExecutor(unittest.TestCase):
    def test_jobs_run_in_the_thread_of_the_other_loop_beside_its_task(self):
        done = subprocess.run([PROGRAM], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=LIMIT, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        self.assertEqual(done.stdout, 'ValueError: no such number: twelve\n'
                                      "the other loop's task has seen 5000\n"
                                      '5003 jobs, 5003 completed\n')


if __name__ == '__main__':
    unittest.main(verbosity=2)
