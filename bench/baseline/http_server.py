#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What build/bench/http_server does, by FastAPI on uvicorn with uvloop and httptools: PORT"""
import sys

import fastapi
import uvicorn

app = fastapi.FastAPI()


@app.get('/')
async def hello():
    return {'message': 'Hello, World!'}


@app.on_event('startup')
async def ready():
    print('READY', flush=True)


uvicorn.run(app, host='127.0.0.1', port=int(sys.argv[1]), loop='uvloop', http='httptools',
            access_log=False, log_level='error', backlog=4096)
