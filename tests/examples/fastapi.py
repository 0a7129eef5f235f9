#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run the tutorial's web service against redis, ask it as its client does, and stop it.

usage: fastapi.py PROGRAM        env: SERVICE_REDIS
"""
import concurrent.futures
import os
import re
import sys
import time

from web_service import Service

CAR = {'key1': '1', 'key2': '2', 'key3': '3'}


def ask(service, method, path):
    status, _, body = service.ask(method, path)
    return status, body


def ask_all(service):
    assert ask(service, 'GET', '/') == (200, {'message': 'hello world!'})
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        began = time.monotonic()
        answers = list(pool.map(lambda _: ask(service, 'GET', '/red'), range(50)))
        took = time.monotonic() - began
    assert answers == [(200, CAR)] * 50, answers
    assert 1 <= took < 25, f'they waited one after the other: {took} s'
    assert ask(service, 'GET', '/nosuch') == (404, {'detail': 'Not Found'})
    assert ask(service, 'POST', '/red') == (405, {'detail': 'Method Not Allowed'})


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
    env = {**os.environ, 'TUTORIAL_REDIS': os.environ['SERVICE_REDIS'], 'TUTORIAL_APP_PORT': '-1'}
    with Service(sys.argv[1], env=env) as service:
        ask_all(service)
        check_output(*service.stop())
    return 0


if __name__ == '__main__':
    sys.exit(main())
