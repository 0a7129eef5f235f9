# SPDX-License-Identifier: MIT
"""A web service under test: started on a port of its own, asked, stopped by SIGINT."""
import http.client
import json
import signal
import subprocess


class Service:
    """with Service(COMMAND...) as service; the program prints "running on http://...:PORT"."""

    def __init__(self, *command, env=None):
        self.program = subprocess.Popen([str(part) for part in command], env=env, text=True,
                                        encoding='utf-8', stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.err = ''
        while 'running on' not in self.err:
            line = self.program.stderr.readline()
            if not line:
                self.program.wait()
                raise AssertionError(f'it did not start: {self.err}')
            self.err += line
        self.port = int(self.err.rpartition('running on ')[2].split()[0].rpartition(':')[2])

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.program.kill()
        self.program.wait()

    def ask(self, method, path, body=None, headers=None):
        """(status, headers, body), the body as text, or as what it says if it is JSON."""
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=60)
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        if text and response.getheader('content-type') == 'application/json':
            return response.status, response.headers, json.loads(text)
        return response.status, response.headers, text

    def stop(self):
        """Stop in order; gives what it printed and wrote to standard error."""
        self.program.send_signal(signal.SIGINT)
        out, err = self.program.communicate(timeout=60)
        assert self.program.returncode == 0, (self.program.returncode, self.err + err)
        return out, self.err + err
