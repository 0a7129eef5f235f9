#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A private authority and what it signs, for tests."""
import pathlib
import subprocess


def openssl(*arguments, where):
    subprocess.run(['openssl', *arguments], cwd=where, check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Authority:
    """Files in a folder: ca.pem, and NAME.pem with NAME.key for each it has signed.

    Keys can be read by anybody, as services run as users of their own.
    """

    def __init__(self, where):
        self.where = pathlib.Path(where) / 'tls'
        self.where.mkdir(mode=0o755)
        openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1',
                '-nodes', '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2',
                '-subj', '/CN=authority of a test', where=self.where)

    @property
    def ca(self):
        return self.where / 'ca.pem'

    def sign(self, name='localhost',
             alternatives='DNS:localhost,IP:127.0.0.1,IP:127.0.0.2', file=None):
        """Give the paths of a certificate and of its key."""
        file = file or name
        (self.where / f'{file}.ext').write_text(f'subjectAltName={alternatives}\n')
        openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
                '-keyout', f'{file}.key', '-out', f'{file}.csr', '-subj', f'/CN={name}',
                where=self.where)
        openssl('x509', '-req', '-in', f'{file}.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key',
                '-CAcreateserial', '-out', f'{file}.pem', '-days', '2',
                '-extfile', f'{file}.ext', where=self.where)
        (self.where / f'{file}.key').chmod(0o644)
        return self.where / f'{file}.pem', self.where / f'{file}.key'
