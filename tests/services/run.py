#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run a command while services are up: for tests written in C.

usage: run.py NAME... -- COMMAND...
       run.py NAME...

Without a command it writes what would be the command's environment, then "ready", and ends with
its standard input.

The environment says where the services are: SERVICE_CA is the file of the private
authority, SERVICE_CONTROL the socket of control.py, and

    origin      SERVICE_ORIGIN           http://127.0.0.1:PORT, without a delay
    nginx       SERVICE_NGINX            https://localhost:PORT in front of it, HTTP/2
    nginx1      SERVICE_NGINX1           the same with HTTP/1.1 alone
    mutual      SERVICE_MUTUAL           the same, which wants a certificate of the client;
                                         SERVICE_CERT and SERVICE_KEY are files with a good one
    other       SERVICE_OTHER            the same, whose certificate is for another name
    proxy       SERVICE_PROXY            127.0.0.1:PORT, for user "user", password "p@ss:word"
    redis       SERVICE_REDIS            redis://127.0.0.1:PORT, also in REDIS_URL;
                                         SERVICE_REDIS_SOCKET is its path
    redis_auth  SERVICE_REDIS_AUTH       the same with a password: redis://:PASSWORD@...
    redis_tls   SERVICE_REDIS_TLS        the same with TLS: rediss://:PASSWORD@...
    mariadb     SERVICE_MARIADB_PORT     on 127.0.0.1, user root, with TLS too; _SOCKET and
                                         _PASSWORD. Also in MYSQL_TCP_PORT and MYSQL_PWD

It ends with the command's status; with 77, which counts as skipped, if a program that is
to serve is not installed.
"""
import contextlib
import os
import subprocess
import sys

from control import Control
from mariadb import Mariadb
from nginx import Nginx
from origin import Origin
from proxy import Proxy
from redis import Redis
from service import folder
from tls import Authority

NGINX = {
    'nginx': {},
    'nginx1': {'http2': False},
    'mutual': {'ask_client': True},
    'other': {'names': 'DNS:elsewhere.test'},
}
REDIS = ['redis', 'redis_auth', 'redis_tls']
PASSWORD = 'p4ss-w0rd'


def missing(names):
    """What is asked for and not installed."""
    if NGINX.keys() & set(names) and Nginx.program() is None:
        yield 'nginx'
    if set(REDIS) & set(names) and Redis.program() is None:
        yield 'redis-server'
    if 'mariadb' in names and Mariadb.program() is None:
        yield 'mariadbd'


def start_web(names, where, authority, enter):
    """The origin, and what stands in front of it."""
    origin = enter('origin', Origin(where))
    said = {'SERVICE_ORIGIN': origin.url, 'SERVICE_SEED': str(origin.seed)}
    for name in [name for name in names if name in NGINX]:
        if name == 'mutual':
            cert, key = authority.sign('client', file='client')
            said.update(SERVICE_CERT=str(cert), SERVICE_KEY=str(key))
        service = enter(name, Nginx(where, origin, authority, **NGINX[name]))
        said[f'SERVICE_{name.upper()}'] = service.url
    return said


def start_redis(name, where, authority, enter):
    service = enter(name, Redis(where, password=None if name == 'redis' else PASSWORD,
                                authority=authority if name == 'redis_tls' else None))
    said = {f'SERVICE_{name.upper()}': service.url,
            f'SERVICE_{name.upper()}_SOCKET': str(service.socket)}
    return said | {'REDIS_URL': service.url} if name == 'redis' else said


def start_mariadb(where, authority, enter):
    service = enter('mariadb', Mariadb(where, PASSWORD, authority))
    return {'SERVICE_MARIADB_PORT': str(service.port), 'SERVICE_MARIADB_PASSWORD': PASSWORD,
            'SERVICE_MARIADB_SOCKET': str(service.socket), 'MYSQL_TCP_PORT': str(service.port),
            'MYSQL_PWD': PASSWORD}


def start(names, where, stack):
    """Give what the environment is to have."""
    services = {}

    def enter(name, service):
        services[name] = stack.enter_context(service)
        return services[name]

    authority = Authority(where)
    control = stack.enter_context(Control(where, services))
    said = {'SERVICE_CA': str(authority.ca), 'SERVICE_CONTROL': str(control.path)}
    if 'origin' in names or NGINX.keys() & set(names):
        said |= start_web(names, where, authority, enter)
    if 'proxy' in names:
        proxy = enter('proxy', Proxy(where))
        said['SERVICE_PROXY'] = f'{proxy.host}:{proxy.port}'
    for name in [name for name in names if name in REDIS]:
        said |= start_redis(name, where, authority, enter)
    if 'mariadb' in names:
        said |= start_mariadb(where, authority, enter)
    return said


def hold(said):
    for name, value in said.items():
        print(f'{name}={value}')
    print('ready', flush=True)
    sys.stdin.read()
    return 0


def run(said, command):
    status = subprocess.run(command, env=dict(os.environ, **said), check=False).returncode
    return status if status >= 0 else 128 - status


def main():
    split = sys.argv.index('--') if '--' in sys.argv else len(sys.argv)
    names, command = sys.argv[1:split], sys.argv[split + 1:]
    for program in missing(names):
        print(f'there is no {program}')
        sys.exit(77)
    with contextlib.ExitStack() as stack:
        said = start(names, stack.enter_context(folder()), stack)
        status = run(said, command) if command else hold(said)
    sys.exit(status)


if __name__ == '__main__':
    main()
