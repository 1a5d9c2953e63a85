//! What can be asked.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use ap_types::grammar;
use ap_view::{Answer, Live, Operation, Selection, Shown, question};
use axum::extract::{DefaultBodyLimit, FromRequest as _, Query, Request, State as Shared};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::middleware::from_fn;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_stream::wrappers::WatchStream;
use tokio_stream::{Stream, StreamExt as _};

use crate::document::{Details, Found, Operate, Said, State, schema};
use crate::guard::guard;
use crate::page;

/// The longest body that is read.
const BODY: usize = 64 * 1024;

/// How long a body may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many may watch at the same time: those who came last.
const WATCHERS: u64 = 256;

/// A moment, and its document: made once, for all who watch.
#[derive(Clone)]
pub(crate) struct Moment {
    pub(crate) shown: Arc<Shown>,
    pub(crate) state: Arc<State>,
}

/// What all requests share.
pub(crate) struct App {
    pub(crate) live: Arc<dyn Live>,
    pub(crate) moments: watch::Receiver<Moment>,
    pub(crate) operate: bool,
    /// How many have ever come to watch.
    pub(crate) watchers: watch::Sender<u64>,
}

/// All routes, guarded.
pub(crate) fn routes(app: Arc<App>, remote: bool) -> Router {
    let text =
        |kind: &'static str, text: &'static str| get(move || async move { ([(CONTENT_TYPE, kind)], text) });
    Router::new()
        .route("/", text("text/html; charset=utf-8", page::HTML))
        .route("/page.css", text("text/css; charset=utf-8", page::CSS))
        .route("/page.js", text("text/javascript; charset=utf-8", page::JS))
        .route("/icon.svg", text("image/svg+xml", page::ICON))
        .route("/api/state", get(state))
        .route("/api/events", get(events))
        .route("/api/why", get(why))
        .route("/api/find", get(find))
        .route("/api/schema", get(async || ([(CONTENT_TYPE, "application/schema+json")], schema())))
        .route("/api/operate", post(operate))
        .layer(DefaultBodyLimit::max(BODY))
        .layer(from_fn(move |request, next| guard(remote, request, next)))
        .with_state(app)
}

async fn state(Shared(app): Shared<Arc<App>>) -> Response {
    let moment = app.moments.borrow().clone();
    Json(&*moment.state).into_response()
}

/// There is always a place for one more who watches: it is that of who has watched longest. Who still reads comes again
/// when its events end, as browsers do by themselves; who went silent does not.
async fn events(Shared(app): Shared<Arc<App>>) -> Response {
    let mut number = 0;
    app.watchers.send_modify(|all| {
        *all += 1;
        number = *all;
    });
    let too_many = WatchStream::new(app.watchers.subscribe()).filter(move |all| *all >= number + WATCHERS);
    let until = moments(&app).map(Some).merge(too_many.map(|_| None)).map_while(|event| event);
    Sse::new(until).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response()
}

/// First a whole moment, then what changes. Whoever reads slowly is sent fewer and larger changes: what is sent is made
/// when it can be sent.
fn moments(app: &App) -> impl Stream<Item = Result<Event, Infallible>> + use<> {
    let mut before: Option<Arc<State>> = None;
    WatchStream::new(app.moments.clone()).map(move |moment| {
        let now = moment.state;
        let change = before.as_ref().and_then(|before| now.since(before));
        let id = now.moment.to_string();
        let event = match &change {
            Some(change) => Event::default().event("change").json_data(change),
            None => Event::default().event("state").json_data(&*now),
        };
        before = Some(now);
        Ok(event.unwrap_or_default().id(id))
    })
}

#[derive(Deserialize)]
struct Why {
    select: Option<String>,
    target: Option<String>,
}

