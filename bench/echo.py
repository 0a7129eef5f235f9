#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What echoing costs a server, beside bare libuv, uvloop and asyncio, as Markdown.

usage: echo.py [--rounds N] [--seconds S] [--sizes N,N] [--connections N,N] [--unix]
               [--build FOLDER] [SERVER...]

A SERVER is one of those below; none: all. build/bench/echo_load sends and checks; a figure is the
processor time that the server spent on one request. Servers take turns, round by round, so that
what else the machine does hits all alike; a ratio is the median over the rounds of a server's
figure divided by the other's in the same round.
"""
import argparse
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PYTHON = '/usr/bin/python3'

# Each against what, and how much of it is allowed.
TARGETS = {
    'stream': [('libuv', 1.10), ('uvloop stream', 0.5)],
    'protocol': [('libuv', 1.05), ('uvloop protocol', 0.85)],
    'buffered': [('libuv', 1.05), ('uvloop buffered', 0.85)],
}


def servers(build):
    python = [PYTHON, HERE / 'baseline' / 'echo_uvloop.py']
    return {
        'stream': [build / 'bench' / 'echo_server', '--mode', 'stream'],
        'protocol': [build / 'bench' / 'echo_server', '--mode', 'protocol'],
        'buffered': [build / 'bench' / 'echo_server', '--mode', 'buffered'],
        'libuv': [build / 'bench' / 'baseline_uv_echo'],
        'uvloop stream': [*python, '--mode', 'stream'],
        'uvloop protocol': [*python, '--mode', 'protocol'],
        'uvloop buffered': [*python, '--mode', 'buffered'],
        'asyncio stream': [*python, '--loop', 'asyncio', '--mode', 'stream'],
        'asyncio protocol': [*python, '--loop', 'asyncio', '--mode', 'protocol'],
    }


def free_port():
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return sock.getsockname()[1]


def measure(command, load, where, size, connections, seconds):
    """One run: {'cpu_ns': ..., 'p50_us': ...}."""
    with subprocess.Popen([*map(str, command), *where], stdout=subprocess.PIPE, text=True) as server:
        try:
            if server.stdout.readline() != 'READY\n':
                sys.exit(f'{command} does not start')
            done = subprocess.run(
                [load, '--pid', str(server.pid), '--size', str(size), '--connections',
                 str(connections), '--seconds', str(seconds), *where],
                capture_output=True, text=True, check=False)
        finally:
            server.kill()
    if done.returncode != 0:
        sys.exit(f'{command}: {done.stderr}')
    return {name: float(value) for name, value in map(str.split, done.stdout.splitlines())}


def rows(names, results):
    for name in names:
        figures = [run['cpu_ns'] for run in results[name]]
        latency = statistics.median(run['p99_us'] for run in results[name])
        rate = statistics.median(run['per_second'] for run in results[name])
        words = []
        for other, most in TARGETS.get(name, []):
            if other in results:
                ratio = statistics.median(
                    a / b['cpu_ns'] for a, b in zip(figures, results[other]))
                mark = 'met' if ratio <= most else '**missed**'
                words.append(f'{ratio:.3f} of {other} ({mark}: ≤ {most:g})')
        yield f'| {name} | {statistics.median(figures):,.0f} | {rate:,.0f} | {latency:,.0f} | ' \
              f'{"; ".join(words)} |'


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--seconds', type=float, default=1)
    parser.add_argument('--sizes', default='1024')
    parser.add_argument('--connections', default='10')
    parser.add_argument('--unix', action='store_true')
    parser.add_argument('--build', type=pathlib.Path, default='build')
    parser.add_argument('servers', nargs='*', metavar='SERVER')
    options = parser.parse_args()
    known = servers(options.build.resolve())
    names = options.servers or list(known)
    load = options.build.resolve() / 'bench' / 'echo_load'
    for size in map(int, options.sizes.split(',')):
        for connections in map(int, options.connections.split(',')):
            results = {name: [] for name in names}
            for _ in range(options.rounds):
                for name in names:
                    with tempfile.TemporaryDirectory() as folder:
                        where = ['--unix', f'{folder}/s'] if options.unix else [str(free_port())]
                        results[name].append(measure(known[name], load, where, size, connections,
                                                     options.seconds))
            print(f'\n{size} bytes, {connections} connections\n')
            print('| server | CPU ns a request | a second | p99 µs | |')
            print('| --- | --- | --- | --- | --- |')
            print('\n'.join(rows(names, results)), flush=True)


main()
