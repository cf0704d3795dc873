//! Whether what came holds what is wanted.

use memchr::memmem;

/// Whether `received` holds all of `wanted`, in their order, with anything between them.
pub fn holds(received: &[u8], wanted: &[Vec<u8>]) -> bool {
    let mut rest = received;
    wanted.iter().all(|segment| match memmem::find(rest, segment) {
        Some(at) => {
            rest = &rest[at + segment.len()..];
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_come_in_their_order() {
        let wanted = [b"ab".to_vec(), b"b".to_vec(), b"d".to_vec()];
        assert!(holds(b"xabcbd", &wanted));
        assert!(!holds(b"xabcd", &wanted));
        assert!(!holds(b"dbab", &wanted));
        assert!(holds(b"", &[]));
    }
}
