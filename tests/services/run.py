#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run a command while services are up: for tests written in C.

usage: run.py NAME... -- COMMAND...

The command's environment says where they are: SERVICE_CA is the file of the private
authority, and

    origin      SERVICE_ORIGIN           http://127.0.0.1:PORT, without a delay
    nginx       SERVICE_NGINX            https://localhost:PORT in front of it, HTTP/2
    nginx1      SERVICE_NGINX1           the same with HTTP/1.1 alone
    mutual      SERVICE_MUTUAL           the same, which wants a certificate of the client;
                                         SERVICE_CERT and SERVICE_KEY are files with a good one
    other       SERVICE_OTHER            the same, whose certificate is for another name

It ends with the command's status; with 77, which counts as skipped, if a program that is
to serve is not installed.
"""
import contextlib
import os
import subprocess
import sys

from nginx import Nginx
from origin import Origin
from service import folder
from tls import Authority

NGINX = {
    'nginx': {},
    'nginx1': {'http2': False},
    'mutual': {'ask_client': True},
    'other': {'names': 'DNS:elsewhere.test'},
}


def start(names, where, stack):
    """Give what the environment is to have."""
    authority = Authority(where)
    said = {'SERVICE_CA': str(authority.ca)}
    origin = stack.enter_context(Origin(where))
    said['SERVICE_ORIGIN'] = origin.url
    said['SERVICE_SEED'] = str(origin.seed)
    for name in names:
        if name == 'mutual':
            cert, key = authority.sign('client', file='client')
            said.update(SERVICE_CERT=str(cert), SERVICE_KEY=str(key))
        if name != 'origin':
            service = stack.enter_context(Nginx(where, origin, authority, **NGINX[name]))
            said[f'SERVICE_{name.upper()}'] = service.url
    return said


def main():
    split = sys.argv.index('--')
    names, command = sys.argv[1:split], sys.argv[split + 1:]
    if NGINX.keys() & set(names) and Nginx.program() is None:
        print('there is no nginx')
        sys.exit(77)
    with contextlib.ExitStack() as stack:
        said = start(names, stack.enter_context(folder()), stack)
        status = subprocess.run(command, env=dict(os.environ, **said), check=False).returncode
    sys.exit(status if status >= 0 else 128 - status)


if __name__ == '__main__':
    main()
