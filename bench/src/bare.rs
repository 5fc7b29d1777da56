//! The comparators that are processes of their own: what remains of docmill's work when docmill is taken away.

use std::{fs, path::Path, time::Duration};

use actix_web::{App, HttpResponse, HttpServer, error::ErrorInternalServerError, web};
use anyhow::Context as _;
use docmill_domain::TenantId;
use pdfium_render::prelude::{PdfRect, Pdfium};
use serde::{Deserialize, Serialize};
use sqlx::{AnyPool, Executor as _, Row as _, any::AnyPoolOptions};

use crate::programs;

/// What `bare-text` prints.
#[derive(Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) pages: usize,
    /// Of text, so that nobody can leave the reading out.
    pub(crate) bytes: usize,
}

/// One thread, one file after the other, the same calls of libpdfium as docmill's extractor makes for text. What cannot be opened is
/// left out.
pub(crate) fn text(folder: &Path) -> anyhow::Result<()> {
    let pdfium = Pdfium::new(Pdfium::bind_to_library(programs::pdfium()?)?);
    let mut counts = Counts { pages: 0, bytes: 0 };
    for below in fs::read_dir(folder)? {
        for entry in fs::read_dir(below?.path())? {
            let Ok(document) = pdfium.load_pdf_from_byte_vec(fs::read(entry?.path())?, None) else { continue };
            for page in document.pages().iter() {
                let Ok(text) = page.text() else { continue };
                counts.pages += 1;
                counts.bytes += text.inside_rect(PdfRect::MAX).len();
            }
        }
    }
    print_line(&counts)
}

/// What `bare-status` prints.
#[derive(Serialize, Deserialize)]
pub(crate) struct Address {
    pub(crate) address: std::net::SocketAddr,
}

/// Serves jobs by the query, the driver, the pool and the pragmas of docmill's catalog, and nothing else.
pub(crate) fn status(catalog: &Path) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        sqlx::any::install_default_drivers();
        let options = AnyPoolOptions::new().idle_timeout(None).max_lifetime(None).acquire_timeout(Duration::from_secs(10));
        let options = options.max_connections(4).min_connections(1).after_connect(|connection, _| {
            Box::pin(async move {
                let pragmas =
                    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 10000";
                connection.execute(pragmas).await.map(drop)
            })
        });
        let path = catalog.to_str().context("the catalog's path is not UTF-8")?;
        let pool = options.connect(&format!("sqlite://{path}?mode=rw")).await?;
        let app = move || App::new().app_data(web::Data::new(pool.clone())).route("/v1/jobs/{id}", web::get().to(job));
        let server = HttpServer::new(app).workers(std::thread::available_parallelism()?.get()).bind("127.0.0.1:0")?;
        print_line(&Address { address: server.addrs()[0] })?;
        Ok(server.run().await?)
    })
}

/// A job, with the members that docmill shows of one that succeeded.
#[derive(Serialize)]
struct Job {
    id: String,
    document_id: String,
    state: String,
    lane: String,
    attempts: i64,
    progress_done: i64,
    progress_total: Option<i64>,
    dead_letter: bool,
    created_at: i64,
    started_at: Option<i64>,
    finished_at: Option<i64>,
}

async fn job(pool: web::Data<AnyPool>, id: web::Path<String>) -> actix_web::Result<HttpResponse> {
    let found = select(&pool, &id).await.map_err(ErrorInternalServerError)?;
    Ok(found.map_or_else(|| HttpResponse::NotFound().finish(), |job| HttpResponse::Ok().json(job)))
}

async fn select(pool: &AnyPool, id: &str) -> sqlx::Result<Option<Job>> {
    let query =
        sqlx::query("SELECT * FROM jobs WHERE id = $1 AND tenant = $2").bind(id).bind(TenantId::default_tenant().to_string());
    let Some(row) = query.fetch_optional(pool).await? else { return Ok(None) };
    Ok(Some(Job {
        id: row.try_get("id")?,
        document_id: row.try_get("document_id")?,
        state: row.try_get("state")?,
        lane: row.try_get("lane")?,
        attempts: row.try_get("token")?,
        progress_done: row.try_get("progress_done")?,
        progress_total: row.try_get("progress_total")?,
        dead_letter: row.try_get::<i64, _>("dead_letter")? == 1,
        created_at: row.try_get("created_at")?,
        started_at: row.try_get("started_at")?,
        finished_at: row.try_get("finished_at")?,
    }))
}

#[expect(clippy::print_stdout, reason = "the line is read by the process that started this one")]
fn print_line(value: &impl Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(value)?);
    Ok(())
}
