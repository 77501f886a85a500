"""Lying mirrors on this machine: whatever the first one does, `fetch` stores the right files from the second, within a time."""

import gzip
import http.server
import os
import socketserver
import threading
import time
from pathlib import Path

import numpy as np

from pysnn import datasets
from pysnn.datasets import sources

from .data import place, published, tiny, zeros

SECONDS = 40        # for one fetch, with a time-out of one second
LIES = {}           # name: function (handler, content, rng) that answers


def lie(answer):
    """Add an answer to the table."""
    LIES[answer.__name__] = answer
    return answer


def head(handler, code=200, **fields):
    """Send status and header fields."""
    handler.send_response(code)
    for name, value in fields.items():
        handler.send_header(name.replace("_", "-"), str(value))
    handler.end_headers()


def send(handler, data, **fields):
    """Send an answer."""
    head(handler, **fields)
    handler.wfile.write(data)


@lie
def wrong_bytes(handler, content, rng):
    send(handler, rng.bytes(len(content)), Content_Length=len(content))


@lie
def endless(handler, content, rng):
    head(handler)
    while True:
        handler.wfile.write(bytes(1 << 16))


@lie
def dripping(handler, content, rng):
    head(handler)
    while True:
        handler.wfile.write(b"x")
        time.sleep(0.2)


@lie
def dripping_header(handler, content, rng):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        handler.wfile.write(b"X")
        time.sleep(0.2)


@lie
def silence(handler, content, rng):
    time.sleep(5)


@lie
def not_found(handler, content, rng):
    send(handler, b"nothing", code=404)


@lie
def broken(handler, content, rng):
    send(handler, b"", code=500)


@lie
def redirect_loop(handler, content, rng):
    head(handler, code=302, Location=handler.path, Content_Length=0)


@lie
def endless_redirect(handler, content, rng):
    head(handler, code=302, Location="/elsewhere")
    while True:
        handler.wfile.write(bytes(1 << 16))


@lie
def elsewhere(handler, content, rng):
    head(handler, code=302, Location="file:///etc/hostname", Content_Length=0)


@lie
def gzip_bomb(handler, content, rng):
    send(handler, zeros())


@lie
def packed_bomb(handler, content, rng):
    send(handler, zeros(), Content_Encoding="gzip")


@lie
def bomb_in_bomb(handler, content, rng):
    send(handler, gzip.compress(zeros()), Content_Encoding="gzip, gzip")


@lie
def truncated(handler, content, rng):
    send(handler, content[:len(content) // 2], Content_Length=len(content))


@lie
def too_long(handler, content, rng):
    send(handler, content, Content_Length=1 << 50)


@lie
def strange_length(handler, content, rng):
    send(handler, content, Content_Length="many")


@lie
def more_than_said(handler, content, rng):
    send(handler, content + bytes(1000), Content_Length=len(content) - 10)


@lie
def no_http(handler, content, rng):
    handler.wfile.write(rng.bytes(1000))


@lie
def hangs_up(handler, content, rng):
    pass


@lie
def a_page(handler, content, rng):
    send(handler, b"<html>Please log in</html>", Content_Type="text/html")


def run(n, seed, tally, limit):
    """Fetch n times from a liar, with a good source behind it."""
    rng = np.random.default_rng(seed)
    contents = tiny(rng)
    with published(contents), _served(contents["mnist"], rng) as base:
        kept, sources.HTTP_TIMEOUT = sources.HTTP_TIMEOUT, 1.0
        try:
            for k in range(n):
                name = list(LIES)[k % len(LIES)]
                _fetch(name, base, contents["mnist"], tally)
        finally:
            sources.HTTP_TIMEOUT = kept
    return sum(len(data) for data in contents["mnist"].values())


def _fetch(name, base, content, tally):
    """Fetch once, watch time and disk."""
    good = sources.Source("good", lambda work, progress: place(content, work))
    sources.PUBLIC["mnist"] = [sources._mirror("mnist", f"{base}/{name}"), good]
    began, news, cache = time.perf_counter(), [], Path(f"cache-{time.time_ns()}")
    try:
        got = datasets.fetch("mnist", cache=cache, progress=False, report=news.append)
        right = all((got / file).read_bytes() == data for file, data in content.items())
        failed = [line for line in news if "that failed" in line]
        late = time.perf_counter() - began > SECONDS
        seconds = time.perf_counter() - began
        tally.add(name, "right" if right and not late and len(failed) == 1 else "silent", f"{news} after {seconds:.0f} s")
    except BaseException as error:
        tally.add(name, "tracebacks", f"{type(error).__name__}: {error}")


class _served:
    """A server on 127.0.0.1: /NAME/FILE.gz is answered by the lie of that name, for as long as the client listens."""

    def __init__(self, contents, rng):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                name, file = self.path.split("/")[1:3] if self.path.count("/") > 1 else (self.path[1:], "")
                content = gzip.compress(contents.get(file.removesuffix(".gz"), b"?"))
                try:
                    LIES.get(name, not_found)(self, content, rng)
                except OSError:         # the client has hung up
                    pass

            def log_message(self, *args):
                pass

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass

        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            os.environ.pop(name, None)
        self.server = Server(("127.0.0.1", 0), Handler)

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()        # so soon it sees `shutdown`
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()
