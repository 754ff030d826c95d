//! Takes down what one attempt of a step does, as it does it.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::redact_json::{JsonRedactor, Written};
use super::redact_url::redact_url;
use super::redaction::Redaction;
use super::secrets::{REDACTED, Secrets};
use crate::outbound::{OutboundError, OutboundRequest, OutboundResponse};

/// Bodies' worth of bytes that one attempt may keep altogether.
const BODIES: usize = 6;
/// Calls of one attempt; no step makes more than two.
const MOST_EXCHANGES: usize = 4;
const MOST_HEADERS: usize = 50;
/// Characters of a header, of a reason and of an error.
const LONGEST_HEADER: usize = 256;
const LONGEST_ERROR: usize = 2_000;

/// Shared between the step and its client.
#[derive(Debug)]
pub struct Recorder {
    redaction: Redaction,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    secrets: Secrets,
    /// Bytes that may still be kept.
    left: usize,
    /// Stands for the URL of the calls.
    target: Option<&'static str>,
    inputs: Option<Excerpt>,
    exchanges: Vec<Exchange>,
}

/// What is kept of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// `{"inputs", "exchanges", "outputs"}`, as JSON text.
    pub detail: String,
    pub error: Option<String>,
}

#[derive(Debug, Serialize)]
struct Detail<'a> {
    inputs: Option<&'a Excerpt>,
    exchanges: &'a [Exchange],
    outputs: Option<Excerpt>,
}

/// The beginning of something, or all of it.
#[derive(Debug, Serialize)]
struct Excerpt {
    /// All of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    json: Option<Box<RawValue>>,
    /// What is no JSON, or the beginning of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// Bytes of the original.
    size: usize,
    cut: bool,
}

#[derive(Debug, Serialize)]
struct Exchange {
    request: Request,
    response: Option<Response>,
    /// Why there is no answer.
    error: Option<String>,
    milliseconds: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Request {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: Option<Excerpt>,
}

#[derive(Debug, Serialize)]
struct Response {
    status: u16,
    reason: String,
    headers: Vec<(String, String)>,
    body: Option<Excerpt>,
}

impl Recorder {
    pub fn new(redaction: Redaction) -> Self {
        let left = redaction.limit * BODIES;
        let state =
            State { secrets: Secrets::default(), left, target: None, inputs: None, exchanges: Vec::new() };
        Self { redaction, state: Mutex::new(state) }
    }

    /// The evaluated inputs of the step, before anything else.
    pub fn inputs(&self, inputs: &Value) {
        let mut state = self.lock();
        state.secrets.add_inputs(inputs, &self.redaction);
        let written = state.redactor(&self.redaction).value(inputs);
        state.inputs = Some(state.excerpt(written, length(inputs)));
    }

    /// Taken out of everything that comes from now on, and out of the inputs.
    pub fn keep_secret(&self, secret: &str) {
        self.lock().secrets.add_header(secret);
    }

    /// The URL of the calls is a secret of the operator's; `name` is what they are said to be to.
    pub fn hide_target(&self, name: &'static str, url: &str) {
        let mut state = self.lock();
        state.target = Some(name);
        state.secrets.add(url);
        state.secrets.add_url(url, &self.redaction);
        if let Ok(parsed) = reqwest::Url::parse(url.trim()) {
            let query = parsed.query().map(|query| format!("?{query}")).unwrap_or_default();
            state.secrets.add(&format!("{}{query}", parsed.path()));
            state.secrets.add(parsed.path());
        }
    }

    /// A call begins; gives its place.
    pub(crate) fn begin(&self, request: &OutboundRequest) -> Option<usize> {
        let mut state = self.lock();
        for (name, value) in &request.headers {
            if self.redaction.is_secret(name) {
                state.secrets.add_header(value);
            }
        }
        state.secrets.add_url(&request.url, &self.redaction);
        if state.exchanges.len() >= MOST_EXCHANGES {
            return None;
        }
        let url = match state.target {
            Some(name) => name.to_owned(),
            None => redact_url(&request.url, &self.redaction, &state.secrets),
        };
        let request = Request {
            method: start(&request.method.trim().to_ascii_uppercase(), LONGEST_HEADER),
            url,
            headers: state.headers(&request.headers, &self.redaction),
            body: request.body.as_ref().map(|body| state.body(body, &self.redaction)),
        };
        state.exchanges.push(Exchange { request, response: None, error: None, milliseconds: None });
        Some(state.exchanges.len() - 1)
    }

