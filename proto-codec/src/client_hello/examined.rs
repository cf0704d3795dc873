//! What a server makes of a ClientHello before it answers: what is wrong with its extensions, as BoringSSL
//! finds it and in the order in which it does.
//!
//! Extensions that BoringSSL and rustls read alike are left to rustls.

use super::{ALPN, ClientHelloReader, Fields, HOST_NAME, Head, Progress, SERVER_NAME};

const STATUS_REQUEST: u16 = 5;
const SUPPORTED_GROUPS: u16 = 10;
const EC_POINT_FORMATS: u16 = 11;
const SIGNATURE_ALGORITHMS: u16 = 13;
const SIGNED_CERTIFICATE_TIMESTAMP: u16 = 18;
const DELEGATED_CREDENTIAL: u16 = 34;
const PRE_SHARED_KEY: u16 = 41;
const SUPPORTED_VERSIONS: u16 = 43;
const CERTIFICATE_AUTHORITIES: u16 = 47;
const KEY_SHARE: u16 = 51;
const QUIC_TRANSPORT_PARAMETERS: u16 = 57;
const NEXT_PROTOCOL_NEGOTIATION: u16 = 13172;
const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;
const RENEGOTIATION_INFO: u16 = 0xff01;

const TLS_1_2: u16 = 0x0303;
const TLS_1_3: u16 = 0x0304;
/// RFC 4492 §5.1.2.
const UNCOMPRESSED: u8 = 0;
/// RFC 9849 §5.
const OUTER: u8 = 0;
/// A name in DNS.
const NAME_BYTES_MAX: usize = 255;

/// What a server speaks.
#[derive(Debug, Clone, Copy)]
pub struct Server<'a> {
    /// TLS 1.2.
    pub has_1_2: bool,
    /// TLS 1.3.
    pub has_1_3: bool,
    /// Above TLS, as ALPN calls them. Where there are none, nobody looks at what the client offers.
    pub protocols: &'a [Vec<u8>],
}

/// What a server has to know of a ClientHello.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Examined {
    /// Whether it asks for what the certificate's authority says of it (`status_request`, RFC 6066 §8).
    pub requests_status: bool,
    /// Whether it offers protocols, and none of the server's is among them.
    pub shares_no_protocol: bool,
    /// What is wrong with it.
    pub flaw: Option<Flaw>,
}

/// What is wrong with a ClientHello that is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// An extension twice.
    Repeated,
    /// The form of `encrypted_client_hello` or `supported_versions`, which are read first.
    FirstExtensions,
    /// The form of `server_name`.
    ServerName,
    /// Its content is none.
    NotAName,
    /// The form of another extension.
    Extension,
    /// A list of numbers that ends with half of one.
    HalfNumber,
    /// The form of `certificate_authorities`.
    Authorities,
    /// The form of a name among them.
    Authority,
    /// The form of `renegotiation_info`.
    RenegotiationInfo,
    /// It speaks of an earlier handshake.
    Renegotiation,
    /// No point is to be sent uncompressed.
    Points,
    /// Parameters of QUIC.
    Quic,
    /// `pre_shared_key` is not the last extension.
    KeyNotLast,
    /// The form of `pre_shared_key` or `key_share`.
    Keys,
    /// As many keys as proofs of them there must be.
    Binders,
    /// The form of `application_layer_protocol_negotiation`.
    Protocols,
}

impl ClientHelloReader {
    /// As [`ClientHelloReader::read`], as `server` sees it. Copies nothing of a message in one record.
    pub fn examine(&mut self, bytes: &[u8], server: &Server<'_>) -> Progress<Examined> {
        self.read_with(bytes, |body| examine(body, server))
    }
}

/// `None` where the message breaks off its form.
fn examine(body: &[u8], server: &Server<'_>) -> Option<Examined> {
    let head = Head::read(body)?;
    let (mut rest, mut examined) = (head.extensions, Examined::default());
    while let Some((kind, content)) = rest.take_extension()? {
        match kind {
            STATUS_REQUEST => examined.requests_status = true,
            ALPN => {
                examined.shares_no_protocol =
                    shares_none(content, server.protocols).unwrap_or_default();
            }
            _ => {}
        }
    }
    examined.flaw = find_flaw(&head, server).err();
    Some(examined)
}

