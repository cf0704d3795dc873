use super::*;

fn listed(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    let text = |name: &[u8]| String::from_utf8(name.to_vec()).expect("names are ASCII");
    headers.iter().map(|header| (text(header.name), header.value.to_vec())).collect()
}

fn map(list: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in list {
        headers.append(name.as_bytes(), value.as_bytes());
    }
    headers
}

#[test]
fn names_are_kept_in_lower_case_and_found_in_any() {
    let headers = map(&[("X-Own", "1"), ("Content-Type", "a/b")]);
    assert_eq!(headers.get(KnownHeader::ContentType), Some(&b"a/b"[..]));
    assert_eq!(headers.get_by_name(b"CONTENT-type"), Some(&b"a/b"[..]));
    assert_eq!(headers.get_by_name(b"x-OWN"), Some(&b"1"[..]));
    assert_eq!(headers, map(&[("x-own", "1"), ("content-type", "a/b")]));
    assert_eq!(headers.byte_size(), "x-own1content-typea/b".len());
}

#[test]
fn set_keeps_the_place_of_the_first_and_removes_the_others() {
    let mut headers = map(&[("via", "a"), ("x", "1"), ("via", "b"), ("X", "2")]);
    headers.set(KnownHeader::Via, b"longer than before");
    headers.set_by_name(b"X", b"");
    assert_eq!(headers, map(&[("via", "longer than before"), ("x", "")]));
    headers.set(KnownHeader::Via, b"c");
    headers.set_by_name(b"y", b"new");
    assert_eq!(headers, map(&[("via", "c"), ("x", ""), ("y", "new")]));
    assert_eq!(headers.len(), 3);
}

#[test]
fn a_field_added_after_its_name_was_removed_is_the_first() {
    let mut headers = map(&[("via", "a"), ("x", "1"), ("via", "b")]);
    assert!(headers.remove(KnownHeader::Via));
    assert!(!headers.remove(KnownHeader::Via));
    assert!(!headers.contains(KnownHeader::Via));
    headers.append_known(KnownHeader::Via, b"c");
    assert_eq!(headers.get(KnownHeader::Via), Some(&b"c"[..]));
    assert_eq!(headers, map(&[("x", "1"), ("via", "c")]));
}

#[test]
fn retain_finds_the_next_first_of_a_name() {
    let mut headers = map(&[("via", "a"), ("via", "b"), ("x", "1"), ("via", "c")]);
    headers.retain(|header| header.value != b"a");
    assert_eq!(headers.get(KnownHeader::Via), Some(&b"b"[..]));
    headers.retain(|header| header.value == b"c");
    assert_eq!(headers.get(KnownHeader::Via), Some(&b"c"[..]));
    headers.retain(|_| false);
    assert_eq!(headers.get(KnownHeader::Via), None);
    assert!(headers.is_empty());
}

#[test]
fn values_are_written_in_place() {
    let mut headers = HeaderMap::new();
    headers.append_with(KnownHeader::ContentLength, |text| text.extend_from_slice(b"12"));
    headers.append_named_with(b"X-Y", |text| text.extend_from_slice(b"z"));
    let lines: Vec<&[u8]> = headers.field_lines().collect();
    assert_eq!(lines, [&b"content-length: 12\r\n"[..], b"x-y: z\r\n"]);
}

#[test]
fn fields_leave_pseudo_headers_out() {
    let headers = map(&[(":method", "GET"), ("a", "1"), (":path", "/"), ("b", "2")]);
    let names: Vec<&[u8]> = headers.fields().map(|header| header.name).collect();
    assert_eq!(names, [b"a", b"b"]);
    assert_eq!(headers.len(), 4);
}

#[test]
fn a_cleared_or_overwritten_map_keeps_its_memory() {
    let mut headers = map(&[("a", "some value"), ("date", "some other value")]);
    let (text, entries) = (headers.text.capacity(), headers.entries.capacity());
    headers.clear();
    assert_eq!((headers.len(), headers.get(KnownHeader::Date)), (0, None));
    headers.clone_from(&map(&[("date", "x")]));
    assert_eq!(headers, map(&[("date", "x")]));
    assert_eq!((headers.text.capacity(), headers.entries.capacity()), (text, entries));
}

#[test]
fn debug_shows_the_fields() {
    let headers = map(&[("a", "1")]);
    assert_eq!(format!("{headers:?}"), r#"[("a", "1")]"#);
}

/// The same operations on a map and on a plain list must show the same fields.
mod model {
    use super::*;

    const NAMES: [&str; 9] =
        [":path", "via", "cookie", "Content-Type", "x-a", "X-B", "x-request-id", "te", "host"];

    /// A small linear congruential generator: the runs are the same every time.
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (self.0 >> 33) as usize % bound
        }

        fn value(&mut self) -> Vec<u8> {
            let len = self.below(12);
            (0..len).map(|_| b' ' + self.below(224) as u8).collect()
        }
    }

    #[derive(Default)]
    struct Model(Vec<(String, Vec<u8>)>);

    impl Model {
        fn named(&self, name: &str) -> Vec<&[u8]> {
            let of_name = self.0.iter().filter(|(other, _)| other == name);
            of_name.map(|(_, value)| &value[..]).collect()
        }

        fn set(&mut self, name: &str, value: Vec<u8>) {
            match self.0.iter().position(|(other, _)| other == name) {
                None => self.0.push((name.to_owned(), value)),
                Some(at) => {
                    self.0[at].1 = value;
                    let mut seen = 0;
                    self.0.retain(|(other, _)| {
                        seen += usize::from(other == name);
                        other != name || seen == 1
                    });
                }
            }
        }

        fn remove(&mut self, name: &str) -> bool {
            let before = self.0.len();
            self.0.retain(|(other, _)| other != name);
            self.0.len() < before
        }
    }

    fn step(random: &mut Random, headers: &mut HeaderMap, model: &mut Model) {
        let name = NAMES[random.below(NAMES.len())];
        let lower = name.to_ascii_lowercase();
        let known = KnownHeader::from_bytes(lower.as_bytes());
        let value = random.value();
        match (random.below(8), known) {
            (0..3, Some(known)) => {
                headers.append_known(known, &value);
                model.0.push((lower, value));
            }
            (0..3, None) => {
                headers.append(name.as_bytes(), &value);
                model.0.push((lower, value));
            }
            (3, Some(known)) => {
                headers.set(known, &value);
                model.set(&lower, value);
            }
            (3 | 4, _) => {
                headers.set_by_name(name.as_bytes(), &value);
                model.set(&lower, value);
            }
            (5, Some(known)) => assert_eq!(headers.remove(known), model.remove(&lower)),
            (5 | 6, _) => {
                assert_eq!(headers.remove_by_name(name.as_bytes()), model.remove(&lower));
            }
            _ => {
                let bound = random.below(12);
                headers.retain(|header| header.value.len() >= bound / 4);
                model.0.retain(|(_, value)| value.len() >= bound / 4);
            }
        }
    }

    fn compare(headers: &HeaderMap, model: &Model) {
        assert_eq!(listed(headers), model.0);
        assert_eq!(headers.len(), model.0.len());
        for name in NAMES {
            let lower = name.to_ascii_lowercase();
            let expected = model.named(&lower);
            let values: Vec<&[u8]> = headers.get_all_by_name(name.as_bytes()).collect();
            assert_eq!(values, expected);
            if let Some(known) = KnownHeader::from_bytes(lower.as_bytes()) {
                assert_eq!(headers.get(known), expected.first().copied());
                assert_eq!(headers.contains(known), !expected.is_empty());
                assert_eq!(headers.get_all(known).collect::<Vec<_>>(), expected);
            }
        }
    }

    #[test]
    fn a_map_behaves_like_a_list() {
        let mut headers = HeaderMap::new();
        for seed in 0..200 {
            let mut random = Random(seed);
            let mut model = Model::default();
            headers.clear();
            for _ in 0..60 {
                step(&mut random, &mut headers, &mut model);
                compare(&headers, &model);
            }
            assert_eq!(listed(&headers.clone()), model.0);
        }
    }
}
