//! The program against a real git repository. What needs a cluster is tested with Argo CD's own controllers: `scripts/argocd-test`.

mod images;
mod new_service;
mod promote;
mod reference;
mod support;
