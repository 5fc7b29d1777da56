//! An upload of 1 GiB through the API to S3 against the same bytes sent by the same SDK, in parts of the same size and as many at once;
//! and what an upload of 5 GiB does to the server's memory, which is nothing that one of 100 MiB does not.

use std::{fs::File, io::Read as _, path::Path, sync::Arc, thread, time::Duration};

use anyhow::{Context as _, ensure};
use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Credentials, Region, RequestChecksumCalculation},
    primitives::ByteStream,
    types::{CompletedMultipartUpload, CompletedPart},
};
use bytes::{Bytes, BytesMut};
use docmill_testbed::SeaweedFs;
use tokio::{runtime::Runtime, task::JoinSet, time::Instant};

use crate::{
    figure::{Figure, Target, median},
    programs::{Programs, Server},
    upload::{forget, timed, write_text},
};

const MIB: f64 = 1024.0;
/// docmill's own numbers: the size of a part, and how many are sent while another is filled.
const PART: usize = 8 << 20;
const AT_ONCE: usize = 2;

pub(crate) fn run(programs: &Programs, rounds: u16) -> anyhow::Result<Vec<Figure>> {
    let scratch = programs.scratch()?;
    let source = scratch.path().join("source.txt");
    write_text(&source)?;
    let seaweed = SeaweedFs::start();
    let (endpoint, bucket, (id, secret)) = (seaweed.endpoint(), seaweed.create_bucket(), seaweed.keys());
    let server = Server::start_with(
        programs,
        &scratch.path().join("data"),
        &[
            ("DOCMILL_BLOB__KIND", "s3"),
            ("DOCMILL_BLOB__BUCKET", &bucket),
            ("DOCMILL_BLOB__ENDPOINT", &endpoint),
            ("DOCMILL_BLOB__PATH_STYLE", "true"),
            ("DOCMILL_BLOB__ACCESS_KEY_ID", id),
            ("DOCMILL_BLOB__SECRET_ACCESS_KEY", secret),
            ("DOCMILL_PIPELINE__MAX_UPLOAD_MIB", "5120"),
        ],
    )?;
    let raw = Raw { runtime: Runtime::new()?, client: client(&endpoint, id, secret), bucket };
    let (mut ratios, mut sent, mut uploaded) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        rustix::fs::sync();
        let sending = raw.seconds(&source)?;
        settle();
        let (uploading, _, document) = timed(&server, &source)?;
        forget(&server, &document)?;
        settle();
        ratios.push(sending / uploading);
        sent.push(MIB / sending);
        uploaded.push(MIB / uploading);
    }
    let (small, large) = (peak(&server, scratch.path(), 100)?, peak(&server, scratch.path(), 5 * 1024)?);
    server.stop()?;
    let amounts = format!("{:.0} and {:.0} MiB/s; SeaweedFS on the same machine", median(&uploaded), median(&sent));
    let memory =
        format!("at most {small:.1} MiB resident during one of 100 MiB, {large:.1} MiB during one of 5 GiB; sampled every 5 ms");
    Ok(vec![
        Figure::new("upload of 1 GiB to S3, of a multipart upload by the SDK", "", Target::AtLeast(0.8), ratios, amounts),
        Figure::new(
            "upload of 5 GiB to S3, resident memory over that of 100 MiB",
            " MiB",
            Target::AtMost(8.0),
            vec![large - small],
            memory,
        ),
    ])
}

/// Until the store has dropped what was erased, and the worker has noticed.
fn settle() {
    thread::sleep(Duration::from_secs(3));
}

/// The server's largest resident memory while it takes an upload of so many MiB, in MiB. The file has a text's beginning and no more bytes
/// on the disk.
fn peak(server: &Server, folder: &Path, mib: u64) -> anyhow::Result<f64> {
    let path = folder.join("large.txt");
    std::fs::write(&path, "The beginning of a long text.\n".repeat(4096))?;
    File::options().write(true).open(&path)?.set_len(mib << 20)?;
    let (_, peak, document) = timed(server, &path)?;
    forget(server, &document)?;
    settle();
    Ok(peak)
}

/// The comparator.
struct Raw {
    runtime: Runtime,
    client: Client,
    bucket: String,
}

fn client(endpoint: &str, id: &str, secret: &str) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .credentials_provider(Credentials::new(id, secret, None, None, "bench"));
    Client::from_conf(config.build())
}

impl Raw {
    /// Seconds to send the file. Leaves nothing behind.
    fn seconds(&self, source: &Path) -> anyhow::Result<f64> {
        let mut file = File::open(source)?;
        self.runtime.block_on(async {
            let began = Instant::now();
            let created = self.client.create_multipart_upload().bucket(&self.bucket).key("raw").send().await?;
            let upload: Arc<str> = created.upload_id().context("no upload id")?.into();
            let (mut sending, mut parts, mut number) = (JoinSet::new(), Vec::new(), 0);
            loop {
                let mut part = BytesMut::zeroed(PART);
                let mut length = 0;
                while length < PART {
                    match file.read(&mut part[length..])? {
                        0 => break,
                        count => length += count,
                    }
                }
                part.truncate(length);
                if part.is_empty() {
                    break;
                }
                if sending.len() == AT_ONCE {
                    parts.push(sending.join_next().await.context("two are sent")???);
                }
                number += 1;
                sending.spawn(send(self.client.clone(), self.bucket.clone(), upload.clone(), number, part.freeze()));
            }
            while let Some(part) = sending.join_next().await {
                parts.push(part??);
            }
            parts.sort_by_key(|part: &CompletedPart| part.part_number);
            let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
            let completing = self.client.complete_multipart_upload().bucket(&self.bucket).key("raw").upload_id(&*upload);
            completing.multipart_upload(parts).send().await?;
            let took = began.elapsed().as_secs_f64();
            self.client.delete_object().bucket(&self.bucket).key("raw").send().await?;
            ensure!(number == (1 << 30) / PART as i32, "{number} parts were sent");
            Ok(took)
        })
    }
}

async fn send(client: Client, bucket: String, upload: Arc<str>, number: i32, part: Bytes) -> anyhow::Result<CompletedPart> {
    let request = client.upload_part().bucket(bucket).key("raw").upload_id(&*upload).part_number(number);
    let sent = request.body(ByteStream::from(part)).send().await?;
    Ok(CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag).build())
}
