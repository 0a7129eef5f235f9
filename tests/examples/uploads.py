#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Send files to the example uploads, and fetch them again.

usage: uploads.py PROGRAM
"""
import os
import pathlib
import sys
import tempfile

from web_service import Service

BOUNDARY = 'a-line-of-no-file'


def form(*parts):
    """A body of (name, filename or None, bytes)."""
    body = b''
    for name, filename, data in parts:
        file = f'; filename="{filename}"' if filename is not None else ''
        body += (f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
                 .encode() + data + b'\r\n')
    return body + f'--{BOUNDARY}--\r\n'.encode()


def send(service, *parts):
    return service.ask('POST', '/api/files', form(*parts),
                       {'content-type': f'multipart/form-data; boundary={BOUNDARY}'})[::2]


def check(service, folder):
    text = 'one\r\n--two\n' * 5000
    assert send(service, ('note', None, 'mine é'.encode()), ('file', '../../x.txt', text.encode())
                ) == (201, {'name': '1', 'note': 'mine é', 'kind': 'draft', 'size': len(text)})
    assert (folder / '1').read_bytes() == text.encode()
    status, headers, body = service.ask('GET', '/files/1')
    assert (status, body) == (200, text)
    assert service.ask('GET', '/files/1', headers={'if-none-match': headers['etag']})[0] == 304
    status, headers, body = service.ask('GET', '/files/1', headers={'range': 'bytes=5-8'})
    assert (status, body, headers['content-range']) == (206, '--tw', f'bytes 5-8/{len(text)}')
    assert service.ask('GET', '/files/..%2f..%2fetc%2fpasswd')[0] == 404
    assert send(service, ('note', None, b'x')) == (400, {'detail': 'a file is needed'})
    status, body = send(service, ('kind', None, b'odd'), ('file', 'x', b''))
    assert status == 422 and [wrong['loc'] for wrong in body['detail']] == [
        ['body', 'note'], ['body', 'kind']], body


def main():
    with tempfile.TemporaryDirectory() as where:
        with Service(sys.argv[1], where, '-1') as service:
            check(service, pathlib.Path(os.path.realpath(where)))
            out, _ = service.stop()
        assert 'stored 1\n' in out, out
    return 0


if __name__ == '__main__':
    sys.exit(main())
