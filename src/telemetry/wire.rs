//! The messages of OTLP, as far as traces need them, by the numbers of
//! <https://github.com/open-telemetry/opentelemetry-proto> (`trace/v1`, `common/v1`, `resource/v1`, `collector/trace/v1`).

use prost::Message;
use prost::Oneof;

use super::span;
use super::span::Attributes;
use super::span::Span;
use super::span::Value;
use crate::model::Time;

/// `SPAN_KIND_INTERNAL`.
const INTERNAL: i32 = 1;
/// `STATUS_CODE_ERROR`.
const ERROR: i32 = 2;

#[derive(Clone, PartialEq, Message)]
struct ExportTraceServiceRequest {
    #[prost(message, repeated, tag = "1")]
    resource_spans: Vec<ResourceSpans>,
}

/// What a collector answers.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ExportTraceServiceResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) partial_success: Option<PartialSuccess>,
}

/// What it did not take.
#[derive(Clone, PartialEq, Message)]
pub(super) struct PartialSuccess {
    #[prost(int64, tag = "1")]
    pub(super) rejected_spans: i64,
    #[prost(string, tag = "2")]
    pub(super) error_message: String,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    spans: Vec<WireSpan>,
}

#[derive(Clone, PartialEq, Message)]
struct Scope {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    version: String,
}

#[derive(Clone, PartialEq, Message)]
struct WireSpan {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(int32, tag = "6")]
    kind: i32,
    #[prost(fixed64, tag = "7")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "8")]
    end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
    #[prost(message, repeated, tag = "11")]
    events: Vec<Event>,
    #[prost(message, repeated, tag = "13")]
    links: Vec<Link>,
    #[prost(message, optional, tag = "15")]
    status: Option<Status>,
}

#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(fixed64, tag = "1")]
    time_unix_nano: u64,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(message, repeated, tag = "3")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct Link {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(string, tag = "2")]
    message: String,
    #[prost(int32, tag = "3")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(oneof = "Any", tags = "1, 2, 3, 5")]
    value: Option<Any>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Any {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Flag(bool),
    #[prost(int64, tag = "3")]
    Number(i64),
    #[prost(message, tag = "5")]
    List(ArrayValue),
}

#[derive(Clone, PartialEq, Message)]
struct ArrayValue {
    #[prost(message, repeated, tag = "1")]
    values: Vec<AnyValue>,
}

/// The body of a request that hands over these spans.
pub(super) fn request(resource: &Attributes, spans: &[Span]) -> Vec<u8> {
    let scope =
        Scope { name: env!("CARGO_PKG_NAME").to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
    let scope_spans = ScopeSpans { scope: Some(scope), spans: spans.iter().map(span).collect() };
    let resource = Resource { attributes: attributes(resource) };
    let all = ResourceSpans { resource: Some(resource), scope_spans: vec![scope_spans] };
    ExportTraceServiceRequest { resource_spans: vec![all] }.encode_to_vec()
}

fn span(span: &Span) -> WireSpan {
    WireSpan {
        trace_id: span.place.trace.0.to_vec(),
        span_id: span.place.span.0.to_vec(),
        parent_span_id: span.parent.map(|parent| parent.0.to_vec()).unwrap_or_default(),
        name: span.name.clone(),
        kind: INTERNAL,
        start_time_unix_nano: nanos(span.start),
        end_time_unix_nano: nanos(span.end),
        attributes: attributes(&span.attributes),
        events: span.events.iter().map(event).collect(),
        links: span
            .link
            .iter()
            .map(|to| Link { trace_id: to.trace.0.to_vec(), span_id: to.span.0.to_vec() })
            .collect(),
        status: span.failed.as_ref().map(|why| Status { message: why.clone(), code: ERROR }),
    }
}

fn event(event: &span::Event) -> Event {
    Event {
        time_unix_nano: nanos(event.at),
        name: event.name.to_owned(),
        attributes: attributes(&event.attributes),
    }
}

fn attributes(attributes: &Attributes) -> Vec<KeyValue> {
    let wire = |(key, value): &(&'static str, Value)| KeyValue {
        key: (*key).to_owned(),
        value: Some(AnyValue { value: Some(any(value)) }),
    };
    attributes.0.iter().map(wire).collect()
}

fn any(value: &Value) -> Any {
    match value {
        Value::Text(text) => Any::Text(text.clone()),
        Value::Flag(flag) => Any::Flag(*flag),
        Value::Number(number) => Any::Number(*number),
        Value::Texts(texts) => {
            let one = |text: &String| AnyValue { value: Some(Any::Text(text.clone())) };
            Any::List(ArrayValue { values: texts.iter().map(one).collect() })
        }
    }
}

fn nanos(time: Time) -> u64 {
    time.0.saturating_mul(1_000_000)
}
