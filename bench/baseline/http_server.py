#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What build/bench/http_server does, by FastAPI on uvicorn with uvloop and httptools.

usage: http_server.py [--bare] PORT

--bare: without FastAPI, by what uvicorn calls.
"""
import json
import sys

import fastapi
import uvicorn

app = fastapi.FastAPI()


@app.get('/')
async def hello():
    return {'message': 'Hello, World!'}


async def bare(scope, receive, send):
    body = json.dumps({'message': 'Hello, World!'}, separators=(',', ':')).encode()
    await send({'type': 'http.response.start', 'status': 200,
                'headers': [(b'content-type', b'application/json'),
                            (b'content-length', str(len(body)).encode())]})
    await send({'type': 'http.response.body', 'body': body})


class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        print('READY', flush=True)


Server(uvicorn.Config(bare if '--bare' in sys.argv else app, host='127.0.0.1',
                      port=int(sys.argv[-1]), loop='uvloop', http='httptools', lifespan='off',
                      access_log=False, log_level='error', backlog=4096)).run()
