"""A loopback server that speaks the Overpass protocol, with scripted replies."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs


@dataclass
class Reply:
    """What the server answers once."""

    body: str | bytes = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    claimed_length: int | None = None


@dataclass
class Script:
    """The server's address, what it was asked, and what it answers: the last reply repeats."""

    replies: list[Reply | Callable[[str], Reply]]
    url: str = ""
    queries: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    def next(self, query: str) -> Reply:
        reply = self.replies[min(len(self.queries), len(self.replies) - 1)]
        self.queries.append(query)
        return reply(query) if callable(reply) else reply


@contextmanager
def overpass(*replies: Reply | Callable[[str], Reply]) -> Iterator[Script]:
    """Serve the replies, one after the other, on 127.0.0.1."""
    script = Script(list(replies))
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            with lock:
                script.paths.append(self.path)
                reply = script.next(parse_qs(text)["data"][0])
            body = reply.body.encode() if isinstance(reply.body, str) else reply.body
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(reply.claimed_length or len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    script.url = f"http://127.0.0.1:{server.server_port}/api"
    try:
        yield script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answer(*elements: dict, remark: str | None = None) -> Reply:
    """A complete Overpass answer; with a remark, one that the server cut short."""
    reply: dict = {"version": 0.6, "generator": "loopback", "elements": list(elements)}
    if remark is not None:
        reply["remark"] = remark
    return Reply(json.dumps(reply), headers={"Content-Type": "application/json"})


def node(number: int, x: float, y: float, **tags: str) -> dict:
    """A node element."""
    return {"type": "node", "id": number, "lon": x, "lat": y, **({"tags": tags} if tags else {})}


def way(number: int, *nodes: int, **tags: str) -> dict:
    """A way element."""
    return {"type": "way", "id": number, "nodes": list(nodes), "tags": tags}


def town() -> list[dict]:
    """A house (way), a road (way), a lake with an island (relation), a shop node; near 8.05 E."""
    corners = [(8.04, 50.04), (8.05, 50.04), (8.05, 50.05), (8.04, 50.05)]
    lake = [(8.06, 50.02), (8.08, 50.02), (8.08, 50.04), (8.06, 50.04)]
    isle = [(8.065, 50.025), (8.07, 50.025), (8.07, 50.03), (8.065, 50.03)]
    nodes = [node(1 + n, *xy) for n, xy in enumerate(corners + lake + isle)]
    return [
        *nodes, node(20, 8.01, 50.01), node(21, 8.02, 50.03), node(30, 8.03, 50.03, shop="bakery"),
        way(100, 1, 2, 3, 4, 1, building="yes", name="Hall"),
        way(101, 20, 21, highway="residential", lanes="2", width="7 m"),
        way(102, 5, 6, 7, 8, 5), way(103, 9, 10, 11, 12, 9),
        {"type": "relation", "id": 200, "tags": {"type": "multipolygon", "natural": "water"},
         "members": [{"type": "way", "ref": 102, "role": "outer"},
                     {"type": "way", "ref": 103, "role": "inner"}]},
    ]