async fn why(Shared(app): Shared<Arc<App>>, Query(asked): Query<Why>) -> Response {
    let shown = app.moments.borrow().shown.clone();
    let named = asked.select.as_deref().filter(|text| !text.is_empty());
    let select = named.and_then(Selection::parse);
    if named.is_some() && select.is_none_or(|select| !shown.host.has(select)) {
        return (
            StatusCode::NOT_FOUND,
            "there is no such thing here: expected 04, .0047, 04.0047 or an mdev\n",
        )
            .into_response();
    }
    let target = asked.target.as_deref().filter(|text| text.len() == 36);
    let target = target.and_then(|text| grammar::uuid(text.as_bytes()).ok());
    Json(Details::of(&shown.host.detail(select, target), select)).into_response()
}

#[derive(Deserialize)]
struct Find {
    text: String,
    from: Option<String>,
}

async fn find(Shared(app): Shared<Arc<App>>, Query(asked): Query<Find>) -> Response {
    let shown = app.moments.borrow().shown.clone();
    let from = asked.from.as_deref().and_then(Selection::parse);
    let found = shown.host.find(&asked.text, from);
    Json(Found { schema: "apmatrix.view-found/1", select: found.map(|found| found.to_string()) })
        .into_response()
}

async fn operate(Shared(app): Shared<Arc<App>>, request: Request) -> Response {
    let said = |status, done, text: String| {
        (status, Json(Said { schema: "apmatrix.view-said/1", done, text })).into_response()
    };
    // A body that would be too long is not waited for, nor one that does not come.
    let length =
        request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > BODY) {
        return said(StatusCode::PAYLOAD_TOO_LARGE, false, format!("at most {BODY} bytes are read"));
    }
    let asked = match timeout(PATIENCE, Json::<Operate>::from_request(request, &())).await {
        Ok(Ok(Json(asked))) => asked,
        Ok(Err(rejected)) => {
            let text = "expected JSON with the line, and `Content-Type: application/json`: {\"line\": \"hw unplug 4\"}";
            return said(rejected.status(), false, text.to_owned());
        }
        Err(_) => {
            return said(
                StatusCode::REQUEST_TIMEOUT,
                false,
                "the request did not come to its end".to_owned(),
            );
        }
    };
    if !app.operate || !app.live.now().operable {
        let why = "nothing can be operated here: the host is a real one, or `--operate` was not given";
        return said(StatusCode::FORBIDDEN, false, why.to_owned());
    }
    if let Some(about) =
        asked.line.trim().strip_prefix("why").filter(|rest| !rest.starts_with(char::is_alphanumeric))
    {
        return match question(about) {
            Some(store) => {
                let shown = app.moments.borrow().shown.clone();
                said(StatusCode::OK, true, shown.host.explained(&store).join("\n"))
            }
            None => {
                let text = "expected `why PATH TEXT`: why apmask +4";
                said(StatusCode::UNPROCESSABLE_ENTITY, false, text.to_owned())
            }
        };
    }
    let operation = match Operation::parse(&asked.line) {
        Ok(operation) => operation,
        Err(wrong) => return said(StatusCode::UNPROCESSABLE_ENTITY, false, wrong.to_string()),
    };
    let live = app.live.clone();
    let store = operation.store();
    let Ok((answer, moment)) =
        tokio::task::spawn_blocking(move || (live.operate(&operation), live.now().moment)).await
    else {
        return said(StatusCode::INTERNAL_SERVER_ERROR, false, "the operation ended in a panic".to_owned());
    };
    // Whoever asks for the state next sees what was done.
    let mut moments = app.moments.clone();
    let _ = moments.wait_for(|now| now.shown.moment >= moment).await;
    match answer {
        Answer::Done(text) => said(StatusCode::OK, true, text),
        Answer::Waits => said(StatusCode::ACCEPTED, false, Answer::WAITS.to_owned()),
        Answer::Refused(answer) => {
            let shown = app.moments.borrow().shown.clone();
            let why = store.and_then(|store| shown.host.why(&store));
            said(StatusCode::CONFLICT, false, why.map_or(answer.clone(), |why| format!("{answer}: {why}")))
        }
    }
}
