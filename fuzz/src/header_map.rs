//! Operations on headers: the map, with its index and its reuse of memory, is what a plain list is.
//!
//! Each line of the input is an operation: a letter, then a name, then `=` and a value. `a` appends, `s` sets,
//! `r` removes, `k` keeps only names other than that which begin as it does, `c` clears.

use ringmain_proto_codec::{HeaderMap, KnownHeader};

const NAMES: [(KnownHeader, &str); 5] = [
    (KnownHeader::Path, ":path"),
    (KnownHeader::Te, "te"),
    (KnownHeader::Cookie, "cookie"),
    (KnownHeader::ContentLength, "content-length"),
    (KnownHeader::XForwardedFor, "x-forwarded-for"),
];

type List = Vec<(String, Vec<u8>)>;

/// Checks the operations of `bytes`; the map is used again after `c`.
pub fn check(bytes: &[u8]) {
    let (mut map, mut list) = (HeaderMap::new(), List::new());
    for line in bytes.split(|byte| *byte == b'\n') {
        let Some((kind, rest)) = line.split_first() else { continue };
        let at = rest.iter().position(|byte| *byte == b'=').unwrap_or(rest.len());
        let (name, value) = (&rest[..at], rest.get(at + 1..).unwrap_or_default());
        let Some(name) = name_of(name) else { continue };
        // Whoever adds a value sees to that.
        if value.iter().any(|byte| matches!(byte, b'\r' | 0)) {
            continue;
        }
        apply(*kind, name, value, &mut map, &mut list);
        assert_equal(&map, &list);
    }
}

/// Names are tokens or pseudo-headers by the time they come here.
fn name_of(bytes: &[u8]) -> Option<&str> {
    let name = std::str::from_utf8(bytes).ok()?;
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_name = !name.is_empty() && name.bytes().all(is_token);
    (is_name || name.eq_ignore_ascii_case(":path")).then_some(name)
}

fn apply(kind: u8, name: &str, value: &[u8], map: &mut HeaderMap, list: &mut List) {
    let lower = name.to_ascii_lowercase();
    let known = NAMES.iter().find(|known| known.1 == lower).map(|known| known.0);
    match (kind, known) {
        (b'a', Some(known)) => map.append_known(known, value),
        (b'a', None) => map.append(name.as_bytes(), value),
        (b's', Some(known)) => map.set(known, value),
        (b's', None) => map.set_by_name(name.as_bytes(), value),
        (b'r', Some(known)) => drop(map.remove(known)),
        (b'r', None) => drop(map.remove_by_name(name.as_bytes())),
        (b'k', _) => map.retain(|header| !header.name.starts_with(lower.as_bytes())),
        (b'c', _) => map.clear(),
        _ => return,
    }
    match kind {
        b'a' => list.push((lower, value.to_vec())),
        b's' => {
            let first = list.iter().position(|field| field.0 == lower);
            let mut at = 0..;
            list.retain(|field| {
                let here = at.next();
                field.0 != lower || here == first
            });
            match first {
                Some(first) => list[first].1 = value.to_vec(),
                None => list.push((lower, value.to_vec())),
            }
        }
        b'r' => list.retain(|field| field.0 != lower),
        b'k' => list.retain(|field| !field.0.starts_with(&lower)),
        _ => list.clear(),
    }
}

fn assert_equal(map: &HeaderMap, list: &List) {
    let fields: List = map
        .iter()
        .map(|field| (String::from_utf8_lossy(field.name).into_owned(), field.value.to_vec()))
        .collect();
    assert_eq!(&fields, list);
    assert_eq!((map.len(), map.is_empty()), (list.len(), list.is_empty()));
    for (known, name) in NAMES {
        let expected: Vec<&[u8]> =
            list.iter().filter(|field| field.0 == name).map(|field| &field.1[..]).collect();
        assert_eq!(map.get_all(known).collect::<Vec<_>>(), expected);
        assert_eq!(map.get(known), expected.first().copied());
        assert_eq!(map.get_by_name(name.to_ascii_uppercase().as_bytes()), map.get(known));
        assert_eq!(map.contains(known), !expected.is_empty());
    }
}
