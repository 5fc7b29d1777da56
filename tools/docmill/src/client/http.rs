//! Requests that survive a busy or restarting server, and errors in its own words.

use std::{
    env, fmt,
    net::IpAddr,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use anyhow::{Context as _, bail};
use docmill_domain::{ApiKeySecret, Problem, ProblemCode};
use reqwest::{
    Method, RequestBuilder, Response, StatusCode, Url,
    header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cli::{DEFAULT_SERVER, ServerArgs};

/// Times a request is sent, in all.
const TRIES: u32 = 8;
/// The longest pause between two of them, whatever the server asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// An answer that needs no waiting takes no longer.
const ANSWER: Duration = Duration::from_secs(30);

pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
    /// Whether the server has ever answered: then that it cannot be reached is a restart, and not a mistaken address.
    reached: AtomicBool,
}

/// The server's refusal.
#[derive(Debug)]
pub(super) struct Refused(pub(super) Problem);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0.detail, self.0.code.as_str())?;
        self.0
            .request_id
            .iter()
            .filter(|_| self.0.status >= 500)
            .try_for_each(|id| write!(f, "; the server's log has more under {id}"))
    }
}

impl std::error::Error for Refused {}

impl Client {
    pub(super) fn new(args: &ServerArgs) -> anyhow::Result<Self> {
        let server = args.server.as_deref().filter(|server| !server.is_empty()).unwrap_or(DEFAULT_SERVER);
        let base = Url::parse(server).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let base = base.with_context(|| format!("`{server}` is no server's address; use one like {DEFAULT_SERVER}"))?;
        let mut headers = HeaderMap::new();
        headers.extend(authorization(args.api_key_file.as_deref())?.map(|value| (AUTHORIZATION, value)));
        let mut builder = reqwest::Client::builder().default_headers(headers);
        builder = builder.connect_timeout(Duration::from_secs(10)).redirect(reqwest::redirect::Policy::none());
        let host = base.host_str().unwrap_or_default().trim_matches(['[', ']']);
        if host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()) {
            // Another machine's loopback is another one.
            builder = builder.no_proxy();
        }
        Ok(Self { http: builder.build()?, base, reached: AtomicBool::new(false) })
    }

    /// A client of a server that may be starting: that it cannot be reached is no mistake yet.
    pub(super) fn patient(args: &ServerArgs) -> anyhow::Result<Self> {
        Ok(Self { reached: AtomicBool::new(true), ..Self::new(args)? })
    }

    /// A request of this method to `path`, below the server's address.
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut url = self.base.clone();
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url.set_query(query);
        self.http.request(method, url)
    }

    /// The JSON that a GET is answered with. `wait`: how long the server may take over it.
    pub(super) async fn json<T: DeserializeOwned>(&self, path: &str, wait: Option<Duration>) -> anyhow::Result<T> {
        let make = || {
            let request =
                self.request(Method::GET, path).header(ACCEPT, "application/json").timeout(ANSWER + wait.unwrap_or_default());
            match wait {
                Some(wait) => request.header("prefer", format!("wait={}", wait.as_secs().max(1))),
                None => request,
            }
        };
        let value: Value = self.send(make).await?.json().await.context("the server's answer broke off, or is not JSON")?;
        serde_json::from_value(value).context("the server's answer cannot be understood; is it another version of docmill?")
    }

    /// Sends a request, and again while the server is busy or restarting. `make` makes the same request each time, one that it does no
    /// harm to send twice.
    pub(super) async fn send(&self, make: impl Fn() -> RequestBuilder) -> anyhow::Result<Response> {
        let mut pause = Duration::from_millis(250);
        for tries_left in (0..TRIES).rev() {
            let asked = match make().send().await {
                Ok(response) => {
                    self.reached.store(true, Ordering::Relaxed);
                    if response.status().is_success() {
                        return Ok(response);
                    }
                    let after = retry_after(&response);
                    let refused = refusal(response).await;
                    if tries_left == 0 || !may_change(&refused) {
                        return Err(refused);
                    }
                    after
                }
                Err(error)
                    if error.is_builder() || tries_left == 0 || error.is_connect() && !self.reached.load(Ordering::Relaxed) =>
                {
                    bail!(self.unreachable(&error));
                }
                Err(_) => None,
            };
            tokio::time::sleep(asked.unwrap_or(pause).min(LONGEST_PAUSE)).await;
            pause *= 2;
        }
        unreachable!("the last try returns")
    }

    fn unreachable(&self, error: &reqwest::Error) -> String {
        // reqwest's own words name the URL once more; the last cause is what the system said.
        let mut cause: &dyn std::error::Error = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        let base = self.base.as_str().trim_end_matches('/');
        if error.is_connect() {
            return format!(
                "{base} cannot be reached: {cause}; start a server with `docmill up`, or name another one with --server or DOCMILL_SERVER"
            );
        }
        format!("the connection to {base} failed: {cause}")
    }
}

/// The header that carries the API key of this file, else of the variable `DOCMILL_API_KEY`.
fn authorization(file: Option<&Path>) -> anyhow::Result<Option<HeaderValue>> {
    let (key, place) = match file {
        Some(file) => {
            let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            (text, file.display().to_string())
        }
        None => (env::var("DOCMILL_API_KEY").unwrap_or_default(), "DOCMILL_API_KEY".into()),
    };
    if file.is_none() && key.is_empty() {
        return Ok(None);
    }
    let key: ApiKeySecret = key.trim().parse().with_context(|| format!("{place} cannot be used"))?;
    let mut value = HeaderValue::from_str(&format!("Bearer {}", key.reveal()))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds: u64 = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Whether the same request may be answered otherwise in a while.
fn may_change(refused: &anyhow::Error) -> bool {
    match refused.downcast_ref::<Refused>() {
        // The next day is too long to wait for.
        Some(Refused(problem)) if problem.code == ProblemCode::LimitReached => {
            problem.retry_after.is_some_and(|seconds| Duration::from_secs(seconds.into()) <= LONGEST_PAUSE)
        }
        Some(Refused(problem)) => matches!(problem.status, 429 | 503) || problem.code == ProblemCode::KeyInFlight,
        None => refused.is::<Busy>(),
    }
}

/// What stands between us and the server is busy; not in the server's words.
#[derive(Debug)]
struct Busy(StatusCode);

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server answered {}; try again later", self.0)
    }
}

impl std::error::Error for Busy {}

async fn refusal(response: Response) -> anyhow::Error {
    let status = response.status();
    let body = response.bytes().await.unwrap_or_default();
    match serde_json::from_slice(&body) {
        Ok(problem) => Refused(problem).into(),
        Err(_) if matches!(status.as_u16(), 429 | 502..=504) => Busy(status).into(),
        Err(_) => anyhow::anyhow!("the server answered {status}, and not as docmill does; is its address right?"),
    }
}
