#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run the tutorial's web service against redis, ask it as its client does, and stop it.

usage: fastapi.py PROGRAM        env: SERVICE_REDIS
"""
import concurrent.futures
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

CAR = {'key1': '1', 'key2': '2', 'key3': '3'}


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def ask(port, method, path):
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=60)
    connection.request(method, path)
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    assert response.getheader('content-type') == 'application/json', response.headers
    return response.status, json.loads(body)


def ask_all(port):
    assert ask(port, 'GET', '/') == (200, {'message': 'hello world!'})
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        began = time.monotonic()
        answers = list(pool.map(lambda _: ask(port, 'GET', '/red'), range(50)))
        took = time.monotonic() - began
    assert answers == [(200, CAR)] * 50, answers
    assert 1 <= took < 25, f'they waited one after the other: {took} s'
    assert ask(port, 'GET', '/nosuch') == (404, {'detail': 'Not Found'})
    assert ask(port, 'POST', '/red') == (405, {'detail': 'Method Not Allowed'})


def check_output(out, err):
    lines = out.splitlines()
    assert lines.count('请求来了') == 50, out
    assert lines.count(str(CAR)) == 50, out
    for line, count in {'GET / HTTP/1.1" 200 OK': 1, 'GET /red HTTP/1.1" 200 OK': 50,
                        'GET /nosuch HTTP/1.1" 404 Not Found': 1,
                        'POST /red HTTP/1.1" 405 Method Not Allowed': 1}.items():
        pattern = rf'INFO:     127\.0\.0\.1:\d+ - "{re.escape(line)}'
        assert sum(bool(re.fullmatch(pattern, each)) for each in lines) == count, out
    assert 'Application startup complete.' in err and 'Finished server process' in err, err


def main():
    port = free_port()
    env = {**os.environ, 'TUTORIAL_REDIS': os.environ['SERVICE_REDIS'],
           'TUTORIAL_APP_PORT': str(port)}
    program = subprocess.Popen([sys.argv[1]], env=env, text=True, encoding='utf-8',
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    said = ''
    try:
        while 'running on' not in said:
            line = program.stderr.readline()
            assert line, said
            said += line
        ask_all(port)
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=60)
    finally:
        program.kill()
        program.wait()
    assert program.returncode == 0, (program.returncode, err)
    check_output(out, said + err)
    return 0


if __name__ == '__main__':
    sys.exit(main())
