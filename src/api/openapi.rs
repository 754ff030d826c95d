//! The OpenAPI document of what is served, made from the code, at `/openapi.json`.

use std::sync::LazyLock;

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::automation::{definitions, steps, triggers, usage, workflows};
use super::json::JSON;
use super::nexmo::{applications, dispatch, messages as nexmo_messages};
use super::operations::{
    audit, batches, definitions as definition_states, history_policy, instances, limits,
};
use super::{health, webhooks};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Trunkline",
        description = "Definitions of messaging workflows, their instances, and what starts them.",
        license(name = "Apache-2.0 OR MIT")
    ),
    paths(
        definitions::list::list,
        definitions::create::create,
        definitions::history::history,
        definitions::update::update,
        definitions::delete::delete,
        definitions::validate::validate,
        definitions::schema::show,
        workflows::list::list,
        workflows::start::start,
        workflows::show::show,
        workflows::control::control,
        workflows::errors::errors,
        triggers::http_request::http_request,
        steps::timezones::timezones,
        steps::functions::functions,
        usage::show::show,
        usage::history::history,
        instances::list::list,
        instances::show::show,
        instances::rerun::rerun,
        batches::list::list,
        batches::create::create,
        batches::show::show,
        batches::control::control,
        batches::items::items,
        instances::history::history,
        history_policy::show::show,
        history_policy::replace::replace,
        audit::list::list,
        limits::show::show,
        limits::replace::replace,
        definition_states::show_state::show_state,
        definition_states::pause::pause,
        definition_states::resume::resume,
        definition_states::drain::drain,
        applications::list::list,
        applications::create::create,
        applications::show::show,
        applications::update::update,
        applications::delete::delete,
        dispatch::create::create,
        dispatch::create::create_legacy,
        dispatch::show::show,
        dispatch::list::list,
        dispatch::cancel::cancel,
        nexmo_messages::send::send,
        nexmo_messages::show::show,
        webhooks::messages::receive,
        webhooks::voice::receive,
        webhooks::dtmf::receive,
        webhooks::message_status::receive,
        webhooks::inbound_message::receive,
        health::healthz,
        health::readyz,
    ),
    security(("bearerAuth" = [])),
    modifiers(&SecuritySchemes),
    tags(
        (name = "Definitions", description = "Blueprints of workflows. Every update makes a new version."),
        (name = "Workflows", description = "Instances: runs of one version of a definition."),
        (name = "Triggers", description = "Events that start instances of every definition they match."),
        (name = "Steps", description = "What scripts in steps can use."),
        (name = "Usage", description = "How much an account started, by month."),
        (name = "Operations", description = "Which instances there are, why one waits, what is limited, running it again, one or many, and who did what."),
        (name = "Applications", description = "Clients of the Workflows and Messages API with keys of their own."),
        (name = "Dispatch", description = "The Workflows and Messages API: messages that fail over to the next one."),
        (name = "Webhooks", description = "Called by the messaging platform."),
        (name = "Health", description = "For those who run the server."),
    )
)]
struct Api;

struct SecuritySchemes;

impl Modify for SecuritySchemes {
    fn modify(&self, document: &mut Document) {
        let mut bearer = Http::new(HttpAuthScheme::Bearer);
        bearer.description = Some("An API key of the account in the path.".to_owned());
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearerAuth", SecurityScheme::Http(bearer));
        let mut basic = Http::new(HttpAuthScheme::Basic);
        basic.description =
            Some("An API key of the Workflows and Messages API, and one of its secrets.".to_owned());
        components.add_security_scheme("basicAuth", SecurityScheme::Http(basic));
        let mut token = Http::new(HttpAuthScheme::Bearer);
        token.bearer_format = Some("JWT".to_owned());
        token.description =
            Some("A token (RS256) of an application, signed with its private key.".to_owned());
        components.add_security_scheme("applicationJwt", SecurityScheme::Http(token));
        let webhook = ApiKeyValue::with_description(
            "Authorization",
            "The account's webhook secret, with which the webhook was registered.",
        );
        let webhook = SecurityScheme::ApiKey(ApiKey::Header(webhook));
        components.add_security_scheme("webhookAuthorization", webhook);
    }
}

pub fn document() -> Document {
    Api::openapi()
}

static TEXT: LazyLock<String> =
    LazyLock::new(|| document().to_pretty_json().expect("the document is plain data, which is always JSON"));

pub async fn show() -> Response {
    ([(CONTENT_TYPE, JSON)], TEXT.as_str()).into_response()
}
