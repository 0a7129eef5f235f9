#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The same service by FastAPI and by ours, and the same requests to both: the answers are the same.

usage: web.py PROGRAM

Skipped where FastAPI (0.92, with pydantic 1) is not to be had. What we do otherwise on purpose
essence() leaves out.
"""
import asyncio
import json
import pathlib
import subprocess
import sys

SKIP = 77

try:
    import fastapi
except ImportError:
    # A system's packages are for the system's Python.
    if sys.executable != '/usr/bin/python3' and pathlib.Path('/usr/bin/python3').exists():
        sys.exit(subprocess.run(['/usr/bin/python3', *sys.argv], check=False).returncode)
    sys.exit(SKIP)

# pylint: disable=wrong-import-position,import-error
import pydantic  # noqa: E402

if not pydantic.VERSION.startswith('1.'):
    sys.exit(SKIP)

import enum  # noqa: E402
import typing  # noqa: E402

from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'examples'))
from web_service import Service  # noqa: E402


class Colour(str, enum.Enum):
    RED = 'red'
    GREEN = 'green'


class Inner(pydantic.BaseModel):
    x: int


class Item(pydantic.BaseModel):
    name: pydantic.constr(min_length=1, max_length=5)
    price: pydantic.confloat(gt=0)
    tags: typing.List[str]
    offer: bool = False
    inner: Inner


app = fastapi.FastAPI(openapi_url=None)
router = fastapi.APIRouter()


@app.get('/items/{id}')
async def read_item(id: int, q: typing.Optional[str] = None):  # pylint: disable=redefined-builtin
    return {'id': id, 'q': q}


@app.get('/rates/{rate}')
async def read_rate(rate: float):
    return {'rate': rate}


@app.get('/files/{path:path}')
async def read_path(path: str):
    return {'path': path}


@app.get('/query')
async def read_query(rate: float, number: int = fastapi.Query(7, ge=0, lt=100), flag: bool = False,
                     names: typing.List[str] = fastapi.Query([], max_items=3),
                     colour: Colour = Colour.RED):
    return {'number': number, 'rate': rate, 'flag': flag, 'names': names, 'colour': colour}


@app.post('/items', status_code=201)
async def create_item(item: Item):
    return item


@app.get('/token')
async def read_token(x_token: str = fastapi.Header()):
    return {'token': x_token}


@app.get('/session')
async def read_session(session: int = fastapi.Cookie()):
    return {'session': session}


@app.get('/refuse')
async def refuse():
    raise fastapi.HTTPException(404, 'no item')


@app.get('/fail')
async def fail():
    raise ValueError('on purpose')


@app.get('/redirect')
async def redirect():
    return RedirectResponse('/slash/')


@app.get('/cookie')
async def give_cookie():
    answer = PlainTextResponse('baked')
    answer.set_cookie('a', 'b', max_age=60, httponly=True)
    return answer


@router.get('/slash/', response_class=HTMLResponse)
async def say():
    return '<p>'


app.include_router(router)
app.include_router(router, prefix='/more')

GOOD = {'name': 'a', 'price': 1.5, 'tags': ['x', 'y'], 'inner': {'x': 3}}

REQUESTS = [('GET', path, None) for path in [
    '/items/3', '/items/3?q=a+b%26', '/items/3?q=', '/items/-5', '/items/+5', '/items/three',
    '/items/3.0', '/items/%20', '/items/', '/items/3/', '/items/3/4', '/items/3/?q=1',
    '/items/99999999999', '/rates/1', '/rates/-2.5e3', '/rates/x', '/files/a/b%20c', '/files/',
    '/files', '/nowhere', '//', '/query', '/query?rate=1', '/query?rate=1&number=100',
    '/query?rate=1&number=-1', '/query?rate=1&number=99&flag=yes&colour=green',
    '/query?rate=1&flag=maybe', '/query?rate=1&flag=', '/query?rate=x&number=y&colour=blue',
    '/query?rate=1&names=a&names=b', '/query?rate=1&names=a&names=b&names=c&names=d',
    '/query?rate=1&rate=2', '/query?rate=', '/query?rate=0.1&number=+7', '/query?rate=1&other=x',
    '/token', '/session', '/refuse', '/fail', '/redirect', '/cookie', '/slash', '/slash/',
    '/more/slash/', '/more/slash?x=1', '/more',
]] + [(method, path, None) for method, path in [
    ('POST', '/items/3'), ('DELETE', '/items/3'), ('OPTIONS', '/items/3'), ('HEAD', '/items/3'),
    ('GET', '/items'), ('PUT', '/items'), ('HEAD', '/nowhere'), ('POST', '/slash'),
]] + [('POST', '/items', json.dumps(body)) for body in [
    GOOD, {}, [], [1], 'text', 5, None, {**GOOD, 'offer': 'on'}, {**GOOD, 'offer': 2},
    {**GOOD, 'name': ''}, {**GOOD, 'name': 'toolong'}, {**GOOD, 'name': 5}, {**GOOD, 'name': None},
    {**GOOD, 'name': ['a']}, {**GOOD, 'price': 0}, {**GOOD, 'price': '2.5'}, {**GOOD, 'price': 'x'},
    {**GOOD, 'price': True}, {**GOOD, 'tags': 'x'}, {**GOOD, 'tags': [1, 'a', None]},
    {**GOOD, 'tags': []}, {**GOOD, 'tags': None}, {**GOOD, 'inner': {}}, {**GOOD, 'inner': 3},
    {**GOOD, 'inner': {'x': 'y'}}, {**GOOD, 'inner': {'x': 2.9}}, {**GOOD, 'inner': {'x': '7'}},
    {**GOOD, 'inner': {'x': False}}, {**GOOD, 'more': 1}, {**GOOD, 'name': 'é"\\\n'},
]] + [('POST', '/items', body) for body in ['', '{', '[1,', 'nonsense']]

HEADERS = [('GET', '/token', {'X-Token': 'abc'}), ('GET', '/token', {'x-token': ''}),
           ('GET', '/session', {'Cookie': 'a=b; session=7'}),
           ('GET', '/session', {'Cookie': 'session=x'}),
           ('POST', '/items', {'Content-Type': 'text/plain'}),
           ('POST', '/items', {'Content-Type': 'application/vnd.x+json'})]


async def ask_fastapi(method, path, body, headers):
    """(status, headers, body) of an application without a server."""
    path, _, query = path.partition('?')
    raw = path.encode()
    scope = {'type': 'http', 'asgi': {'version': '3.0'}, 'http_version': '1.1', 'method': method,
             'scheme': 'http', 'path': decode(path), 'raw_path': raw,
             'query_string': query.encode(), 'root_path': '', 'server': ('test', 80),
             'client': ('test', 1),
             'headers': [(b'host', b'test')] + [(name.lower().encode(), value.encode())
                                                for name, value in headers.items()]}
    said = []

    async def receive():
        return {'type': 'http.request', 'body': (body or '').encode(), 'more_body': False}

    async def send(message):
        said.append(message)

    try:
        await app(scope, receive, send)
    except ValueError as error:  # Starlette passes on what it has answered with 500
        assert str(error) == 'on purpose', error
    text = b''.join(message.get('body', b'') for message in said[1:]).decode()
    if method == 'HEAD':  # which the server leaves out
        text = ''
    return (said[0]['status'],
            {name.decode(): value.decode() for name, value in said[0]['headers']}, text)


def decode(path):
    from urllib.parse import unquote  # pylint: disable=import-outside-toplevel
    return unquote(path)


def essence(answer):
    """What is to be the same of an answer."""
    status, headers, text = answer
    headers = {name.lower(): value for name, value in headers.items()}
    kept = {name: headers.get(name) for name in ('content-type', 'allow', 'location', 'set-cookie')}
    if kept['location']:  # ours are without the host
        kept['location'] = kept['location'].removeprefix('http://test')
    if kept['set-cookie']:
        kept['set-cookie'] = sorted(kept['set-cookie'].split('; '))
    try:
        said = json.loads(text)
    except ValueError:
        said = text
    if status == 422:
        for wrong in said['detail']:  # where and why a text is no JSON, Python says in its words
            if wrong['type'] == 'value_error.jsondecode':
                wrong.update(loc=['body'], msg='', ctx=None)
    return status, kept, said


def ask_both(service, method, path, body, headers):
    theirs = essence(asyncio.run(ask_fastapi(method, path, body, headers)))
    status, ours, said = service.ask(method, path, body, headers)
    return theirs, essence((status, dict(ours.items()), said if isinstance(said, str)
                            else json.dumps(said)))


def main():
    different = 0
    requests = [(method, path, body, {'Content-Type': 'application/json'} if body else {})
                for method, path, body in REQUESTS]
    requests += [(method, path, json.dumps(GOOD) if method == 'POST' else None, headers)
                 for method, path, headers in HEADERS]
    with Service(sys.argv[1]) as service:
        for request in requests:
            theirs, ours = ask_both(service, *request)
            if theirs != ours:
                different += 1
                print(*request, theirs, ours, sep='\n    ')
        service.stop()
    print(f'{len(requests)} requests, {different} answers differ')
    return 1 if different else 0


if __name__ == '__main__':
    sys.exit(main())
