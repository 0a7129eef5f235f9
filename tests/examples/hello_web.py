#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Ask the example hello_web what its comments say.

usage: hello_web.py PROGRAM
"""
import re
import sys

from web_service import Service


def check(service):
    status, headers, body = service.ask('GET', '/')
    assert (status, body) == (200, {'message': 'Hello, World!'})
    assert float(headers['x-process-time']) >= 0
    assert service.ask('GET', '/items/3?q=a+b')[::2] == (200, {'id': 3, 'q': 'a b'})
    assert service.ask('GET', '/items/3')[::2] == (200, {'id': 3, 'q': None})
    assert service.ask('GET', '/items/100')[::2] == (404, {'detail': 'Item not found'})
    status, _, body = service.ask('GET', '/items/x')
    assert status == 422 and body['detail'][0]['loc'] == ['path', 'id'], body
    json = {'content-type': 'application/json'}
    assert service.ask('POST', '/items', '{"name": "cup", "price": "2.5"}', json)[::2] == (
        201, {'name': 'cup', 'price': 2.5, 'offer': False})
    status, _, body = service.ask('POST', '/items', '{"name": "", "price": -1}', json)
    assert status == 422, body
    assert [error['loc'] for error in body['detail']] == [['body', 'name'], ['body', 'price']]
    assert service.ask('GET', '/slow')[::2] == (200, 'done\n')
    assert service.ask('GET', '/count')[::2] == (200, '1\n2\n3\n')
    assert service.ask('OPTIONS', '/')[0] == 405


def main():
    with Service(sys.argv[1], '-1') as service:
        check(service)
        out, err = service.stop()
    lines = out.splitlines()
    assert lines[0] == 'open' and lines[-1] == 'closed', out
    assert re.fullmatch(r'INFO:     127\.0\.0\.1:\d+ - "GET / HTTP/1\.1" 200 OK', lines[1]), out
    assert 'Application startup complete.' in err and 'Shutting down' in err, err
    with Service(sys.argv[1], '-1', 3) as service:
        for _ in range(4):  # whichever answers
            check(service)
        out, err = service.stop()
    assert out.count('open\n') == out.count('closed\n') == 3, out
    assert err.count('Finished server process') == 3, err
    return 0


if __name__ == '__main__':
    sys.exit(main())
