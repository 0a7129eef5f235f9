#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compare examples/checksum with sha256sum.

usage: checksum.py PROGRAM
"""
import ctypes
import hashlib
import os
import pathlib
import pty
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.path.abspath(sys.argv.pop(1))
LIMIT = 60  # seconds after which a run counts as hung

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2


def as_anybody():
    """In the child: let root be refused what anybody else would be, and heed SIGINT."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None)
        for capability in CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH:
            libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def run(*command, folder):
    return subprocess.run(command, cwd=folder, preexec_fn=as_anybody, timeout=LIMIT, check=False,
                          stdin=subprocess.DEVNULL, capture_output=True,
                          env=dict(os.environ, LC_ALL='C'))


def start(*arguments, folder):
    return subprocess.Popen([PROGRAM, *arguments], cwd=folder, preexec_fn=as_anybody,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)


def sums(*names, folder):
    return run('sha256sum', '--', *names, folder=folder)


def message(line):
    """A line of standard error without the program's name and any quotes around the file's."""
    return line.split(b': ', 1)[1].replace(b"'", b'')


class Checksum(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='aioc-checksum-')
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.tree = self.folder / 'tree'
        self.tree.mkdir()

    def fill(self):
        """Files of all sorts that can be read; gives their names in order."""
        (self.tree / 'deep' / 'deeper' / 'deepest').mkdir(parents=True)
        (self.tree / 'no files').mkdir()
        names = ['empty', 'name with blanks', ' blank first', '-dash', 'back\\slash', 'new\nline',
                 'carriage\rreturn', '文件', 'deep/a', 'deep/deeper/b', 'deep/deeper/deepest/c',
                 'deep.txt', 'deep-1']
        for i, name in enumerate(names):
            (self.tree / name).write_bytes(name.encode() * (i * 9973))
        (self.tree / 'link').symlink_to('deep/a')
        (self.tree / 'link to a folder').symlink_to('deep')
        names += ['link']
        return sorted((f'tree/{name}' for name in names), key=os.fsencode)

    def test_the_sums_are_those_of_sha256sum_in_the_order_of_names(self):
        names = self.fill()
        want = sums(*names, folder=self.folder)
        self.assertEqual(want.returncode, 0, want.stderr)
        for options in [[], ['-j1'], ['-j', '8'], ['-t', '100']]:
            got = run(PROGRAM, *options, 'tree', folder=self.folder)
            self.assertEqual((got.returncode, got.stderr), (0, b''), options)
            self.assertEqual(got.stdout, want.stdout, options)

    def test_sha256sum_accepts_the_list(self):
        self.fill()
        (self.folder / 'list').write_bytes(run(PROGRAM, 'tree', folder=self.folder).stdout)
        self.assertEqual(run('sha256sum', '--strict', '-c', 'list',
                             folder=self.folder).returncode, 0)
        (self.tree / 'deep' / 'a').write_bytes(b'changed')
        self.assertEqual(run('sha256sum', '--strict', '-c', 'list',
                             folder=self.folder).returncode, 1)

    def test_a_folder_may_be_left_out_end_in_a_slash_or_be_a_file(self):
        (self.tree / 'a').write_bytes(b'a')
        for folder, name, arguments in [(self.tree, './a', []), (self.folder, 'tree/a', ['tree/']),
                                        (self.folder, 'tree/a', ['tree/a'])]:
            got = run(PROGRAM, *arguments, folder=folder)
            self.assertEqual((got.returncode, got.stdout, got.stderr),
                             (0, sums(name, folder=folder).stdout, b''))

    def test_several_folders_give_one_list(self):
        for name in 'b', 'a', 'c':
            (self.tree / name).mkdir()
            (self.tree / name / 'file').write_bytes(name.encode())
        got = run(PROGRAM, 'c', 'a', folder=self.tree)
        self.assertEqual((got.returncode, got.stdout, got.stderr),
                         (0, sums('a/file', 'c/file', folder=self.tree).stdout, b''))

    def test_an_empty_folder_gives_nothing(self):
        got = run(PROGRAM, 'tree', folder=self.folder)
        self.assertEqual((got.returncode, got.stdout, got.stderr), (0, b'', b''))

    def test_what_cannot_be_read_goes_to_standard_error_and_the_rest_is_summed(self):
        names = self.fill()
        (self.tree / 'dangling').symlink_to('nowhere')
        (self.tree / 'loop').symlink_to('loop')
        (self.tree / 'secret').write_bytes(b'secret')
        (self.tree / 'secret').chmod(0)
        with socket.socket(socket.AF_UNIX) as unix:
            unix.bind(os.fsencode(self.tree / 'socket'))
        names = sorted(names + [f'tree/{name}' for name in ('dangling', 'loop', 'secret', 'socket')],
                       key=os.fsencode)
        want = sums(*names, folder=self.folder)
        got = run(PROGRAM, '-j', '3', 'tree', folder=self.folder)
        self.assertEqual((got.returncode, want.returncode), (1, 1))
        self.assertEqual(got.stdout, want.stdout)
        self.assertEqual([message(line) for line in got.stderr.splitlines()],
                         [message(line) for line in want.stderr.splitlines()])
        self.assertGreaterEqual(len(got.stderr.splitlines()), 3)

    def test_a_folder_that_cannot_be_read_is_an_error_too(self):
        (self.tree / 'a').write_bytes(b'a')
        secret = self.tree / 'secret'
        secret.mkdir(mode=0)
        refused = run('ls', str(secret), folder=self.folder).returncode != 0
        got = run(PROGRAM, 'tree', folder=self.folder)
        self.assertEqual(got.stdout, sums('tree/a', folder=self.folder).stdout)
        if not refused:
            self.skipTest('this user may read every folder')
        self.assertEqual(got.returncode, 1)
        self.assertEqual(got.stderr, b'checksum: tree/secret: Permission denied\n')

    def test_a_folder_that_is_not_there_is_an_error(self):
        got = run(PROGRAM, 'nowhere', folder=self.folder)
        self.assertEqual((got.returncode, got.stdout, got.stderr),
                         (1, b'', b'checksum: nowhere: No such file or directory\n'))

    def test_a_fifo_that_nobody_writes_to_runs_out_of_time(self):
        names = self.fill()
        for name in 'fifo', 'another fifo':
            os.mkfifo(self.tree / name)
        for jobs in '1', '4':
            got = run(PROGRAM, '-t', '2', '-j', jobs, 'tree', folder=self.folder)
            self.assertEqual(got.returncode, 1)
            self.assertEqual(got.stdout, sums(*names, folder=self.folder).stdout)
            self.assertEqual(got.stderr, b'checksum: tree/another fifo: not read within 2 s\n'
                                         b'checksum: tree/fifo: not read within 2 s\n')

    def test_a_fifo_is_read_to_its_end(self):
        data = os.urandom(300000)
        os.mkfifo(self.tree / 'fifo')
        process = start('tree', folder=self.folder)
        with open(self.tree / 'fifo', 'wb') as fifo:  # waits for the reader
            fifo.write(data)
        output, errors = process.communicate(timeout=LIMIT)
        self.assertEqual((process.returncode, errors), (0, b''))
        self.assertEqual(output, f'{hashlib.sha256(data).hexdigest()}  tree/fifo\n'.encode())

    def test_an_interrupted_run_prints_nothing_and_the_next_one_all(self):
        names = self.fill()
        os.mkfifo(self.tree / 'fifo')
        for jobs in '1', '4':
            process = start('-j', jobs, 'tree', folder=self.folder)
            with open(self.tree / 'fifo', 'wb'):  # the program is reading, and stays at it
                process.send_signal(signal.SIGINT)
                output, errors = process.communicate(timeout=LIMIT)
            self.assertEqual((process.returncode, output, errors), (-signal.SIGINT, b'', b''))
        (self.tree / 'fifo').unlink()
        got = run(PROGRAM, 'tree', folder=self.folder)
        self.assertEqual(got.stdout, sums(*names, folder=self.folder).stdout)

    def test_progress_shows_on_a_terminal(self):
        (self.tree / 'a').write_bytes(b'a')
        terminal, stderr = pty.openpty()
        done = subprocess.run([PROGRAM, 'tree'], cwd=self.folder, stdout=subprocess.PIPE,
                              stderr=stderr, timeout=LIMIT, check=False)
        os.close(stderr)
        shown = b''
        try:
            while data := os.read(terminal, 4096):
                shown += data
        except OSError:  # the other end is closed, and all was read
            pass
        os.close(terminal)
        self.assertEqual(done.stdout, sums('tree/a', folder=self.folder).stdout)
        self.assertIn(b'\r0 of 1 files', shown)
        self.assertTrue(shown.endswith(b'\r\x1b[K'), shown)

    def test_bad_options_are_refused(self):
        for options in [['-j', '0'], ['-j', 'x'], ['-j', ''], ['-t', '0'], ['-t', 'nan'],
                        ['-t', '1x'], ['-x']]:
            got = run(PROGRAM, *options, folder=self.folder)
            self.assertEqual((got.returncode, got.stdout), (2, b''), options)
            self.assertIn(b'usage: ', got.stderr)


if __name__ == '__main__':
    unittest.main(verbosity=2)
