use std::time::Duration;

use docmill_catalog::{
    Settled,
    search::{IndexTask, IndexWork},
};
use docmill_domain::{
    Job, Options, TenantId,
    search::{Segment, Terms},
};

use rstest::rstest;

use crate::support::{Database, Database::*, Fresh, LEASE, a_moment, open, tenant};

impl Fresh {
    /// A document that was extracted, and the indexer's task.
    async fn extracted(&self) -> (Job, IndexTask) {
        let job = self.accepted(Options::default()).await;
        let claim = self.claim(job.id, LEASE).await.unwrap();
        self.finish_done(&claim, false).await;
        let task = self.task().await.expect("a result is to be indexed");
        assert_eq!((task.document, task.work), (job.document_id, IndexWork::Write(job.id)));
        (job, task)
    }

    async fn task(&self) -> Option<IndexTask> {
        self.catalog.claim_index(LEASE).await.unwrap()
    }

    async fn write(&self, task: &IndexTask, seq: i64, texts: &[&str]) -> Settled {
        let segments: Vec<Segment> =
            texts.iter().enumerate().map(|(at, text)| Segment { page: at as u32 + 1, text: (*text).into() }).collect();
        self.catalog.write_segments(task, seq, &segments, LEASE).await.unwrap()
    }

    /// Pages on which it stands.
    async fn find(&self, query: &str) -> Vec<u32> {
        let found = self.catalog.search(&tenant(), &Terms::parse(query).unwrap(), 0, 50).await.unwrap();
        found.iter().map(|found| found.segment.page).collect()
    }
}

#[rstest]
#[tokio::test]
async fn words_are_found_as_typed(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let (_, task) = fresh.extracted().await;
    let texts = [
        "The final report: Straße, naïve café, INV-2024/001.",
        "A report, but not the final one. user@example.com 3.14 https://docmill.io/x?y=z",
        "Привет, мир! 日本語 ÜBER",
    ];
    assert_eq!(fresh.write(&task, 0, &texts).await, Settled::Applied);
    for (query, pages) in [
        ("report", &[1u32, 2] as &[u32]),
        ("REPORT final", &[1, 2]),
        ("\"final report\"", &[1]),
        ("report -\"final report\"", &[2]),
        ("report -straße -example", &[]),
        ("straße", &[1]),
        ("STRAßE", &[1]),
        ("café", &[1]),
        ("cafe", &[]),
        ("2024", &[1]),
        ("INV-2024/001", &[1]),
        ("inv 001", &[1]),
        ("example.com", &[2]),
        ("docmill y", &[2]),
        ("3.14", &[2]),
        ("привет МИР", &[3]),
        ("日本語", &[3]),
        ("über", &[3]),
        ("absent", &[]),
        ("report absent", &[]),
        // What is syntax elsewhere is words here, or nothing.
        ("report OR", &[]),
        ("report AND NOT", &[]),
        ("report* (final) ^ : ' \" \\ ; --", &[1, 2]),
        ("text:report", &[]),
        ("tenant=default", &[]),
        ("NEAR(report final)", &[]),
    ] {
        let mut found = fresh.find(query).await;
        found.sort_unstable();
        assert_eq!(found, pages, "{query}");
    }
}

#[rstest]
#[tokio::test]
async fn the_best_come_first_and_only_ones_own(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let (_, task) = fresh.extracted().await;
    let dull = "word ".repeat(300) + "needle";
    fresh.write(&task, 0, &[&dull, "needle needle needle", "no such thing"]).await;
    assert_eq!(fresh.find("needle").await, [2, 1]);
    let terms = Terms::parse("needle").unwrap();
    let page = |offset, limit| fresh.catalog.search(&task.tenant, &terms, offset, limit);
    assert_eq!(page(0, 1).await.unwrap()[0].segment.page, 2);
    assert_eq!(page(1, 1).await.unwrap()[0].segment.page, 1);
    assert!(page(2, 1).await.unwrap().is_empty());
    let other: TenantId = "other".parse().unwrap();
    fresh.catalog.ensure_tenant(&other).await.unwrap();
    assert!(fresh.catalog.search(&other, &terms, 0, 9).await.unwrap().is_empty());
}

/// A deletion ends what an indexer is about, hides everything at once, and leaves a row to erase by.
#[rstest]
#[tokio::test]
async fn nothing_reappears_after_a_deletion(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let (job, task) = fresh.extracted().await;
    assert_eq!(fresh.write(&task, 0, &["secret one"]).await, Settled::Applied);
    assert_eq!(fresh.find("secret").await, [1]);
    fresh.catalog.delete_document(&tenant(), job.document_id).await.unwrap();
    assert!(fresh.find("secret").await.is_empty(), "at once");
    assert_eq!(fresh.write(&task, 1, &["secret two"]).await, Settled::Stale);
    fresh.catalog.index_done(&task).await.unwrap();
    let erase = fresh.task().await.expect("the deletion's own row, which the late indexer did not take along");
    assert_eq!((erase.document, erase.work), (job.document_id, IndexWork::Erase));
    assert_eq!(fresh.write(&erase, 0, &["secret three"]).await, Settled::Stale);
    assert_eq!(fresh.catalog.erase_segments(&erase, 10, LEASE).await.unwrap(), Some(1));
    assert_eq!(fresh.catalog.erase_segments(&erase, 10, LEASE).await.unwrap(), Some(0));
    fresh.catalog.index_done(&erase).await.unwrap();
    assert!(fresh.task().await.is_none());
    assert_eq!(fresh.catalog.index_due().await.unwrap(), 0);
}

