"""Speaks TLS by OpenSSL: each version alone, with its sessions resumed; what must fail does.

Arguments: port on loopback, name of the server, file of its authority.
"""

import socket
import ssl
import sys
import warnings

warnings.simplefilter("ignore", DeprecationWarning)

port, name, authority = int(sys.argv[1]), sys.argv[2], sys.argv[3]
REQUEST = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"


def context(version):
    made = ssl.create_default_context(cafile=authority)
    made.minimum_version = made.maximum_version = version
    return made


def ask(made, session=None, name=name):
    """Sends a request, reads until close_notify; the session and whether it was resumed."""
    plain = socket.create_connection(("127.0.0.1", port), timeout=20)
    with made.wrap_socket(
        plain, server_hostname=name, session=session, suppress_ragged_eofs=False
    ) as tls:
        tls.sendall(REQUEST)
        answer = b""
        while piece := tls.recv(65536):
            answer += piece
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        return tls.session, tls.session_reused


def fails(made, expected, **arguments):
    try:
        ask(made, **arguments)
    except expected:
        return True
    return False


for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
    made = context(version)
    session, resumed = ask(made)
    assert not resumed, version
    assert ask(made, session=session)[1], version
    assert fails(made, ssl.SSLCertVerificationError, name="other.example"), version

for version in ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1:
    made = context(version)
    made.set_ciphers("ALL:@SECLEVEL=0")
    assert fails(made, (ssl.SSLError, ConnectionResetError)), version

weak = context(ssl.TLSVersion.TLSv1_2)
weak.set_ciphers("AES128-SHA:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0")
assert fails(weak, ssl.SSLError)

print("done")
