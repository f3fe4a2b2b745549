"""A program with the face of `vllm serve`: it answers at its address, and starts an engine of its own.

Options say how it misbehaves. What it is called with goes into `calls.jsonl` beside it.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CALLS = "calls.jsonl"
VARIABLE = "VLLM_API_KEY"


class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer({} if self.path == "/health" else {"data": [{"id": self.server.model}]})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        said = {"role": "assistant", "content": f"{os.getpid()} {asked['model']}"}
        self.answer({"choices": [{"message": said, "finish_reason": "stop"}], "usage": {}})

    def answer(self, value):
        known = self.path == "/health" or self.headers["authorization"] == f"Bearer {os.environ[VARIABLE]}"
        body = json.dumps(value if known else {"error": "Unauthorized"}).encode()
        self.send_response(200 if known else 401)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("model")
    parser.add_argument("--served-model-name")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--fails", help="what it says before it ends, without having been ready")
    parser.add_argument("--fails-after", type=int, default=0, help="starts that are good before")
    parser.add_argument("--never-ready", action="store_true")
    given, _ = parser.parse_known_args()
    calls = Path(__file__).with_name(CALLS)
    engine = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    starts = len(calls.read_text().splitlines()) if calls.exists() else 0
    with calls.open("a") as file:
        call = {
            "arguments": sys.argv[1:],
            "environment": dict(os.environ),
            "pid": os.getpid(),
            "engine": engine.pid,
        }
        print(json.dumps(call), file=file)
    if given.fails and starts >= given.fails_after:
        sys.exit(given.fails)
    while given.never_ready:
        time.sleep(1)
    server = ThreadingHTTPServer((given.host, given.port), Answers)
    server.model = given.served_model_name
    server.serve_forever()


if __name__ == "__main__":
    main()
