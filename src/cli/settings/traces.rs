//! Where traces are collected.

mod post_spans;

use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use trunkline_telemetry::traces;

use super::base_url::parse_web_url;
use crate::cli::error::CliError;
use post_spans::PostSpans;

const SERVICE: &str = "trunkline";

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Traces")]
pub struct TraceSettings {
    /// Where spans are sent by OTLP over HTTP (protobuf), below which `/v1/traces` is added. The sampler, the headers,
    /// the name of the service and the size of batches are set by the variables that OpenTelemetry gives names to
    /// (`OTEL_TRACES_SAMPLER`, `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`,
    /// `OTEL_BSP_…`) [default: nowhere, and no spans are made]
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL", value_parser = parse_web_url)]
    otlp_endpoint: Option<String>,
}

/// What is still to be sent goes out when this is dropped.
pub struct Tracing(Option<SdkTracerProvider>);

impl TraceSettings {
    /// From here on spans are collected, if anybody is there to collect them.
    pub fn begin(&self) -> Result<Tracing, CliError> {
        let Some(url) = &self.otlp_endpoint else { return Ok(Tracing(None)) };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(PostSpans::new())
            .with_endpoint(format!("{}/v1/traces", url.trim_end_matches('/')))
            .build()
            .map_err(|error| CliError::Traces(error.to_string()))?;
        let mut resource = Resource::builder();
        if std::env::var_os("OTEL_SERVICE_NAME").is_none_or(|name| name.is_empty()) {
            resource = resource.with_service_name(SERVICE);
        }
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource.build())
            .build();
        traces::export(&provider);
        Ok(Tracing(Some(provider)))
    }
}

impl Drop for Tracing {
    fn drop(&mut self) {
        if let Some(provider) = self.0.take() {
            // The sender needs the runtime's other threads meanwhile.
            if let Err(error) = tokio::task::block_in_place(|| provider.shutdown()) {
                tracing::warn!(error = %error, "the last spans were not sent");
            }
        }
    }
}
