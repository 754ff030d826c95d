//! Every answer that carries an `errorId` leaves a line with it in the log: what somebody reports can be
//! found again. The route stands there as its template, so nothing that callers sent does.

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;

use super::error::Refusal;

pub(super) async fn log_refusals(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    // There is none where no route matched.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    if let Some(Refusal { code, error_id, defect }) = response.extensions().get::<Refusal>() {
        let (status, route) = (response.status().as_u16(), route.as_ref().map(MatchedPath::as_str));
        if let Some(defect) = defect {
            tracing::error!(
                error.id = %error_id, error.code = code, http.status = status, http.method = %method,
                http.route = route, error = defect, "a request was not served"
            );
        } else {
            tracing::info!(
                error.id = %error_id, error.code = code, http.status = status, http.method = %method,
                http.route = route, "a request was refused"
            );
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use tower::ServiceExt;
    use trunkline_store::StoreError;

    use super::super::error::ApiError;
    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn c_004_the_log_knows_the_id_of_every_error_and_nothing_of_the_request() {
        let written = Written::default();
        let writer = written.clone();
        let log = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        let _guard = tracing::subscriber::set_default(log);
        let app = Router::new()
            .route("/refused/{id}", get(async || ApiError::InvalidDefinition("private".to_owned())))
            .route("/broken/{id}", get(async || ApiError::from(StoreError::Damaged("row 7".to_owned()))))
            .layer(from_fn(log_refusals));
        for (path, level, tells) in [
            ("/refused/secret", "INFO", ["http.status=400", "error.code=5001", "/refused/{id}"]),
            ("/broken/secret", "ERROR", ["http.status=500", "row 7", "/broken/{id}"]),
        ] {
            written.0.lock().unwrap().clear();
            let response =
                app.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
            let body = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            let line = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
            assert_eq!(line.lines().count(), 1, "{line}");
            assert!(line.contains(body["errorId"].as_str().unwrap()) && line.contains(level), "{line}");
            assert!(tells.iter().all(|text| line.contains(text)), "{line}");
            assert!(!line.contains("secret") && !line.contains("private"), "{line}");
        }
    }
}
