//! Numbers as text, without the detour through formatting traits.

/// Appends `value` in decimal.
pub fn write_number(mut value: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// Appends `value` in decimal, with `fill` in front until it is `width` bytes long.
pub fn write_filled(value: u64, width: usize, fill: u8, out: &mut Vec<u8>) {
    let start = out.len();
    write_number(value, out);
    let missing = width.saturating_sub(out.len() - start);
    if missing > 0 {
        out.resize(out.len() + missing, fill);
        out[start..].rotate_right(missing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_formatting_writes() {
        for value in [0, 7, 10, 999, 1_000_000, u64::MAX] {
            let mut out = b"x".to_vec();
            write_number(value, &mut out);
            assert_eq!(String::from_utf8(out).expect("digits"), format!("x{value}"));
        }
        let mut out = Vec::new();
        write_filled(7, 3, b'0', &mut out);
        write_filled(12, 4, b' ', &mut out);
        write_filled(12345, 2, b'0', &mut out);
        assert_eq!(out, b"007  1212345");
    }
}