    /// The call at that place is over.
    pub(crate) fn end(
        &self,
        place: Option<usize>,
        answer: Result<&OutboundResponse, &OutboundError>,
        took: Duration,
    ) {
        let Some(place) = place else { return };
        let mut state = self.lock();
        let (mut response, mut error) = (None, None);
        match answer {
            Ok(answer) => {
                response = Some(Response {
                    status: answer.status,
                    reason: start(&state.secrets.scrub(&answer.reason), LONGEST_HEADER),
                    headers: state.headers(&answer.headers, &self.redaction),
                    body: (!answer.body.is_empty()).then(|| state.body(&answer.body, &self.redaction)),
                });
            }
            Err(failure) => error = Some(start(&state.secrets.scrub(&failure.to_string()), LONGEST_ERROR)),
        }
        let exchange = &mut state.exchanges[place];
        exchange.response = response;
        exchange.error = error;
        exchange.milliseconds = u64::try_from(took.as_millis()).ok();
    }

    /// The attempt is over: with these outputs, as JSON text, or that error.
    pub fn finish(&self, outputs: Option<&str>, error: Option<&str>) -> Recorded {
        let mut state = self.lock();
        let outputs = outputs.map(|outputs| state.body(outputs.as_bytes(), &self.redaction));
        // They were written before all secrets were known.
        if let Some(mut inputs) = state.inputs.take() {
            inputs.scrub(&state.secrets);
            state.inputs = Some(inputs);
        }
        let detail = Detail { inputs: state.inputs.as_ref(), exchanges: &state.exchanges, outputs };
        let detail = serde_json::to_string(&detail).expect("texts and JSON are JSON");
        let error = error.map(|error| start(&state.secrets.scrub(error), LONGEST_ERROR));
        Recorded { detail, error }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl State {
    fn redactor<'a>(&'a self, redaction: &'a Redaction) -> JsonRedactor<'a> {
        JsonRedactor { redaction, secrets: &self.secrets, limit: redaction.limit.min(self.left) }
    }

    fn excerpt(&mut self, written: Written, size: usize) -> Excerpt {
        let Written { text, cut } = written;
        self.left -= text.len().min(self.left);
        if cut {
            return Excerpt { json: None, text: (!text.is_empty()).then_some(text), size, cut };
        }
        match RawValue::from_string(text) {
            Ok(json) => Excerpt { json: Some(json), text: None, size, cut },
            Err(_) => Excerpt { json: None, text: None, size, cut: true },
        }
    }

    fn body(&mut self, body: &[u8], redaction: &Redaction) -> Excerpt {
        let redactor = self.redactor(redaction);
        if let Some(written) = redactor.bytes(body) {
            return self.excerpt(written, body.len());
        }
        let limit = redactor.limit;
        let text = if redaction.keeps() {
            // The end of a secret may be behind the cut, so that it would not be found.
            let text = String::from_utf8_lossy(body);
            self.secrets.scrub(&text).into_owned()
        } else {
            redaction.stand_in(body, &format!("{} bytes", body.len()))
        };
        let kept = &text[..text.floor_char_boundary(limit)];
        self.left -= kept.len().min(self.left);
        Excerpt {
            json: None,
            text: (!kept.is_empty()).then(|| kept.to_owned()),
            size: body.len(),
            cut: kept.len() < text.len(),
        }
    }

    fn headers(&self, headers: &[(String, String)], redaction: &Redaction) -> Vec<(String, String)> {
        let kept = |(name, value): &(String, String)| {
            let value = redaction.header(name, value, &self.secrets);
            (start(&self.secrets.scrub(name), LONGEST_HEADER), start(&value, LONGEST_HEADER))
        };
        headers.iter().take(MOST_HEADERS).map(kept).collect()
    }
}

impl Excerpt {
    fn scrub(&mut self, secrets: &Secrets) {
        if let Some(text) = &mut self.text {
            *text = secrets.scrub(text).into_owned();
        }
        if let Some(json) = &mut self.json {
            let scrubbed = secrets.scrub(json.get()).into_owned();
            *json = RawValue::from_string(scrubbed)
                .or_else(|_| RawValue::from_string(format!("\"{REDACTED}\"")))
                .expect("a text in quotes is JSON");
        }
    }
}

fn start(text: &str, longest: usize) -> String {
    text.chars().filter(|c| *c != '\0').take(longest).collect()
}

/// Bytes of its text.
fn length(value: &Value) -> usize {
    struct Counter(usize);
    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    serde_json::to_writer(&mut counter, value).expect("nothing is in the way of counting");
    counter.0
}
