"""Asks the proxy at the URL given, whose authority's certificate may follow, in HTTP/2 and HTTP/1.1."""

import ssl
import sys

import httpx

url, *authority = sys.argv[1:]
verify = ssl.create_default_context(cafile=authority[0]) if authority else True
extensions = {"sni_hostname": "server.example"} if authority else {}


def ask(client, version):
    for number in range(3):
        reply = client.get(f"{url}/{number}", extensions=extensions)
        assert (reply.status_code, reply.text) == (200, "ok"), reply
        assert reply.http_version == version, reply.http_version
    reply = client.post(url, content=b"x" * 300_000, extensions=extensions)
    assert reply.status_code == 200, reply


# Without TLS nothing but prior knowledge chooses HTTP/2.
with httpx.Client(http1=bool(authority), http2=True, verify=verify, trust_env=False) as client:
    ask(client, "HTTP/2")
with httpx.Client(verify=verify, trust_env=False) as client:
    ask(client, "HTTP/1.1")
print("done")
