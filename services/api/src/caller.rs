use std::{
    convert::Infallible,
    future::{Ready, ready},
};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use docmill_domain::TenantId;

/// Who asks. The one place where a request becomes a tenant's.
pub(crate) struct Caller {
    pub(crate) tenant: TenantId,
}

impl FromRequest for Caller {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(_: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self { tenant: TenantId::default_tenant() }))
    }
}
