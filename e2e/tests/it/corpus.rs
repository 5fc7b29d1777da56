//! Every file of a corpus of real documents, through the whole of docmill: each reaches a final state. The corpus is the folder that
//! `DOCMILL_CORPUS` names, or `../shared/corpus` beside the checkout; without either the test says that it was left out.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use docmill_domain::Format;
use docmill_e2e::{
    client::{Upload, send, settled},
    docmill::Docmill,
};
use reqwest::Client;
use tokio::{sync::Semaphore, task::JoinSet};

fn corpus() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    std::env::var_os("DOCMILL_CORPUS").map(PathBuf::from).or_else(|| beside.is_dir().then_some(beside))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else if Format::from_file_name(&name).is_some() {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn every_file_of_the_corpus_reaches_a_final_state() {
    let Some(corpus) = corpus() else {
        return println!("left out: the corpus of real documents (set DOCMILL_CORPUS to a folder of documents)");
    };
    let data = tempfile::tempdir().unwrap();
    let docmill = Docmill::start(data.path()).unwrap();
    let http = Client::new();
    let permits = Arc::new(Semaphore::new(8));
    let mut runs = JoinSet::new();
    for file in files(&corpus) {
        let (http, api, permits) = (http.clone(), docmill.api.clone(), permits.clone());
        runs.spawn(async move {
            let _permit = permits.acquire().await.unwrap();
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            let format = Format::from_file_name(&name).unwrap();
            let upload = Upload { key: name.clone(), name: name.clone(), body: std::fs::read(&file).unwrap() };
            let promise = match send(&http, &api, &upload).await {
                Some(Ok(promise)) => promise,
                Some(Err(error)) => return (format, name, format!("refused ({error})")),
                None => return (format, name, "no answer".into()),
            };
            let job = settled(&http, &api, &promise.job, Duration::from_secs(120))
                .await
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            let code = job["failure"]["code"].as_str().map(|code| format!("/{code}")).unwrap_or_default();
            (format, name, format!("{}{code}", job["state"].as_str().unwrap()))
        });
    }
    let mut table: BTreeMap<(Format, String), Vec<String>> = BTreeMap::new();
    while let Some(run) = runs.join_next().await {
        let (format, name, end) = run.unwrap();
        table.entry((format, end)).or_default().push(name);
    }
    println!("format  files  end");
    for ((format, end), names) in &table {
        let shown = if end == "succeeded" { String::new() } else { format!("  {}", names.join(", ")) };
        println!("{:6}  {:5}  {end}{shown}", format.as_str(), names.len());
    }
    let unsettled: Vec<_> = table.iter().filter(|((_, end), _)| end == "no answer").collect();
    assert!(unsettled.is_empty(), "{unsettled:?}");
    assert!(table.keys().any(|(_, end)| end == "succeeded"), "something must succeed");
    assert!(docmill.stop().unwrap().success());
}
