"""An smsbox on the loopback that answers what it is told to, and notes what it was asked."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

Asked = list[tuple[str, Message, bytes]]


class Kannel:
    """An smsbox that answers what it is told to, and notes what it was asked."""

    def __init__(self, answer: Callable[[BaseHTTPRequestHandler], None]) -> None:
        self.asked: Asked = []
        kannel = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                kannel.asked.append((self.path, self.headers, body))
                answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port: int = self.server.server_address[1]


@contextmanager
def answering(answer: Callable[[BaseHTTPRequestHandler], None]) -> Generator[Kannel]:
    kannel = Kannel(answer)
    thread = Thread(target=kannel.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield kannel
    finally:
        kannel.server.shutdown()
        kannel.server.server_close()
        thread.join()


def saying(status: int, body: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer
