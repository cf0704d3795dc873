//! `accept-encoding`: which of the encodings on offer a client likes best
//! (RFC 9110 §12.5.3, as Envoy reads it).

use smallvec::SmallVec;

const IDENTITY: &str = "identity";
const ANY: &str = "*";

/// An encoding that some filter of the chain has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// As in `content-encoding`.
    pub encoding: &'static str,
    /// `choose_first`: it comes before others that the client likes as much.
    pub choose_first: bool,
}

/// What becomes of the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The client takes nothing that is on offer, or its header says nothing.
    NotValid,
    /// It likes the response best as it is.
    Identity,
    /// It takes anything: this is the first on offer.
    Wildcard(&'static str),
    /// It takes this.
    Named(&'static str),
}

/// Chooses among `offers`, in the order of the filters and each encoding once.
pub fn choose(accept_encoding: &[u8], mut offers: SmallVec<[Offer; 4]>) -> Choice {
    let accept_encoding = std::str::from_utf8(accept_encoding).unwrap_or_default();
    let elements: SmallVec<[(&str, f32); 8]> = accept_encoding
        .split(',')
        .filter(|element| !element.is_empty())
        .filter_map(|element| Some((coding(element), quality(element)?)))
        .collect();
    for (refused, _) in elements.iter().filter(|(_, quality)| *quality == 0.0) {
        offers.retain(|offer| offer.encoding != *refused);
    }
    let Some(first) = offers.first().copied() else { return Choice::NotValid };
    let mut best = (IDENTITY, 0.0);
    for (name, quality) in elements {
        let offer = offers.iter().find(|offer| offer.encoding == name);
        let is_known = offer.is_some() || name == IDENTITY || name == ANY;
        let comes_first = offer.is_some_and(|offer| offer.choose_first);
        if is_known && (quality > best.1 || quality == best.1 && comes_first) {
            best = (name, quality);
        }
    }
    match best {
        (_, 0.0) => Choice::NotValid,
        (ANY, _) => Choice::Wildcard(first.encoding),
        (name, _) => match offers.iter().find(|offer| offer.encoding == name) {
            Some(offer) => Choice::Named(offer.encoding),
            None => Choice::Identity,
        },
    }
}

fn coding(element: &str) -> &str {
    element.split_once(';').map_or(element, |(coding, _)| coding).trim()
}

/// The weight of an element, 1 where it has none; `None` where it is no number.
fn quality(element: &str) -> Option<f32> {
    let parameter = element.split_once(';').and_then(|(_, parameters)| parameters.split_once('='));
    match parameter {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("q") => value.trim().parse().ok(),
        _ => Some(1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GZIP: Offer = Offer { encoding: "gzip", choose_first: false };
    const BROTLI: Offer = Offer { encoding: "br", choose_first: false };

    fn chosen(accept_encoding: &str, offers: &[Offer]) -> Choice {
        choose(accept_encoding.as_bytes(), offers.iter().copied().collect())
    }

    #[test]
    fn the_client_says_what_it_takes() {
        for (accept_encoding, choice) in [
            ("gzip", Choice::Named("gzip")),
            ("deflate, gzip ;q=0.5", Choice::Named("gzip")),
            ("gzip;q=0", Choice::NotValid),
            ("gzip;q=0, *", Choice::NotValid),
            ("gzip;Q=x", Choice::NotValid),
            ("gzip;x=1", Choice::Named("gzip")),
            ("br", Choice::NotValid),
            ("", Choice::NotValid),
            ("identity", Choice::Identity),
            ("identity, gzip;q=0.9", Choice::Identity),
            ("*", Choice::Wildcard("gzip")),
            ("identity;q=0.5, *;q=0.7", Choice::Wildcard("gzip")),
            ("\u{e9}, gzip", Choice::Named("gzip")),
        ] {
            assert_eq!(chosen(accept_encoding, &[GZIP]), choice, "{accept_encoding}");
        }
    }

    #[test]
    fn of_two_the_better_liked_one_is_taken() {
        let both = [GZIP, BROTLI];
        assert_eq!(chosen("br, gzip", &both), Choice::Named("br"));
        assert_eq!(chosen("br;q=0.1, gzip", &both), Choice::Named("gzip"));
        assert_eq!(chosen("*", &both), Choice::Wildcard("gzip"));
        assert_eq!(chosen("gzip;q=0, *;q=0.1", &both), Choice::Wildcard("br"));
        let first = [GZIP, Offer { choose_first: true, ..BROTLI }];
        assert_eq!(chosen("gzip, br", &first), Choice::Named("br"));
        assert_eq!(chosen("gzip, br;q=0.9", &first), Choice::Named("gzip"));
    }
}
