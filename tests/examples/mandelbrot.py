#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run examples/mandelbrot in every executor and look at the pictures.

usage: mandelbrot.py PROGRAM
"""
import os
import pathlib
import pty
import signal
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

PROGRAM = os.path.abspath(sys.argv.pop(1))
LIMIT = 60  # seconds after which a run counts as hung
EXECUTORS = ['default', 'threads', 'processes']


def run(*arguments, folder, **options):
    return subprocess.run([PROGRAM, *arguments], cwd=folder, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=LIMIT, check=False, **options)


def paeth(a, b, c):
    p = a + b - c
    return min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]


def read_png(data):
    """(width, height, rows of bytes) of a picture of 8-bit RGB, after the PNG specification."""
    assert data[:8] == b'\x89PNG\r\n\x1a\n'
    at, packed, header = 8, b'', None
    while at < len(data):
        size, kind = struct.unpack_from('>I4s', data, at)
        body = data[at + 8:at + 8 + size]
        assert zlib.crc32(kind + body) == struct.unpack_from('>I', data, at + 8 + size)[0]
        if kind == b'IHDR':
            header = struct.unpack('>IIBBBBB', body)
        elif kind == b'IDAT':
            packed += body
        at += size + 12
    width, height, *format_ = header
    assert format_ == [8, 2, 0, 0, 0], format_
    raw, rows = zlib.decompress(packed), []
    line = width * 3
    above = bytes(line)
    for row in range(height):
        kind, coded = raw[row * (line + 1)], raw[row * (line + 1) + 1:(row + 1) * (line + 1)]
        plain = bytearray(line)
        for i in range(line):
            left = plain[i - 3] if i >= 3 else 0
            corner = above[i - 3] if i >= 3 else 0
            guess = [0, left, above[i], (left + above[i]) // 2, paeth(left, above[i], corner)][kind]
            plain[i] = (coded[i] + guess) & 255
        rows.append(bytes(plain))
        above = rows[-1]
    return width, height, rows


class Mandelbrot(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='aioc-mandelbrot-')
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def picture(self, name='out.png'):
        return (self.folder / name).read_bytes()

    def test_the_picture_shows_the_set(self):
        done = run('-s', '150x100', '-n', '200', 'out.png', folder=self.folder)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, '', ''))
        width, height, rows = read_png(self.picture())
        self.assertEqual((width, height), (150, 100))

        def pixel(x, y):  # of the plane
            column = round((x + 0.75) / 3.5 * 150 + 75)
            row = round(-y / 3.5 * 150 + 50)
            return rows[row][column * 3:column * 3 + 3]
        for inside in (0, 0), (-1, 0), (-0.1, 0.7), (-0.1, -0.7):
            self.assertEqual(pixel(*inside), bytes(3), inside)
        for outside in (0.9, 0), (-2.4, 0), (0, 1.1), (-2, 0.5):
            self.assertNotEqual(pixel(*outside), bytes(3), outside)
        # What lies above the axis is seen below it as well.
        for row in range(1, 50):
            self.assertEqual(rows[50 - row], rows[50 + row])

    def test_every_executor_gives_the_same_picture(self):
        pictures = set()
        for executor in EXECUTORS:
            for options in [], ['-j3']:
                done = run('-e', executor, *options, '-s', '200x130', '-c', '-0.74,0.13',
                           '-w', '0.05', 'out.png', folder=self.folder)
                self.assertEqual((done.returncode, done.stderr), (0, ''), executor)
                pictures.add(self.picture())
        self.assertEqual(len(pictures), 1)

    def test_progress_shows_on_a_terminal(self):
        for executor in EXECUTORS:
            terminal, stderr = pty.openpty()
            done = subprocess.run([PROGRAM, '-e', executor, '-s', '128x128', 'out.png'],
                                  cwd=self.folder, stderr=stderr, timeout=LIMIT, check=False)
            os.close(stderr)
            shown = b''
            try:
                while data := os.read(terminal, 4096):
                    shown += data
            except OSError:  # the other end is closed, and all was read
                pass
            os.close(terminal)
            self.assertEqual(done.returncode, 0)
            self.assertIn(b'\r0 of 4 tiles', shown)
            self.assertTrue(shown.endswith(b'\r4 of 4 tiles\r\x1b[K'), shown)

    def test_an_interrupted_run_leaves_no_file(self):
        for executor in EXECUTORS:
            terminal, stderr = pty.openpty()
            process = subprocess.Popen(
                [PROGRAM, '-e', executor, '-j', '2', '-s', '2000x2000', '-n', '20000', 'out.png'],
                cwd=self.folder, stderr=stderr,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
            os.close(stderr)
            os.read(terminal, 1)  # it has begun
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(timeout=LIMIT), -signal.SIGINT, executor)
            os.close(terminal)
            self.assertEqual(list(self.folder.iterdir()), [])

    def test_a_file_that_cannot_be_written_is_told(self):
        done = run('-s', '10x10', 'nowhere/out.png', folder=self.folder)
        self.assertEqual((done.returncode, done.stdout), (1, ''))
        self.assertIn('nowhere/out.png.part: No such file or directory', done.stderr)

    def test_bad_options_are_refused(self):
        for arguments in ([], ['a.png', 'b.png'], ['-e', 'fibers', 'a.png'], ['-j', '0', 'a.png'],
                          ['-j', '2x', 'a.png'], ['-s', '10', 'a.png'], ['-s', '0x9', 'a.png'],
                          ['-s', '99999x9', 'a.png'], ['-n', '0', 'a.png'], ['-c', '1', 'a.png'],
                          ['-c', 'nan,0', 'a.png'], ['-w', '-1', 'a.png'], ['-x', 'a.png']):
            done = run(*arguments, folder=self.folder)
            self.assertEqual((done.returncode, done.stdout), (2, ''), arguments)
            self.assertIn('usage: ', done.stderr)
        self.assertEqual(list(self.folder.iterdir()), [])


if __name__ == '__main__':
    unittest.main(verbosity=2)
