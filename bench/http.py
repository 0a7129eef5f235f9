#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compare build/bench/http_server with Go's net/http and FastAPI on uvicorn, as Markdown.

usage: http.py [--build FOLDER] [--rounds N] [--seconds N] [--connections N] [NAME...]

The servers take turns, each pinned to one core with wrk on another. The figure that counts is
the processor time a request costs the server, which neighbours disturb least; a ratio is the
median over the rounds of aioc's figure divided by the other's in the same round.
"""
import argparse
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent


def servers(build):
    yield 'aioc', [build / 'bench/http_server'], {}
    if shutil.which('go'):
        (build / 'bench/go').mkdir(exist_ok=True)
        program = build / 'bench/go/http_server'
        subprocess.run(['go', 'build', '-o', program, HERE / 'baseline/http_server.go'], check=True,
                       env={**os.environ, 'GO111MODULE': 'off'})
        yield 'Go', [program], {'GOMAXPROCS': '1'}
    python = '/usr/bin/python3'
    if subprocess.run([python, '-c', 'import fastapi, uvicorn, uvloop, httptools'],
                      capture_output=True, check=False).returncode == 0:
        yield 'FastAPI', [python, HERE / 'baseline/http_server.py'], {}


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def cpu_seconds(pid):
    fields = pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def load(port, cores, seconds, connections):
    """Requests made, and requests a second, by wrk."""
    command = ['taskset', '-c', cores[1], 'wrk', '-t1', f'-c{connections}', f'-d{seconds}s',
               f'http://127.0.0.1:{port}/']
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if 'Non-2xx' in text or 'Socket errors' in text:
        sys.exit(text)
    return (int(re.search(r'(\d+) requests in', text).group(1)),
            float(re.search(r'Requests/sec:\s+([\d.]+)', text).group(1)))


def measure(command, env, cores, seconds, connections):
    """Microseconds of processor time a request, and requests a second."""
    port = free_port()
    server = subprocess.Popen(['taskset', '-c', cores[0], *map(str, command), str(port)],
                              env={**os.environ, **env}, stdout=subprocess.PIPE, text=True)
    try:
        if server.stdout.readline().strip() != 'READY':
            sys.exit(f'{command[0]} is not ready')
        time.sleep(0.2)
        load(port, cores, 1, connections)  # to warm up
        before = cpu_seconds(server.pid)
        requests, rate = load(port, cores, seconds, connections)
        return 1e6 * (cpu_seconds(server.pid) - before) / requests, rate
    finally:
        server.kill()
        server.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--build', type=pathlib.Path, default=HERE.parent / 'build')
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--seconds', type=int, default=5)
    parser.add_argument('--connections', type=int, default=50)
    parser.add_argument('names', nargs='*')
    options = parser.parse_args()
    cores = sorted(map(str, os.sched_getaffinity(0)))
    cores = (cores[0], cores[-1])
    found = [one for one in servers(options.build.resolve())
             if not options.names or one[0] in options.names]
    figures = {name: [] for name, _, _ in found}
    for _ in range(options.rounds):
        for name, command, env in found:
            figures[name].append(measure(command, env, cores, options.seconds, options.connections))
            print(name, *(f'{value:.1f}' for value in figures[name][-1]), file=sys.stderr)
    print('| server | µs CPU/request | requests/s | aioc / it, CPU |')
    print('|---|---|---|---|')
    for name, rows in figures.items():
        ratio = statistics.median(ours[0] / row[0] for ours, row in zip(figures['aioc'], rows))
        print(f'| {name} | {statistics.median(row[0] for row in rows):.2f} '
              f'| {statistics.median(row[1] for row in rows):,.0f} | {ratio:.3f} |')
    return 0


if __name__ == '__main__':
    sys.exit(main())
