//! A trace from the caller through the server and the steps to the service that a step calls.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message;
use serde_json::{Value, json};
use trunkline_telemetry::traces::TraceContext;

use crate::dev::Dev;
use crate::program::{Client, TestDir};

const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const EVENTS: &str = "/api/v1/accounts/dev/triggers/http_request?subAccountId=dev_checks";

/// Takes spans, and plays the service that the workflow calls.
struct Collector {
    url: String,
    spans: Arc<Mutex<Vec<Span>>>,
    services: Arc<Mutex<Vec<String>>>,
    /// The `traceparent` headers that the service was called with.
    called_with: Arc<Mutex<Vec<String>>>,
}

impl Collector {
    async fn start() -> Self {
        let (spans, services, called_with) = (
            Arc::<Mutex<Vec<Span>>>::default(),
            Arc::<Mutex<Vec<String>>>::default(),
            Arc::<Mutex<Vec<String>>>::default(),
        );
        let (into, names, calls) = (spans.clone(), services.clone(), called_with.clone());
        let routes = Router::new()
            .route(
                "/v1/traces",
                post(async move |headers: HeaderMap, body: Bytes| {
                    assert_eq!(headers["content-type"], "application/x-protobuf");
                    let request = ExportTraceServiceRequest::decode(body).unwrap();
                    for resource in request.resource_spans {
                        let about = resource.resource.unwrap().attributes;
                        let name = about.iter().find(|one| one.key == "service.name").unwrap();
                        names.lock().unwrap().push(text(name.value.clone().unwrap().value));
                        for scope in resource.scope_spans {
                            into.lock().unwrap().extend(scope.spans);
                        }
                    }
                    StatusCode::OK
                }),
            )
            .route(
                "/service",
                get(async move |headers: HeaderMap| {
                    let traceparent =
                        headers.get("traceparent").map(|value| value.to_str().unwrap().to_owned());
                    calls.lock().unwrap().push(traceparent.unwrap_or_default());
                    "{}"
                }),
            );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum_serve(listener, routes).await });
        Self { url, spans, services, called_with }
    }

    fn spans(&self, name: &str) -> Vec<Span> {
        self.spans.lock().unwrap().iter().filter(|span| span.name == name).cloned().collect()
    }
}

async fn axum_serve(listener: tokio::net::TcpListener, routes: Router) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let service = hyper_util::service::TowerToHyperService::new(routes.clone());
        tokio::spawn(async move {
            let io = hyper_util::rt::TokioIo::new(stream);
            let _ended = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
        });
    }
}

fn text(value: Option<any_value::Value>) -> String {
    match value {
        Some(any_value::Value::StringValue(text)) => text,
        other => format!("{other:?}"),
    }
}

fn attribute(span: &Span, key: &str) -> String {
    let found = span.attributes.iter().find(|one| one.key == key);
    text(found.unwrap_or_else(|| panic!("no {key} in {span:?}")).value.clone().unwrap().value)
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn check_service(dev: &Dev, collector: &Collector, phone: &str, caller: Option<&str>) {
    let client: Client = dev.client();
    let event = json!({"url": format!("{}/service", collector.url), "phone": phone});
    let raise = client.call_traced("POST", EVENTS, Some(&event));
    let (status, answer): (u16, Value) = match caller {
        Some(caller) => TraceContext::parse(caller).unwrap().scope(raise).await,
        None => raise.await,
    };
    assert!((200..300).contains(&status), "{answer}");
    dev.sends(phone, &format!("All is well: {}/service answers 200.", collector.url)).await;
}

#[tokio::test]
async fn a_callers_trace_goes_on_through_server_steps_and_services() {
    let dir = TestDir::new();
    let collector = Collector::start().await;
    let dev = Dev::start(&dir, &["--otlp-endpoint", &collector.url]).await;
    check_service(&dev, &collector, "+6591000090", Some(CALLER)).await;
    check_service(&dev, &collector, "+6591000091", None).await;
    assert_eq!(dev.process.stop().await, Some(0), "it sends what it has at its end");

    assert!(collector.services.lock().unwrap().iter().all(|name| name == "trunkline"));
    let of_caller = |span: &&Span| hex(&span.trace_id) == TRACE;
    let route = "POST /api/v1/accounts/{accountId}/triggers/http_request";
    let requests = collector.spans(route);
    let request = requests.iter().find(of_caller).expect("the request's span");
    assert_eq!(hex(&request.parent_span_id), "00f067aa0ba902b7");
    assert_eq!(
        (request.kind(), attribute(request, "http.response.status_code")),
        (SpanKind::Server, "Some(IntValue(200))".to_owned())
    );
    for (step_type, id) in [("HttpRequest", "ask"), ("Branch", "judge"), ("SMS", "well")] {
        let spans = collector.spans(step_type);
        let span = spans.iter().find(of_caller).unwrap_or_else(|| panic!("no span of {step_type}"));
        assert_eq!(span.parent_span_id, request.span_id, "{step_type}");
        assert_eq!(attribute(span, "trunkline.step.id"), id);
        assert_eq!(attribute(span, "trunkline.outcome"), "completed");
    }
    let step = collector.spans("HttpRequest").into_iter().find(|span| of_caller(&span)).unwrap();
    let call = collector.spans("GET").into_iter().find(|span| of_caller(&span)).unwrap();
    assert_eq!((call.kind(), call.parent_span_id), (SpanKind::Client, step.span_id));
    let called_with = collector.called_with.lock().unwrap().clone();
    assert_eq!(called_with[0], format!("00-{TRACE}-{}-01", hex(&call.span_id)));

    // Without a caller's trace, the request begins one, and its steps are in it.
    let own = requests.iter().find(|span| !of_caller(span)).unwrap();
    assert!(own.parent_span_id.is_empty());
    let steps = collector.spans("SMS");
    let step = steps.iter().find(|span| span.trace_id == own.trace_id).unwrap();
    assert_eq!(step.parent_span_id, own.span_id);
    assert!(called_with[1].contains(&hex(&own.trace_id)));
}

#[tokio::test]
async fn without_a_collector_a_callers_trace_still_reaches_the_services() {
    let dir = TestDir::new();
    let collector = Collector::start().await;
    let dev = Dev::start(&dir, &[]).await;
    check_service(&dev, &collector, "+6591000092", Some(CALLER)).await;
    check_service(&dev, &collector, "+6591000093", None).await;
    assert_eq!(dev.process.stop().await, Some(0));
    assert_eq!(*collector.called_with.lock().unwrap(), [CALLER, ""]);
    assert!(collector.spans.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_collector_that_is_away_holds_nothing_up() {
    let dir = TestDir::new();
    let collector = Collector::start().await;
    let dev = Dev::start(&dir, &["--otlp-endpoint", "http://127.0.0.1:9"]).await;
    check_service(&dev, &collector, "+6591000094", Some(CALLER)).await;
    assert_eq!(dev.process.stop().await, Some(0));
}
