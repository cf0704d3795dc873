"""Calls grpc_server.py through the proxy at the port given: every kind of method and of ending."""

import sys
import threading
import time

import grpc

channel = grpc.insecure_channel(
    f"127.0.0.1:{sys.argv[1]}", options=[("grpc.enable_http_proxy", 0)]
)


def path(method):
    return f"/test.Echo/{method}"


def failure(call):
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("the call was to fail")


# Unary, with metadata both ways.
reply, call = channel.unary_unary(path("Unary")).with_call(b"hello", metadata=(("x-a", "1"),))
assert reply == b"HELLO", reply
assert ("x-trailer", "t") in [tuple(pair) for pair in call.trailing_metadata()]
large = b"x" * 3_000_000
assert channel.unary_unary(path("Unary"))(large) == large.upper()

# The three kinds of streams.
numbers = list(channel.unary_stream(path("ServerStream"))(b"100"))
assert numbers == [b"%d" % number for number in range(100)], numbers
assert channel.stream_unary(path("ClientStream"))(iter([b"a", b"b", b"c"])) == b"abc"
received = threading.Semaphore(0)


def questions():
    for number in range(20):
        yield b"q%d" % number
        # The next one only after the answer: both directions are open at once.
        assert received.acquire(timeout=10)


answers = []
for answer in channel.stream_stream(path("BothStreams"))(questions()):
    answers.append(answer)
    received.release()
assert answers == [b"Q%d" % number for number in range(20)], answers

# An error without a message: trailers only.
error = failure(lambda: channel.unary_unary(path("Failing"))(b""))
assert error.code() == grpc.StatusCode.FAILED_PRECONDITION, error
assert error.details() == "not now", error
error = failure(lambda: channel.unary_unary(path("Nothing"))(b""))
assert error.code() == grpc.StatusCode.UNIMPLEMENTED, error

# A deadline and a cancel reach the server.
error = failure(lambda: channel.unary_unary(path("Waiting"))(b"deadline", timeout=0.3))
assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED, error
waiting = channel.unary_unary(path("Waiting")).future(b"cancel")
time.sleep(0.2)
waiting.cancel()
until = time.monotonic() + 10
while {b"deadline", b"cancel"} - set(channel.unary_unary(path("Seen"))(b"").split(b",")):
    assert time.monotonic() < until, "the server has not seen the end of both calls"
    time.sleep(0.05)
print("done")
