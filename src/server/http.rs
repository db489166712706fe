//! Metrics and health, for those who watch.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, Response, StatusCode, body::Incoming, header, service::service_fn};
use hyper_util::rt::TokioIo;
use ottla_core::inspect::Inspection;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, mpsc, oneshot},
};

use super::{Event, exposition, metrics::Metrics};

/// What the HTTP listener knows.
#[derive(Debug)]
pub(super) struct Observed<H> {
    pub(super) inbox: mpsc::UnboundedSender<Event<H>>,
    pub(super) metrics: Arc<Metrics>,
}

/// How many connections it serves at once: who watches needs few.
const CONNECTIONS_MAX: usize = 64;

/// How long it waits for the shard to tell of itself.
const PATIENCE: Duration = Duration::from_secs(5);

/// Serves for ever.
pub(super) async fn serve<H: Send + 'static>(listener: TcpListener, observed: Observed<H>) {
    let observed = Arc::new(observed);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection for metrics");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let observed = Arc::clone(&observed);
        tokio::spawn(async move {
            let service = service_fn(move |request| respond(Arc::clone(&observed), request));
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service);
            // A client that goes away half-way is nothing to speak of.
            let _ = tokio::time::timeout(Duration::from_secs(60), connection).await;
            drop(place);
        });
    }
}

async fn respond<H>(
    observed: Arc<Observed<H>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.method() != Method::GET {
        return Ok(text(StatusCode::METHOD_NOT_ALLOWED, "only GET is served here\n".into()));
    }
    Ok(match request.uri().path() {
        "/metrics" => match inspect(&observed).await {
            Some(inspection) => {
                text(StatusCode::OK, exposition::render(&inspection, &observed.metrics))
            }
            None => text(StatusCode::SERVICE_UNAVAILABLE, "the broker does not answer\n".into()),
        },
        "/health/live" => text(StatusCode::OK, "live\n".into()),
        "/health/ready" => match inspect(&observed).await {
            Some(inspection) => readiness(&inspection),
            None => text(StatusCode::SERVICE_UNAVAILABLE, "the broker does not answer\n".into()),
        },
        _ => text(
            StatusCode::NOT_FOUND,
            "there are /metrics, /health/live and /health/ready\n".into(),
        ),
    })
}

fn readiness(inspection: &Inspection) -> Response<Full<Bytes>> {
    let failed = inspection.partitions.iter().filter(|partition| partition.is_failed).count();
    if inspection.writes_refused {
        text(StatusCode::SERVICE_UNAVAILABLE, "the disk is nearly full\n".into())
    } else if failed > 0 {
        let words = format!("the disk failed {failed} partitions\n");
        text(StatusCode::SERVICE_UNAVAILABLE, words)
    } else {
        text(StatusCode::OK, "ready\n".into())
    }
}

async fn inspect<H>(observed: &Observed<H>) -> Option<Inspection> {
    let (sender, receiver) = oneshot::channel();
    observed.inbox.send(Event::Inspect(sender)).ok()?;
    tokio::time::timeout(PATIENCE, receiver).await.ok()?.ok()
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let kind = header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
