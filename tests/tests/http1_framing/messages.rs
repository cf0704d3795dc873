//! Requests as clients send them and as upstreams must get them.

/// A request with this request line.
pub fn line(request_line: &str) -> String {
    format!("{request_line}\r\nhost: a.example\r\n\r\n")
}

/// A GET with these lines after its request line.
pub fn get(lines: &str) -> String {
    format!("GET / HTTP/1.1\r\n{lines}\r\n\r\n")
}

/// A GET with a host and these lines.
pub fn get_with(lines: &str) -> String {
    get(&format!("host: a.example\r\n{lines}"))
}

/// A POST with these lines and body.
pub fn post(lines: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nhost: a.example\r\n{lines}\r\n\r\n{body}")
}

/// A chunked POST.
pub fn chunked(body: &str) -> String {
    post("transfer-encoding: chunked", body)
}

/// A request without a body as the upstream gets it, with these lines of the client's.
pub fn to_upstream(request_line: &str, host: &str, lines: &str) -> String {
    format!("{request_line}\r\nhost: {host}\r\n{lines}x-forwarded-proto: http\r\n\r\n")
}

/// The plain GET as the upstream gets it.
pub fn upstream_get(lines: &str) -> String {
    to_upstream("GET / HTTP/1.1", "a.example", lines)
}

/// A POST with a length as the upstream gets it.
pub fn upstream_length(body: &str) -> String {
    let lines = format!("content-length: {}\r\n", body.len());
    to_upstream("POST / HTTP/1.1", "a.example", &lines) + body
}

/// A chunked POST as the upstream gets it.
pub fn upstream_chunked(chunks: &str) -> String {
    format!(
        "POST / HTTP/1.1\r\nhost: a.example\r\nx-forwarded-proto: http\r\n\
         transfer-encoding: chunked\r\n\r\n{chunks}"
    )
}
