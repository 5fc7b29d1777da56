//! Who may call. Every request passes [`admit`]; a handler learns from it who its [`Caller`] is.
//!
//! While the catalog has no API keys, whoever reaches this machine's loopback address is the default tenant, with every scope. From the
//! first key on each call of `/v1` needs one, for ever: a catalog whose keys were all revoked is not open again.

use std::{
    collections::HashMap,
    future::{Ready, ready},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::{Payload, ServiceRequest},
    http::{Method, header},
};
use docmill_catalog::{Catalog, CatalogError};
use docmill_domain::{ApiKey, ApiKeySecret, ProblemCode, Scope, TenantId};

use crate::{
    ApiState,
    error::{ApiError, Result},
    observe::split_port,
};

/// For so long a verified key is taken without being looked up: a key that was revoked elsewhere opens nothing after this time.
const VERIFIED: Duration = Duration::from_secs(5);
/// While there are no keys, it is looked this often whether there are.
const LOOKS: Duration = Duration::from_secs(1);

/// Who asks. The one place where a request becomes a tenant's.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) tenant: TenantId,
    /// The key, where there are keys.
    key: Option<Arc<ApiKey>>,
}

impl Caller {
    fn may(&self, scope: Scope) -> bool {
        self.key.as_ref().is_none_or(|key| key.scopes.contains(&scope))
    }
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(request.extensions().get().cloned().ok_or_else(|| unauthorized("no one was admitted", None)))
    }
}

/// The keys, as this process knows them.
#[derive(Default)]
pub(crate) struct Keys {
    exist: AtomicBool,
    looked: Mutex<Option<Instant>>,
    /// Verified keys by hash, and when that was.
    verified: RwLock<HashMap<String, (Instant, Arc<ApiKey>)>>,
}

impl Keys {
    /// What the catalog says at the start.
    pub(crate) async fn look(&self, catalog: &Catalog) -> Result<bool, CatalogError> {
        let exist = catalog.has_keys().await?;
        self.exist.fetch_or(exist, Ordering::Relaxed);
        Ok(exist)
    }

    /// Whether calls need a key. A catalog that cannot say leaves it as it was: the call itself will fail.
    async fn needed(&self, catalog: &Catalog) -> bool {
        if self.exist.load(Ordering::Relaxed) {
            return true;
        }
        let due = {
            let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
            let due = looked.is_none_or(|at| at.elapsed() >= LOOKS);
            if due {
                *looked = Some(Instant::now());
            }
            due
        };
        due && self.look(catalog).await.unwrap_or(false)
    }

    async fn verify(&self, catalog: &Catalog, secret: &ApiKeySecret) -> Result<Option<Arc<ApiKey>>, CatalogError> {
        let hash = secret.hash();
        let is_fresh = |at: &Instant| at.elapsed() < VERIFIED;
        if let Some((_, key)) =
            self.verified.read().unwrap_or_else(PoisonError::into_inner).get(&hash).filter(|(at, _)| is_fresh(at))
        {
            return Ok(Some(key.clone()));
        }
        let Some(key) = catalog.use_key(secret).await?.map(Arc::new) else { return Ok(None) };
        let mut verified = self.verified.write().unwrap_or_else(PoisonError::into_inner);
        verified.retain(|_, (at, _)| is_fresh(at));
        verified.insert(hash, (Instant::now(), key.clone()));
        Ok(Some(key))
    }

    /// Forgets what was verified: a key was made or revoked in this process.
    pub(crate) fn changed(&self) {
        self.verified.write().unwrap_or_else(PoisonError::into_inner).clear();
        self.looked.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Lets the request pass, or says why not. `pattern` is what the request has matched, not the path that it spells: there is more than one
/// spelling of a path.
pub(crate) async fn admit(state: &ApiState, request: &ServiceRequest, pattern: &str) -> Result<()> {
    if matches!(pattern, "/livez" | "/readyz") {
        return Ok(());
    }
    let catalog = &state.pipeline.catalog;
    let caller = if state.keys.needed(catalog).await {
        if !pattern.starts_with("/v1/") {
            return Ok(());
        }
        let secret = bearer(request)?;
        let key = state.keys.verify(catalog, &secret).await?;
        let key = key.ok_or_else(|| unauthorized("the API key is unknown, revoked or expired", Some("invalid_token")))?;
        Caller { tenant: key.tenant.clone(), key: Some(key) }
    } else {
        foreign_host(state, request).map_or(Ok(()), Err)?;
        Caller { tenant: TenantId::default_tenant(), key: None }
    };
    let scope = needed(request.method(), pattern);
    if !caller.may(scope) {
        let scope = scope.as_str();
        let challenge = format!("Bearer realm=\"docmill\", error=\"insufficient_scope\", scope=\"{scope}\"");
        return Err(ApiError::new(ProblemCode::Forbidden, format!("this call needs a key with the scope `{scope}`"))
            .with_header(header::WWW_AUTHENTICATE, challenge));
    }
    request.extensions_mut().insert(caller);
    Ok(())
}

/// What a call needs, by what it does: no call can be forgotten.
fn needed(method: &Method, pattern: &str) -> Scope {
    if pattern.starts_with("/v1/api-keys") {
        Scope::KeysAdmin
    } else if method.is_safe() {
        Scope::DocumentsRead
    } else {
        Scope::DocumentsWrite
    }
}

fn bearer(request: &ServiceRequest) -> Result<ApiKeySecret> {
    let Some(value) = request.headers().get(header::AUTHORIZATION) else {
        return Err(unauthorized("this call needs an API key; send it as `Authorization: Bearer dmk_…`", None));
    };
    let value = value.to_str().unwrap_or_default();
    let token = value.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
    let secret = token.and_then(|token| token.parse().ok());
    secret.ok_or_else(|| {
        unauthorized("Authorization holds no API key of docmill; send `Authorization: Bearer dmk_…`", Some("invalid_token"))
    })
}

/// RFC 6750: who sent no key is told only that one is needed.
fn unauthorized(detail: &str, error: Option<&str>) -> ApiError {
    let error = error.map(|error| format!(", error=\"{error}\"")).unwrap_or_default();
    ApiError::new(ProblemCode::Unauthorized, detail)
        .with_header(header::WWW_AUTHENTICATE, format!("Bearer realm=\"docmill\"{error}"))
}

/// A page of any site can have its own name resolve to this machine's loopback address, and then read everything here as if it were
/// same-origin. Its requests name its host: only our own names are served. Where there are keys no check is needed: the page has none.
fn foreign_host(state: &ApiState, request: &ServiceRequest) -> Option<ApiError> {
    let host = request.headers().get(header::HOST)?.to_str().unwrap_or_default();
    let (name, _) = split_port(host);
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    let ours = name.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.is_loopback())
        || state.config.hosts.iter().any(|known| known.eq_ignore_ascii_case(name));
    let name: String = name.chars().take(253).collect();
    let detail =
        format!("this docmill does not answer to the host `{name}`; call it by a loopback name, or add the name to api.hosts");
    (!ours).then(|| ApiError::new(ProblemCode::BadRequest, detail))
}
