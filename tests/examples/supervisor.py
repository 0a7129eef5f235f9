#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Let examples/supervisor run services that end, fail, and do not want to stop.

usage: supervisor.py PROGRAM
"""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.path.abspath(sys.argv.pop(1))
LIMIT = 60  # seconds after which a run counts as hung

# Holds the signal back until it waits for it, so that none comes too early.
POLITE = r"""
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print("ready\n", end="", flush=True)
signal.sigwait([signal.SIGTERM])
print("bye\n", end="", flush=True)
"""


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], timeout=LIMIT, check=False, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True)


class Supervisor(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='aioc-supervisor-')
        self.addCleanup(folder.cleanup)
        self.file = pathlib.Path(folder.name) / 'starts'

    def signalled(self, number, *arguments, services=1):
        """Start, send a signal when that many services have said so, and wait."""
        with subprocess.Popen([PROGRAM, *arguments], stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            for _ in range(services):
                self.assertEqual(child.stdout.readline(), 'ready\n')
            child.send_signal(number)
            out, err = child.communicate(timeout=LIMIT)
        return child.returncode, out, err

    def test_services_that_end_well_are_done(self):
        done = run('echo one', 'echo two')
        self.assertEqual(done.returncode, 0)
        self.assertEqual(sorted(done.stdout.splitlines()), ['one', 'two'])
        self.assertIn('echo one: ended with 0\n', done.stderr)

    def test_service_that_fails_is_started_again(self):
        done = run('-r', '2', '-p', '0', f'echo >>{self.file}; exit 7')
        self.assertEqual(done.returncode, 1)
        self.assertEqual(self.file.read_text(), '\n' * 3)
        self.assertEqual(done.stderr.count('ended with 7\n'), 3)

    def test_service_that_recovers_is_done(self):
        done = run('-p', '0', f'echo >>{self.file}; test $(wc -l <{self.file}) = 3')
        self.assertEqual(done.returncode, 0)
        self.assertEqual(self.file.read_text(), '\n' * 3)

    def test_service_that_gives_up_stops_the_others(self):
        done = run('-r', '0', 'exec sleep 1000', 'kill -9 $$')
        self.assertEqual(done.returncode, 1)
        self.assertIn('kill -9 $$: ended with -9\n', done.stderr)
        self.assertIn('exec sleep 1000: stopped\n', done.stderr)

    def test_signals_stop_all(self):
        polite = f"exec '{sys.executable}' -c '{POLITE}'"
        for number in signal.SIGINT, signal.SIGTERM:
            code, out, err = self.signalled(number, polite, polite, services=2)
            self.assertEqual(code, 0, err)
            self.assertEqual(out, 'bye\nbye\n')

    def test_service_that_does_not_want_to_stop_is_killed(self):
        code, _, err = self.signalled(signal.SIGTERM, '-g', '0.01',
                                      'trap "" TERM; echo ready; sleep 1000')
        self.assertEqual(code, 0, err)
        self.assertIn('stopped\n', err)

    def test_wrong_use_is_told(self):
        self.assertEqual(run().returncode, 2)
        self.assertEqual(run('-z', 'true').returncode, 2)


if __name__ == '__main__':
    unittest.main()