fn find_flaw(head: &Head<'_>, server: &Server<'_>) -> Result<(), Flaw> {
    let extensions = head.extensions;
    let mut kinds: Vec<u16> = extensions.extensions().map(|(kind, _)| kind).collect();
    kinds.sort_unstable();
    if kinds.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Flaw::Repeated);
    }
    if let Some(content) = extensions.of(ENCRYPTED_CLIENT_HELLO).next() {
        encrypted_hello(content).ok_or(Flaw::FirstExtensions)?;
    }
    if let Some(content) = extensions.of(SERVER_NAME).next() {
        server_name(content)?;
    }
    let Some(version) = version(head, server).ok_or(Flaw::FirstExtensions)? else {
        return Ok(());
    };
    for (kind, content) in extensions.extensions() {
        extension(kind, content, version)?;
    }
    let of_1_3 = |kind| extensions.of(kind).next().filter(|_| version == TLS_1_3);
    if let Some(content) = of_1_3(PRE_SHARED_KEY) {
        if extensions.extensions().last().is_none_or(|(kind, _)| kind != PRE_SHARED_KEY) {
            return Err(Flaw::KeyNotLast);
        }
        pre_shared_keys(content)?;
    }
    if let Some(content) = extensions.of(ALPN).next()
        && !server.protocols.is_empty()
    {
        shares_none(content, server.protocols).ok_or(Flaw::Protocols)?;
    }
    match of_1_3(KEY_SHARE) {
        Some(content) => key_shares(content).ok_or(Flaw::Keys),
        None => Ok(()),
    }
}

/// Those of another kind than [`OUTER`] are left to rustls.
fn encrypted_hello(mut content: Fields<'_>) -> Option<()> {
    if content.take(1)? != [OUTER] {
        return Some(());
    }
    let _suite_and_key = content.take(5)?;
    let _encapsulated_key = content.take_vector16()?;
    let _payload = content.take_vector16()?;
    content.end()
}

fn server_name(mut content: Fields<'_>) -> Result<(), Flaw> {
    let mut list = content.take_vector16().ok_or(Flaw::ServerName)?;
    let kind = list.take(1).ok_or(Flaw::ServerName)?;
    let name = list.take_vector16().ok_or(Flaw::ServerName)?;
    list.end().and_then(|()| content.end()).ok_or(Flaw::ServerName)?;
    let has_room = (1..=NAME_BYTES_MAX).contains(&name.0.len());
    let is_name = kind == [HOST_NAME] && has_room && !name.0.contains(&0);
    is_name.then_some(()).ok_or(Flaw::NotAName)
}

/// What both speak; `Some(None)` where that is nothing, which is up to rustls. Each version of the server's is
/// looked for in what the client offers, up to where that breaks off.
fn version(head: &Head<'_>, server: &Server<'_>) -> Option<Option<u16>> {
    let Some(mut content) = head.extensions.of(SUPPORTED_VERSIONS).next() else {
        return Some((server.has_1_2 && head.version >= TLS_1_2).then_some(TLS_1_2));
    };
    let offered = content.take_vector8()?;
    content.end()?;
    if offered.0.is_empty() {
        return None;
    }
    for (version, is_spoken) in [(TLS_1_3, server.has_1_3), (TLS_1_2, server.has_1_2)] {
        let mut rest = offered;
        while is_spoken && !rest.0.is_empty() {
            if rest.take_u16()? == version {
                return Some(Some(version));
            }
        }
    }
    Some(None)
}

fn extension(kind: u16, content: Fields<'_>, version: u16) -> Result<(), Flaw> {
    match kind {
        SUPPORTED_GROUPS | SIGNATURE_ALGORITHMS => numbers(content),
        DELEGATED_CREDENTIAL if version == TLS_1_3 => numbers(content),
        SIGNED_CERTIFICATE_TIMESTAMP => content.end().ok_or(Flaw::Extension),
        NEXT_PROTOCOL_NEGOTIATION if version == TLS_1_2 => content.end().ok_or(Flaw::Extension),
        CERTIFICATE_AUTHORITIES => authorities(content),
        QUIC_TRANSPORT_PARAMETERS => Err(Flaw::Quic),
        EC_POINT_FORMATS if version == TLS_1_2 => point_formats(content),
        RENEGOTIATION_INFO if version == TLS_1_2 => renegotiation_info(content),
        _ => Ok(()),
    }
}

