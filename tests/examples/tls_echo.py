#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Let the two halves of examples/tls_echo talk to each other.

usage: tls_echo.py PROGRAM
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


def client(*arguments, text=''):
    return subprocess.run([PROGRAM, 'client', *arguments], timeout=LIMIT, check=False, text=True,
                          input=text, capture_output=True)


class TlsEcho(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='aioc-tls-echo-')
        self.addCleanup(folder.cleanup)
        here = pathlib.Path(folder.name)
        self.certificate = str(here / 'cert.pem')
        subprocess.run(
            ['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
             '-nodes', '-keyout', here / 'key.pem', '-out', self.certificate, '-days', '7', '-subj',
             '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'],
            check=True, capture_output=True)
        both = here / 'both.pem'
        both.write_text((here / 'cert.pem').read_text() + (here / 'key.pem').read_text())
        self.server = subprocess.Popen([PROGRAM, 'server', both], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.server.communicate)
        self.addCleanup(self.server.kill)
        self.port = self.server.stdout.readline().split()[-1]

    def test_lines_come_back(self):
        text = ''.join(f'line {i}\n' for i in range(500))
        done = client('localhost', self.port, self.certificate, text=text)
        self.assertEqual((done.returncode, done.stdout), (0, text), done.stderr)
        self.assertIn('TLSv1.3, ', done.stderr)

    def test_the_system_does_not_know_the_authority(self):
        done = client('localhost', self.port, text='secret\n')
        self.assertEqual(done.returncode, 1)
        self.assertIn('SSLCertVerificationError: certificate verify failed', done.stderr)

    def test_no_authority_is_no_reason_to_talk_in_the_clear(self):
        done = client('localhost', self.port, '/nonexistent')
        self.assertEqual(done.returncode, 1)
        self.assertIn('holds no authority', done.stderr)

    def test_ctrl_c_ends_the_server(self):
        self.server.send_signal(signal.SIGINT)
        self.assertEqual(self.server.wait(LIMIT), 1)


if __name__ == '__main__':
    unittest.main(verbosity=2)
