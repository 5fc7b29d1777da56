//! The program against a real git repository. What needs a cluster is tested with Argo CD's own controllers: `scripts/argocd-test`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod images;
mod new_service;
mod promote;
mod reference;
mod support;
