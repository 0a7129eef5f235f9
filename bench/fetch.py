#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run build/bench/fetch beside Go's net/http and aiohttp on uvloop, against one nginx.

usage: fetch.py [--rounds N] [--build FOLDER]

The contenders take turns; a ratio is the median over the rounds of aioc's figure divided by the
other's in the same round. All have one thread to run on: GOMAXPROCS is 1 for Go.
"""
import argparse
import collections
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'tests' / 'services'))
# pylint: disable=wrong-import-position
from nginx import Nginx  # noqa: E402
from service import folder  # noqa: E402

CONF = """
daemon off;
worker_processes 1;
pid {where}/pid;
error_log {where}/log;
{user}
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {where}/body; proxy_temp_path {where}/proxy;
    fastcgi_temp_path {where}/fastcgi; uwsgi_temp_path {where}/uwsgi; scgi_temp_path {where}/scgi;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    open_file_cache max=10;
    server {{ listen {host}:{port}; root {where}; default_type application/octet-stream; }}
}}
"""


class Files(Nginx):
    """nginx that serves two files."""

    def __init__(self, where):
        super().__init__(where, origin=None)

    def prepare(self):
        (self.where / 'small').write_bytes(os.urandom(1024))
        (self.where / 'large').write_bytes(os.urandom(1 << 20))
        user = 'user root;' if self.where.owner() == 'root' else ''
        (self.where / 'conf').write_text(CONF.format(where=self.where, host=self.host,
                                                     port=self.port, user=user))


def contenders(build):
    yield 'aioc', [build / 'bench' / 'fetch'], {}
    if shutil.which('go'):
        program = build / 'bench' / 'go' / 'fetch'
        program.parent.mkdir(exist_ok=True)
        subprocess.run(['go', 'build', '-o', program, HERE / 'baseline' / 'fetch.go'], check=True,
                       env={**os.environ, 'GO111MODULE': 'off'})
        yield 'Go', [program], {'GOMAXPROCS': '1'}
    if subprocess.run(['/usr/bin/python3', '-c', 'import aiohttp, uvloop'], check=False,
                      capture_output=True).returncode == 0:
        yield 'aiohttp', ['/usr/bin/python3', HERE / 'baseline' / 'fetch.py'], {}


def measure(found, port, rounds):
    figures = collections.defaultdict(lambda: collections.defaultdict(list))
    for _ in range(rounds):
        for name, command, env in found:
            done = subprocess.run([*map(str, command), str(port)], text=True, check=True,
                                  stdout=subprocess.PIPE, env={**os.environ, **env})
            for line in done.stdout.splitlines():
                what, wall, cpu = line.split()
                figures[what + ' wall'][name].append(float(wall))
                figures[what + ' cpu'][name].append(float(cpu))
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--build', type=pathlib.Path, default='build')
    arguments = parser.parse_args()
    found = list(contenders(arguments.build.resolve()))
    with folder() as where, Files(where) as server:
        figures = measure(found, server.port, arguments.rounds)
    for what, by_name in figures.items():
        ours = by_name['aioc']
        line = [f'{what}: aioc {statistics.median(ours):,.0f} ns']
        for name, theirs in by_name.items():
            if name != 'aioc':
                ratio = statistics.median(a / b for a, b in zip(ours, theirs))
                line.append(f'{name} {statistics.median(theirs):,.0f} ns ({ratio:.2f})')
        print(', '.join(line))


if __name__ == '__main__':
    main()