fn numbers(mut content: Fields<'_>) -> Result<(), Flaw> {
    let list = content.take_vector16().ok_or(Flaw::Extension)?;
    match (list.0.len(), content.0.len()) {
        (0, _) | (_, 1..) => Err(Flaw::Extension),
        (length, 0) if length % 2 == 1 => Err(Flaw::HalfNumber),
        _ => Ok(()),
    }
}

fn authorities(mut content: Fields<'_>) -> Result<(), Flaw> {
    content.0.first().ok_or(Flaw::Extension)?;
    let mut names = content.take_vector16().ok_or(Flaw::Authorities)?;
    if names.0.is_empty() {
        return Err(Flaw::Extension);
    }
    while !names.0.is_empty() {
        names.take_vector16().ok_or(Flaw::Authority)?;
    }
    content.end().ok_or(Flaw::Extension)
}

fn point_formats(mut content: Fields<'_>) -> Result<(), Flaw> {
    let formats = content.take_vector8().ok_or(Flaw::Extension)?;
    content.end().ok_or(Flaw::Extension)?;
    formats.0.contains(&UNCOMPRESSED).then_some(()).ok_or(Flaw::Points)
}

/// RFC 5746 §3.6: of a first handshake there is nothing to tell.
fn renegotiation_info(mut content: Fields<'_>) -> Result<(), Flaw> {
    let earlier = content.take_vector8().ok_or(Flaw::RenegotiationInfo)?;
    content.end().ok_or(Flaw::RenegotiationInfo)?;
    earlier.end().ok_or(Flaw::Renegotiation)
}

/// Only the first key is looked at closely: a list that breaks off behind it is as one of another length.
fn pre_shared_keys(mut content: Fields<'_>) -> Result<(), Flaw> {
    let identities = content.take_vector16().ok_or(Flaw::Keys)?;
    let binders = content.take_vector16().ok_or(Flaw::Keys)?;
    content.end().ok_or(Flaw::Keys)?;
    let identity = |list: &mut Fields<'_>| {
        list.take_vector16()?;
        list.take(4).map(drop)
    };
    let identities = count(identities, identity)?;
    let binders = count(binders, |list| list.take_vector8().map(drop))?;
    (identities == binders).then_some(()).ok_or(Flaw::Binders)
}

/// How many `list` holds, of which `take` takes one.
fn count(
    mut list: Fields<'_>,
    take: impl Fn(&mut Fields<'_>) -> Option<()>,
) -> Result<usize, Flaw> {
    take(&mut list).ok_or(Flaw::Keys)?;
    let mut count = 1;
    while !list.0.is_empty() {
        take(&mut list).ok_or(Flaw::Binders)?;
        count += 1;
    }
    Ok(count)
}

fn key_shares(mut content: Fields<'_>) -> Option<()> {
    let mut shares = content.take_vector16()?;
    while !shares.0.is_empty() {
        let _group = shares.take_u16()?;
        shares.take_vector16().filter(|key| !key.0.is_empty())?;
    }
    content.end()
}

/// Whether the client offers protocols, and none of `ours` is among them; `None` where that cannot be read.
fn shares_none(mut content: Fields<'_>, ours: &[Vec<u8>]) -> Option<bool> {
    let mut list = content.take_vector16().filter(|list| !list.0.is_empty())?;
    content.end()?;
    let mut shares_none = !ours.is_empty();
    while !list.0.is_empty() {
        let name = list.take_vector8().filter(|name| !name.0.is_empty())?;
        shares_none &= ours.iter().all(|one| one != name.0);
    }
    Some(shares_none)
}

impl<'a> Fields<'a> {
    /// Whether nothing is left.
    fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }

    /// The extensions in a list of them.
    fn extensions(mut self) -> impl Iterator<Item = (u16, Self)> {
        std::iter::from_fn(move || self.take_extension().flatten())
    }

    /// What those of this kind hold.
    fn of(self, kind: u16) -> impl Iterator<Item = Self> {
        self.extensions().filter(move |(other, _)| *other == kind).map(|(_, content)| content)
    }
}
