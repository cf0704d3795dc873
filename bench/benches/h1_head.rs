//! HTTP/1 request heads: parsing into the header block, looking fields up, writing them out. All
//! reuse their memory, as a connection does.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use ringmain_proto_codec::KnownHeader;
use ringmain_proto_codec::h1::{
    HeadProgress, KeyFormat, RequestHead, RequestOptions, encode_request,
};

/// What wrk sends.
const SMALL: &[u8] = b"GET /bytes/128 HTTP/1.1\r\nHost: 127.0.0.1:10000\r\n\r\n";

/// What a browser sends.
const BROWSER: &[u8] = b"GET /catalogue/items?page=2&sort=price HTTP/1.1\r\n\
    Host: shop.example.com\r\n\
    Connection: keep-alive\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Accept-Language: en-GB,en;q=0.5\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Referer: https://shop.example.com/catalogue\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; consent=all\r\n\
    Sec-Fetch-Dest: document\r\n\
    Sec-Fetch-Mode: navigate\r\n\
    Sec-Fetch-Site: same-origin\r\n\r\n";

const HEADS: [(&str, &[u8]); 2] = [("small", SMALL), ("browser", BROWSER)];

fn parse(head: &mut RequestHead, bytes: &[u8], options: &RequestOptions) {
    let parsed = head.parse(bytes, &mut HeadProgress::default(), options);
    assert_eq!(parsed, Ok(Some(bytes.len())));
}

fn parsing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("h1_head/parse");
    let options = RequestOptions::default();
    for (name, bytes) in HEADS {
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        let mut head = RequestHead::default();
        group.bench_function(name, |bencher| {
            bencher.iter(|| parse(&mut head, black_box(bytes), &options));
        });
    }
    group.finish();
}

fn header_block(criterion: &mut Criterion) {
    let mut head = RequestHead::default();
    parse(&mut head, BROWSER, &RequestOptions::default());
    criterion.bench_function("h1_head/get_known", |bencher| {
        bencher.iter(|| black_box(&head.headers).get(black_box(KnownHeader::Authority)).is_some());
    });
    criterion.bench_function("h1_head/get_by_name", |bencher| {
        bencher
            .iter(|| black_box(&head.headers).get_by_name(black_box(b"sec-fetch-site")).is_some());
    });
}

fn encoding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("h1_head/encode");
    for (name, bytes) in HEADS {
        let mut head = RequestHead::default();
        parse(&mut head, bytes, &RequestOptions::default());
        let mut out = Vec::new();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                out.clear();
                encode_request(black_box(&head.headers), false, KeyFormat::LowerCase, &mut out);
            });
        });
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    parsing(&mut criterion);
    header_block(&mut criterion);
    encoding(&mut criterion);
    criterion.final_summary();
}
