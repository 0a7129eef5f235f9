#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""redis-server: open, or with a password; with a unix socket beside its port, or TLS on it."""
import contextlib
import shutil
import socket
import ssl

from service import LIMIT, Service


class Redis(Service):
    """With an authority its port speaks TLS."""

    name = 'redis'

    def __init__(self, where, password=None, authority=None, host=None):
        super().__init__(where, host)
        self.password = password
        self.authority = authority

    @staticmethod
    def program():
        """Its path; None if it is not installed."""
        return shutil.which('redis-server')

    @property
    def socket(self):
        return self.where / 'socket'

    def command(self):
        port = ['--port', str(self.port)]
        if self.authority is not None:
            cert, key = self.authority.sign(file=f'redis-{self.port}')
            port = ['--port', '0', '--tls-port', str(self.port), '--tls-cert-file', str(cert),
                    '--tls-key-file', str(key), '--tls-ca-cert-file', str(self.authority.ca),
                    '--tls-auth-clients', 'no']
        password = [] if self.password is None else ['--requirepass', self.password]
        return [self.program(), '--bind', self.host, *port, *password, '--save', '',
                '--appendonly', 'no', '--dir', str(self.where), '--daemonize', 'no',
                '--unixsocket', str(self.socket), '--unixsocketperm', '777']

    def is_ready(self):
        plain = socket.create_connection((self.host, self.port), timeout=LIMIT)
        with contextlib.closing(plain):
            if self.authority is None:
                return self.answers(plain)
            context = ssl.create_default_context(cafile=str(self.authority.ca))
            context.check_hostname = False
            with context.wrap_socket(plain) as inside:
                return self.answers(inside)

    @staticmethod
    def answers(connection):
        connection.sendall(b'PING\r\n')
        return connection.recv(100).startswith((b'+PONG', b'-NOAUTH'))

    @property
    def url(self):
        scheme = 'redis' if self.authority is None else 'rediss'
        password = '' if self.password is None else f':{self.password}@'
        return f'{scheme}://{password}{self.host}:{self.port}'
