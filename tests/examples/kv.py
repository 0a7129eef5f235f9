#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The tutorial's server answers, forgets, sends the silent away, and ends when told.

usage: kv.py PROGRAM
"""
import signal
import socket
import subprocess
import sys


class Server:
    def __init__(self, program, *args):
        self.process = subprocess.Popen([program, '0', *args], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, encoding='utf-8')
        self.port = int(self.process.stdout.readline().split()[-1])

    def connect(self):
        return socket.create_connection(('127.0.0.1', self.port), timeout=30)

    def ask(self, connection, line):
        connection.sendall(f'{line}\n'.encode())
        return connection.makefile('rb').readline().decode()

    def end(self, signum):
        self.process.send_signal(signum)
        _, errors = self.process.communicate(timeout=30)
        return self.process.returncode, errors


def answers_and_ends(program):
    server = Server(program)
    with server.connect() as first, server.connect() as second:
        assert server.ask(first, 'set name kv') == 'ok\n'
        assert server.ask(second, 'get name') == 'kv\n'
        assert server.ask(second, 'get other') == '?\n'
        assert server.ask(second, 'dance').startswith('set KEY')
        assert server.ask(first, 'set short lived 0') == 'ok\n'
        answers = {server.ask(first, 'get short') for _ in range(100)}
        assert '?\n' in answers, answers
        second.sendall(b'x' * 200000)  # a line without an end: sent away
        try:
            while second.recv(65536):
                pass
        except ConnectionError:
            pass
        assert server.ask(first, 'get name') == 'kv\n'
        assert server.end(signal.SIGTERM) == (0, '')
        assert first.recv(1) == b''


def sends_the_silent_away(program):
    server = Server(program, '0.01')
    with server.connect() as silent:
        assert silent.recv(1) == b''
    assert server.end(signal.SIGINT) == (0, '')


if __name__ == '__main__':
    answers_and_ends(sys.argv[1])
    sends_the_silent_away(sys.argv[1])
