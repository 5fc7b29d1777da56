//! `/v1/api-keys`: a tenant's administrators make, list and revoke its keys.

use std::time::Duration;

use actix_web::{
    HttpResponse,
    http::header,
    web::{Data, Json, Path},
};
use docmill_catalog::keys::NewKey;
use docmill_domain::{ApiKey, ApiKeySecret, KeyId, Problem, ProblemCode, Scope, options::MAX_RETENTION_SECONDS};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    ApiState,
    auth::Caller,
    error::{ApiError, Result},
};

/// A key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyRequest {
    /// What you call it: 1 to 100 characters.
    name: String,
    /// What it allows; unless told otherwise to read and to write documents.
    #[serde(default = "documents")]
    scopes: Vec<Scope>,
    /// Seconds after which it opens nothing any more; absent: never.
    #[schema(minimum = 1, maximum = 316_224_000)]
    expires_in: Option<u64>,
}

fn documents() -> Vec<Scope> {
    vec![Scope::DocumentsRead, Scope::DocumentsWrite]
}

/// A key that was made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MadeKey {
    #[serde(flatten)]
    key: ApiKey,
    /// The key itself. It is shown this once.
    secret: String,
}

/// The tenant's keys, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyList {
    api_keys: Vec<ApiKey>,
}

/// List the tenant's API keys, the revoked and expired ones too.
#[utoipa::path(get, path = "/v1/api-keys", tag = "tenant", responses((status = 200, description = "all of them", body = KeyList)))]
pub(crate) async fn list(state: Data<ApiState>, caller: Caller) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(KeyList { api_keys: state.pipeline.catalog.keys(Some(&caller.tenant)).await? }))
}

/// Make an API key.
///
/// From the first key on, every call needs one.
#[utoipa::path(
    post, path = "/v1/api-keys", tag = "tenant", request_body = KeyRequest,
    responses(
        (status = 201, description = "made; its secret is shown this once", body = MadeKey),
        (status = 400, description = "a field that cannot be used", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn create(state: Data<ApiState>, caller: Caller, request: Json<KeyRequest>) -> Result<HttpResponse> {
    let KeyRequest { name, scopes, expires_in } = request.into_inner();
    let refuse = |reason: &str| Err(ApiError::new(ProblemCode::BadRequest, reason));
    if !(1..=100).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        return refuse("name takes 1 to 100 characters, none of them control characters");
    }
    if scopes.is_empty() {
        return refuse("scopes takes at least one of documents:read, documents:write and keys:admin");
    }
    if expires_in.is_some_and(|seconds| !(1..=MAX_RETENTION_SECONDS).contains(&seconds)) {
        return refuse("expires_in takes 1 to 316224000 seconds (ten years)");
    }
    let catalog = &state.pipeline.catalog;
    if !scopes.contains(&Scope::KeysAdmin) && !catalog.has_keys().await? {
        return refuse(
            "the first key takes the scope keys:admin: from then on every call needs a key, and making another one that scope",
        );
    }
    let secret = ApiKeySecret::generate();
    let new = NewKey { tenant: caller.tenant, name, scopes, lifetime: expires_in.map(Duration::from_secs) };
    let key = catalog.ensure_key(&new, &secret).await?;
    state.keys.changed();
    let made = MadeKey { key, secret: secret.reveal().into() };
    Ok(HttpResponse::Created().insert_header((header::CACHE_CONTROL, "no-store")).json(made))
}

/// Revoke an API key.
///
/// It opens nothing any more: here at once, in other processes within five seconds. Revoking it again is no error.
#[utoipa::path(
    delete, path = "/v1/api-keys/{id}", tag = "tenant", params(("id" = String, Path, description = "`key_…`")),
    responses(
        (status = 204, description = "revoked"),
        (status = 404, description = "no such key", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn revoke(state: Data<ApiState>, caller: Caller, id: Path<KeyId>) -> Result<HttpResponse> {
    let revoked = state.pipeline.catalog.revoke_key(Some(&caller.tenant), *id).await?;
    state.keys.changed();
    match revoked {
        Some(_) => Ok(HttpResponse::NoContent().finish()),
        None => Err(ApiError::new(ProblemCode::NotFound, format!("there is no API key {id}"))),
    }
}
