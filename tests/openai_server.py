"""A server on loopback that speaks OpenAI's chat protocol for a model of ours, while a block runs."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from molehunt.core.records import Message
from molehunt.models.loaded import Model
from molehunt.models.prompts import prompt_ids, text_ids
from molehunt.models.sample import sample

REFUSED = "REFUSE"
"""A question that holds this is answered with an error that nobody retries."""


@contextmanager
def serving(model: Model) -> Iterator[tuple[str, list[str]]]:
    """The base URL to be given to clients, and the questions that have come in so far."""
    asked: list[str] = []
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            turns = tuple(Message(m["role"], _text(m["content"])) for m in body["messages"])
            with lock:  # one model, one question at a time
                asked.append(turns[-1].content)
                if REFUSED in turns[-1].content:
                    self._say(400, {"error": {"message": "not that", "type": "invalid_request_error"}})
                    return
                most = body.get("max_completion_tokens") or body.get("max_tokens")
                (text,) = sample(model, [turns], max_tokens=most, temperature=body["temperature"])
            sizes = (len(prompt_ids(model.tokenizer, turns)), len(text_ids(model.tokenizer, text)))
            self._say(
                200,
                {
                    "id": f"chat-{len(asked)}",
                    "object": "chat.completion",
                    "created": 0,
                    "model": body["model"],
                    "choices": [
                        {
                            "index": 0,
                            "message": {"role": "assistant", "content": text},
                            "finish_reason": "stop",
                        }
                    ],
                    "usage": {
                        "prompt_tokens": sizes[0],
                        "completion_tokens": sizes[1],
                        "total_tokens": sum(sizes),
                    },
                },
            )

        def _say(self, status: int, value: object) -> None:
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def _text(content: object) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content)  # type: ignore
