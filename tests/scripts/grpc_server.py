"""A gRPC server of all four kinds of methods; messages are bytes. Writes its port."""

from concurrent import futures

import grpc


def unary(request, context):
    context.set_trailing_metadata((("x-trailer", "t"),))
    return request.upper()


def server_stream(request, context):
    for number in range(int(request)):
        yield b"%d" % number


def client_stream(requests, context):
    return b"".join(requests)


def both_streams(requests, context):
    for request in requests:
        yield request.upper()


def failing(request, context):
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not now")


def waiting(request, context):
    gone = futures.Future()
    context.add_callback(lambda: gone.set_result(None))
    gone.result()
    seen.append(request)
    return b""


def seen_so_far(request, context):
    return b",".join(seen)


seen = []
handlers = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "ServerStream": grpc.unary_stream_rpc_method_handler(server_stream),
    "ClientStream": grpc.stream_unary_rpc_method_handler(client_stream),
    "BothStreams": grpc.stream_stream_rpc_method_handler(both_streams),
    "Failing": grpc.unary_unary_rpc_method_handler(failing),
    "Waiting": grpc.unary_unary_rpc_method_handler(waiting),
    "Seen": grpc.unary_unary_rpc_method_handler(seen_so_far),
}
server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", handlers),))
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(port, flush=True)
server.wait_for_termination()
