//! One exchange byte by byte: a side that does not answer rightly is not measured.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use memchr::memmem;

use crate::answers;
use crate::scenario::Scenario;

/// For connecting and for each read and write.
const TIMEOUT: Duration = Duration::from_secs(5);
const READ_BYTES: usize = 64 << 10;
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Sends the scenario's request to `port` and compares status, length and every byte of the body.
pub fn exchange(port: u16, scenario: &Scenario) -> Result<(), String> {
    let host = scenario.setup.host();
    let (head, body) = request(port, &host, &scenario.path(), scenario.request_bytes)
        .map_err(|error| error.to_string())?;
    let status = head.lines().next().unwrap_or_default();
    if !is_ok(&head) {
        return Err(format!("answered `{status}`"));
    }
    if body != answers::body(scenario.response_bytes) {
        return Err(format!(
            "the body of {} B is not the upstream's of {} B",
            body.len(),
            scenario.response_bytes
        ));
    }
    Ok(())
}

/// Is `head` that of a 200?
pub fn is_ok(head: &str) -> bool {
    head.split([' ', '\r']).nth(1) == Some("200")
}

/// Head and body of the answer to a GET, or to a POST of `body_bytes` if there are any.
pub fn request(
    port: u16,
    host: &str,
    path: &str,
    body_bytes: usize,
) -> io::Result<(String, Vec<u8>)> {
    let mut stream =
        TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), TIMEOUT)?;
    request_on(&mut stream, host, path, body_bytes)
}

/// The same on an open connection.
pub fn request_on(
    stream: &mut TcpStream,
    host: &str,
    path: &str,
    body_bytes: usize,
) -> io::Result<(String, Vec<u8>)> {
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let start = if body_bytes == 0 { "GET" } else { "POST" };
    let length =
        if body_bytes == 0 { String::new() } else { format!("Content-Length: {body_bytes}\r\n") };
    let head = format!("{start} {path} HTTP/1.1\r\nHost: {host}\r\n{length}\r\n");
    stream.write_all(&[head.as_bytes(), &vec![b'x'; body_bytes]].concat())?;
    answer(stream)
}

fn answer(stream: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut received = Vec::new();
    let head_end = loop {
        if let Some(end) = memmem::find(&received, b"\r\n\r\n") {
            break end + 4;
        }
        if received.len() > HEAD_BYTES_MAX {
            return Err(ErrorKind::InvalidData.into());
        }
        read_more(stream, &mut received)?;
    };
    let mut body = received.split_off(head_end);
    let head = String::from_utf8_lossy(&received).into_owned();
    let length = content_length(&head).ok_or(ErrorKind::InvalidData)?;
    while body.len() < length {
        read_more(stream, &mut body)?;
    }
    Ok((head, body))
}

fn read_more(stream: &mut TcpStream, received: &mut Vec<u8>) -> io::Result<()> {
    let mut buffer = [0; READ_BYTES];
    match stream.read(&mut buffer)? {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        length => {
            received.extend_from_slice(&buffer[..length]);
            Ok(())
        }
    }
}

/// The length that `head` announces.
pub fn content_length(head: &str) -> Option<usize> {
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    value.trim().parse().ok()
}
