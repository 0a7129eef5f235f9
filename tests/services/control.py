#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Let a test in C stop services and start them again, over a socket of this thread's.

A line "VERB NAME" is answered with "ok" or "failed: WHY", once it is done. The verbs are those of
a service: start, stop, kill, freeze, thaw.
"""
import socket
import threading

VERBS = {'start', 'stop', 'kill', 'freeze', 'thaw'}


class Control:
    """Services by name. `path` is where it listens."""

    def __init__(self, where, services):
        self.path = where / 'control'
        self.services = services
        self.socket = socket.socket(socket.AF_UNIX)

    def __enter__(self):
        self.socket.bind(str(self.path))
        self.socket.listen()
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *unused):
        self.socket.close()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection, connection.makefile('rw') as lines:
                for line in lines:
                    print(self.obey(*line.split()), file=lines, flush=True)

    def obey(self, verb, name):
        try:
            if verb not in VERBS:
                raise ValueError(f'no such verb: {verb}')
            getattr(self.services[name], verb)()
        except Exception as error:  # whatever it is, the test is to hear of it
            return f'failed: {error!r}'
        return 'ok'
