use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::Pipeline;

/// Whether a port answers; if not, why.
pub type Check = Box<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

impl Pipeline {
    /// A look at each port, by the name of its section in the configuration.
    pub fn checks(self: &Arc<Self>) -> [(&'static str, Check); 3] {
        let (catalog, blobs, queue) = (self.catalog.clone(), self.blobs.clone(), self.queue.clone());
        [
            (
                "catalog",
                look(move || {
                    let catalog = catalog.clone();
                    async move { catalog.check().await }
                }),
            ),
            (
                "blob",
                look(move || {
                    let blobs = blobs.clone();
                    async move { blobs.check().await }
                }),
            ),
            (
                "queue",
                look(move || {
                    let queue = queue.clone();
                    async move { queue.check().await }
                }),
            ),
        ]
    }
}

fn look<E, F>(check: impl Fn() -> F + Send + Sync + 'static) -> Check
where
    E: ToString,
    F: Future<Output = Result<(), E>> + Send + 'static,
{
    Box::new(move || {
        let looking = check();
        Box::pin(async move { looking.await.map_err(|error| error.to_string()) })
    })
}
