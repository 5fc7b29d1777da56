//! `docmill backup`, `restore`, `verify`: everything a docmill keeps, to a folder and from it.

use docmill_pipeline::{
    Pipeline,
    archive::{self, Manifest, Progress},
};
use docmill_queue::QueueConfig;
use indicatif::ProgressBar;

use crate::{
    cli::{ArchiveArgs, Global},
    config,
    exit::Exit,
    output::{Output, Tone},
};

/// What is done with the folder.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    Backup,
    Restore,
    Verify,
}

pub(crate) fn run(way: Way, args: &ArchiveArgs, global: &Global, output: &mut Output) -> anyhow::Result<Exit> {
    let flags = args.data.iter().flat_map(|data| {
        let flag = |key: &str, folder: std::path::PathBuf| (key.to_owned(), folder.display().to_string());
        [flag("catalog.folder", data.clone()), flag("blob.folder", data.join("blobs"))]
    });
    let config = config::load(global, flags.collect())?.config;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let bar = output.count_bar(0);
    let manifest = runtime.block_on(async {
        // Nothing is rung, so any queue will do.
        let queue = QueueConfig::default();
        let open = || Pipeline::open(&config.catalog, &config.blob, &queue, config.pipeline.clone());
        let progress: Progress<'_> = &mut |done, all| show(&bar, done, all);
        Ok::<_, anyhow::Error>(match way {
            Way::Backup => {
                let pipeline = open().await?;
                let manifest = pipeline.backup(&args.folder, progress).await?;
                pipeline.catalog.close().await;
                manifest
            }
            Way::Restore => {
                let pipeline = open().await?;
                let manifest = pipeline.restore(&args.folder, progress).await?;
                pipeline.catalog.close().await;
                manifest
            }
            Way::Verify => archive::verify(&args.folder, progress).await?,
        })
    });
    bar.finish_and_clear();
    tell(way, &manifest?, args, output)?;
    Ok(Exit::Done)
}

fn show(bar: &ProgressBar, done: u64, all: u64) {
    bar.set_length(all);
    bar.set_position(done);
}

fn tell(way: Way, manifest: &Manifest, args: &ArchiveArgs, output: &mut Output) -> anyhow::Result<()> {
    if output.json {
        return output.json_line(manifest);
    }
    let (word, folder) = (["backed up", "restored", "verified"][way as usize], args.folder.display());
    let Manifest { rows, blobs, bytes, .. } = manifest;
    output.note(Tone::Good, word, format_args!("{folder}: {rows} rows, {blobs} objects of {bytes} bytes"));
    if !manifest.deleted_since.is_empty() {
        let count = manifest.deleted_since.len();
        output.note(
            Tone::Aside,
            "left out",
            format_args!("{count} documents that were deleted while the backup ran; they stay deleted"),
        );
    }
    Ok(())
}