/// Whatever an indexer and a deletion do at the same time, in the end no segment is left.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_indexer_that_races_a_deletion_leaves_nothing(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    for round in 0..20u64 {
        let (job, task) = fresh.extracted().await;
        let indexing = async {
            for seq in 0..10 {
                if fresh.write(&task, seq, &["secret words"]).await == Settled::Stale {
                    break;
                }
            }
            fresh.catalog.index_done(&task).await.unwrap();
        };
        let deleting = async {
            tokio::time::sleep(Duration::from_millis(round)).await;
            fresh.catalog.delete_document(&tenant(), job.document_id).await.unwrap();
        };
        tokio::join!(indexing, deleting);
        assert!(fresh.find("secret").await.is_empty());
        while let Some(task) = fresh.task().await {
            assert_eq!(task.work, IndexWork::Erase);
            while fresh.catalog.erase_segments(&task, 3, LEASE).await.unwrap() != Some(0) {}
            fresh.catalog.index_done(&task).await.unwrap();
        }
        assert_eq!(fresh.segments().await, 0, "round {round}");
    }
}

#[rstest]
#[tokio::test]
async fn an_indexer_thought_dead_can_write_nothing(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let (_, dead) = fresh.extracted().await;
    assert!(fresh.task().await.is_none(), "it is the first one's");
    fresh.catalog.erase_segments(&dead, 1, Duration::ZERO).await.unwrap();
    a_moment().await;
    let heir = fresh.task().await.expect("its lease has run out");
    assert_eq!(heir.document, dead.document);
    assert_eq!(fresh.write(&dead, 0, &["late"]).await, Settled::Stale);
    assert_eq!(fresh.catalog.erase_segments(&dead, 1, LEASE).await.unwrap(), None);
    fresh.catalog.index_done(&dead).await.unwrap();
    assert_eq!(fresh.write(&heir, 0, &["in time"]).await, Settled::Applied);
    assert_eq!(fresh.write(&heir, 0, &["in time"]).await, Settled::Applied, "again, and not twice");
    assert_eq!(fresh.segments().await, 1);
}

#[rstest]
#[tokio::test]
async fn everything_can_be_indexed_anew(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let mut jobs = Vec::new();
    for _ in 0..5 {
        let (job, task) = fresh.extracted().await;
        fresh.catalog.index_done(&task).await.unwrap();
        jobs.push(job);
    }
    fresh.accepted(Options::default()).await;
    fresh.catalog.delete_document(&tenant(), jobs[4].document_id).await.unwrap();
    let erase = fresh.task().await.unwrap();
    fresh.catalog.index_done(&erase).await.unwrap();
    let (mut last, mut marked) = (None, 0);
    while let Some((document, count)) = fresh.catalog.reindex(None, last, 3).await.unwrap() {
        (last, marked) = (Some(document), marked + count);
    }
    assert_eq!((marked, fresh.catalog.index_due().await.unwrap()), (4, 4), "all that have a result and are there");
    // What is new goes first.
    let new = fresh.accepted(Options::default()).await;
    let claim = fresh.claim(new.id, LEASE).await.unwrap();
    fresh.finish_done(&claim, true).await;
    assert_eq!(fresh.task().await.unwrap().document, new.document_id);
    for job in &jobs[..4] {
        assert_eq!(fresh.task().await.unwrap().work, IndexWork::Write(job.id));
    }
}

#[rstest]
#[tokio::test]
async fn a_short_result_is_found_when_its_job_has_ended(#[values(Sqlite, Postgres)] on: Database) {
    let fresh = open(on).await;
    let job = fresh.accepted(Options::default()).await;
    let claim = fresh.claim(job.id, LEASE).await.unwrap();
    let segments = ["a few words", "and some more"].iter().zip(1..);
    let segments = segments.map(|(text, page)| Segment { page, text: (*text).into() }).collect();
    assert_eq!(fresh.finish_found(&claim, Some(segments)).await, Settled::Applied);
    assert_eq!((fresh.find("few").await, fresh.find("more").await), (vec![1], vec![2]));
    assert!(fresh.task().await.is_none(), "nothing is left to the indexer");
    fresh.catalog.delete_document(&tenant(), job.document_id).await.unwrap();
    assert!(fresh.find("few").await.is_empty());
    let erase = fresh.task().await.expect("the deletion has it erased");
    assert_eq!(fresh.catalog.erase_segments(&erase, 10, LEASE).await.unwrap(), Some(2));
}
