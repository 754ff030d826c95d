//! Traces: W3C trace contexts that are handed on, and OpenTelemetry spans where somebody collects them.
//!
//! A context is handed on whether or not this process exports anything, so that what a caller began goes on in the
//! services that a workflow calls. `tracestate` is not kept.

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

use opentelemetry::propagation::{Extractor, TextMapPropagator};
pub use opentelemetry::trace::SpanKind;
use opentelemetry::trace::{Span as _, SpanContext, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, Span as SdkSpan};

/// The header that carries a context.
pub const TRACEPARENT: &str = "traceparent";

static TRACER: OnceLock<SdkTracer> = OnceLock::new();

tokio::task_local! {
    static CURRENT: TraceContext;
}

/// From here on, spans are made and given to this provider. Once per process.
pub fn export(provider: &SdkTracerProvider) {
    TRACER.get_or_init(|| provider.tracer("trunkline"));
}

/// Whether somebody collects spans.
pub fn is_exporting() -> bool {
    TRACER.get().is_some()
}

/// The place in a trace that is handed on: displayed as the value of [`TRACEPARENT`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext(SpanContext);

impl TraceContext {
    /// `None` unless it is a valid `traceparent`.
    pub fn parse(traceparent: &str) -> Option<Self> {
        // The library takes shorter ids, too.
        if !traceparent.split('-').map(str::len).take(4).eq([2, 32, 16, 2]) {
            return None;
        }
        let context =
            TraceContextPropagator::new().extract_with_context(&Context::new(), &Header(traceparent));
        let context = context.span().span_context().clone();
        context.is_valid().then_some(Self(context))
    }

    /// The context of the work that this task does.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }

    /// Does some work under it.
    pub async fn scope<F: Future>(self, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(context) = self;
        let flags = context.trace_flags().to_u8();
        write!(f, "00-{}-{}-{flags:02x}", context.trace_id(), context.span_id())
    }
}

struct Header<'a>(&'a str);

impl Extractor for Header<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACEPARENT).then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

/// Some work, from its making to its drop. Without somebody who collects it, it only hands the parent on.
#[derive(Debug)]
pub struct Span {
    own: Option<SdkSpan>,
    context: Option<TraceContext>,
}

impl Span {
    pub fn begin(kind: SpanKind, name: impl Into<Cow<'static, str>>, parent: Option<&TraceContext>) -> Self {
        let own = TRACER.get().map(|tracer| {
            let around = Context::new();
            let around = match parent {
                Some(TraceContext(parent)) => around.with_remote_span_context(parent.clone()),
                None => around,
            };
            tracer.span_builder(name).with_kind(kind).start_with_context(tracer, &around)
        });
        let context = match &own {
            Some(span) => Some(TraceContext(span.span_context().clone())),
            None => parent.cloned(),
        };
        Self { own, context }
    }

    /// What is handed on from here.
    pub fn context(&self) -> Option<&TraceContext> {
        self.context.as_ref()
    }

    pub fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        if let Some(span) = &mut self.own {
            span.set_attribute(KeyValue::new(key, value));
        }
    }

    /// It did not go well. The words are read by whoever reads the traces: nothing that was sent, no secret.
    pub fn fail(&mut self, words: impl Into<Cow<'static, str>>) {
        if let Some(span) = &mut self.own {
            span.set_status(Status::error(words));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_context_is_written_as_it_was_read() {
        assert_eq!(TraceContext::parse(PARENT).unwrap().to_string(), PARENT);
        let unsampled = PARENT.replace("-01", "-00");
        assert_eq!(TraceContext::parse(&unsampled).unwrap().to_string(), unsampled);
        let later = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-holds";
        assert_eq!(TraceContext::parse(later).unwrap().to_string(), PARENT, "read as the version we know");
    }

    #[test]
    fn what_is_no_context_is_none() {
        for text in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-é-é-01",
        ] {
            assert_eq!(TraceContext::parse(text), None, "{text}");
        }
    }

    #[tokio::test]
    async fn without_a_collector_the_parent_is_handed_on() {
        let parent = TraceContext::parse(PARENT).unwrap();
        let mut span = Span::begin(SpanKind::Server, "GET /", Some(&parent));
        span.set("http.response.status_code", 500);
        span.fail("HTTP 500");
        assert_eq!(span.context(), Some(&parent));
        assert_eq!(Span::begin(SpanKind::Server, "GET /", None).context(), None);
        assert_eq!(TraceContext::current(), None);
        let seen = parent.clone().scope(async { TraceContext::current() }).await;
        assert_eq!(seen, Some(parent));
    }
}
