use super::*;

fn literal(text: &str) -> FormatPart {
    FormatPart::Literal(text.to_owned())
}

fn parsed(text: &str) -> SubstitutionFormat {
    SubstitutionFormat::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn error(text: &str) -> String {
    SubstitutionFormat::parse(text).unwrap_err().message
}

#[test]
fn literals_and_operators_alternate() {
    let operand = HeaderOperand { name: "x-a".into(), alternative: Some(":path".into()) };
    let operator = Operator::Header(HeaderSource::Request, operand);
    assert_eq!(
        parsed("a%%b %REQ(X-A?:Path):10% %PROTOCOL%").parts,
        [
            literal("a%b "),
            FormatPart::Operator { operator, max_length: Some(10) },
            literal(" "),
            FormatPart::Operator {
                operator: Operator::Plain(PlainOperator::Protocol),
                max_length: None
            },
        ]
    );
    assert_eq!(parsed("").parts, []);
    assert_eq!(parsed("%%").parts, [literal("%")]);
}

#[test]
fn the_default_access_log_format_is_a_format() {
    assert_eq!(parsed(DEFAULT_ACCESS_LOG_FORMAT).parts.last(), Some(&literal("\"\n")));
}

#[test]
fn a_lone_percent_sign_is_refused_by_position() {
    for (text, position) in [
        ("%", 1),
        ("100%", 4),
        ("a%b%c", 2),
        ("%protocol%", 1),
        ("%REQ(a):%", 1),
        ("%REQ(a%", 1),
        ("%REQ(a)b%", 1),
        ("%REQ(a):99999999999999999999%", 1),
    ] {
        assert_eq!(error(text), format!("no operator, in column {position} of the format"));
    }
}

#[test]
fn parameters_and_lengths_are_checked_as_envoy_does() {
    for (text, told) in [
        ("%PROTOCOL:5%", "PROTOCOL does not take any parameters or length"),
        ("%PROTOCOL(5)%", "PROTOCOL does not take any parameters or length"),
        ("%START_TIME:3%", "START_TIME does not allow length to be specified"),
        ("%START_TIME(%n)%", "a time format must not contain a newline"),
        ("%START_TIME(%Q)%", "'%Q' is no part of a time that is known here"),
        ("%REQ%", "REQ requires parameters"),
        ("%RESP()%", "RESP requires parameters"),
        ("%REQ(a?b?c)%", "more than one alternative header in 'a?b?c'"),
        ("%REQ(a b)%", "'a b' is no valid header name"),
        ("%COMMON_DURATION(a)%", "invalid COMMON_DURATION 'a', want START:END:UNIT"),
        ("%COMMON_DURATION(a:b:h)%", "invalid COMMON_DURATION unit 'h', want ms, us or ns"),
        (
            "%GRPC_STATUS(a)%",
            "GRPC_STATUS only supports CAMEL_STRING, SNAKE_STRING or NUMBER, not 'a'",
        ),
        ("%PATH(a)%", "invalid PATH option 'a', only WQ and NQ are allowed"),
        ("%METADATA(FOO:a)%", "'FOO' is not supported type of metadata"),
        ("%FILTER_STATE%", "FILTER_STATE: the key cannot be empty"),
        ("%FILTER_STATE(a:FIELD)%", "FILTER_STATE: FIELD should be used with the field name"),
    ] {
        assert_eq!(error(text), format!("{told}, in column 1 of the format"), "{text}");
    }
    parsed("%START_TIME()%%REQ(a?)%%REQ(A):0%%PROTOCOL()%%REQ(?)%%REQ(a):5%");
}

#[test]
fn errors_tell_the_column() {
    let unknown = "unknown operator %FOO%, in column 16 of the format";
    assert_eq!(error("ä %% %PROTOCOL%%FOO%"), unknown);
    let known = "%CEL% is known to Envoy, not supported by ringmain, in column 2 of the format";
    assert_eq!(error(" %CEL(a)%"), known);
    let needs =
        "%REQ_WITHOUT_QUERY% needs 'envoy.formatter.req_without_query' among the 'formatters'";
    assert!(error("%REQ_WITHOUT_QUERY(a)%").starts_with(needs));
}

#[test]
fn a_parameter_may_hold_parentheses_and_percent_signs() {
    for text in ["%START_TIME(a)b)%", "%START_TIME(a%%b)%", "%START_TIME(%s.%3f)%"] {
        assert_eq!(parsed(text).parts.len(), 1, "{text}");
    }
    assert_eq!(parsed("%REQ(a)%)%%").parts.len(), 2);
}

#[test]
fn printing_yields_the_same_format() {
    for text in [
        DEFAULT_ACCESS_LOG_FORMAT,
        "100%% %REQ(?)% %REQ(A?b):3% %RESP(c)% %TRAILER(d):1%",
        "%START_TIME% %START_TIME_LOCAL(%s%3f)% %EMIT_TIME(a)b)%",
        "%COMMON_DURATION(DS_RX_BEG:x)% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(16)%",
        "%METADATA(ROUTE:a:b:c):4% %CLUSTER_METADATA(a)% %DYNAMIC_METADATA(x)% %METADATA(ROUTE)%",
        "%PATH(NQ)% %QUERY_PARAM(a):3% %QUERY_PARAMS% %REQUESTED_SERVER_NAME(HOST_FIRST:HOST)%",
        "%REQUESTED_SERVER_NAME% %REQUESTED_SERVER_NAME(SNI_FIRST)% %REQUESTED_SERVER_NAME(SNI_FIRST:ORIG)%",
        "%GRPC_STATUS% %GRPC_STATUS(NUMBER)% %FILTER_STATE(a:FIELD:b):2% %ENVIRONMENT(A):1%",
        "%TRACE_ID% %UPSTREAM_PEER_CERT_V_END(%s)% %RESPONSE_CODE_DETAILS(ALLOW_WHITESPACES)%",
    ] {
        let format = parsed(text);
        let printed = format.to_string();
        assert_eq!(parsed(&printed), format, "{printed}");
    }
}

#[test]
fn every_plain_operator_is_found_by_its_name() {
    for name in ["ACCESS_LOG_TYPE", "UPSTREAM_WIRE_BYTES_SENT", "DURATION"] {
        assert_eq!(PlainOperator::from_name(name).map(PlainOperator::name), Some(name));
    }
}

#[test]
fn time_formats_are_taken_apart() {
    let parts = |text: &str| TimeFormat::parse(text).unwrap().parts;
    let unit = |unit, padding| TimePart::Unit(unit, padding);
    let zero = |wanted| unit(wanted, Padding::Zero);
    let point = TimePart::Literal(".".into());
    assert_eq!(
        parts("%s.%3f"),
        [zero(TimeUnit::EpochSeconds), point.clone(), zero(TimeUnit::Fraction(3))]
    );
    assert_eq!(parts("%E3S"), [zero(TimeUnit::Second), point, zero(TimeUnit::Fraction(3))]);
    assert_eq!(parts("%f"), [zero(TimeUnit::Fraction(9))]);
    assert_eq!(parts("%R"), parts("%H:%M"));
    assert_eq!(
        parts("%-d%_m"),
        [unit(TimeUnit::Day, Padding::Absent), unit(TimeUnit::Month, Padding::Space)]
    );
    assert_eq!(parts("a%%b%"), [TimePart::Literal("a%b%".into())]);
}
