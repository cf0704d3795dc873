"""Talks to websocket_server.py through the proxy at the port given."""

import sys

from websockets.sync.client import connect

url = f"ws://127.0.0.1:{sys.argv[1]}/chat"
with connect(url, max_size=None, proxy=None) as connection:
    for message in ["hello", b"\x00\x01", "\u00e9" * 1000, b"x" * 2_000_000]:
        connection.send(message)
        assert connection.recv(timeout=10) == message
    assert connection.ping().wait(timeout=10)
assert connection.close_code == 1000, connection.close_code
print("done")
