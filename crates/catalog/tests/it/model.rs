//! The catalog's SQL against the domain's transition table: any sequence of acts, by workers that may hold a stale claim, has the same
//! effect on both, and a job never gets two results.

use std::time::Duration;

use docmill_catalog::{
    Settled,
    claims::{Claim, Disposition},
};
use docmill_domain::{
    Failure, FailureCode, JobState, Options,
    job::{Act, Outcome},
};
use proptest::prelude::*;

use crate::support::{Database, Fresh, crash, open, tenant};

/// Leases that a test can let expire: the clock's resolution is a millisecond.
const SHORT: Duration = Duration::ZERO;
const MAX_LOST: i64 = 3;

#[derive(Debug, Clone, Copy)]
enum Step {
    Claim,
    /// The act of the holder of the latest claim, or of the one before it.
    Finish {
        act: Act,
        stale: bool,
    },
    Expire,
    Cancel,
    Redrive,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let finish = prop::sample::select(vec![
        Act::Complete(Outcome::Succeeded),
        Act::Complete(Outcome::Partial),
        Act::Complete(Outcome::Failed),
        Act::Retry,
        Act::HandBack,
        Act::GiveUp,
    ]);
    let step = prop_oneof![
        4 => Just(Step::Claim),
        4 => (finish, prop::bool::weighted(0.3)).prop_map(|(act, stale)| Step::Finish { act, stale }),
        2 => Just(Step::Expire),
        1 => Just(Step::Cancel),
        2 => Just(Step::Redrive),
    ];
    prop::collection::vec(step, 1..24)
}

/// What the table says, and the little that it leaves to its caller.
struct Model {
    state: JobState,
    dead_letter: bool,
    lost: i64,
    token: i64,
}

impl Model {
    fn apply(&mut self, act: Act) -> bool {
        let Some(next) = self.state.after(act) else { return false };
        self.state = next;
        true
    }
}

async fn run(on: Database, steps: Vec<Step>) {
    let fresh = open(on).await;
    let job = fresh.accepted(Options::default()).await;
    let mut model = Model { state: JobState::Queued, dead_letter: false, lost: 0, token: 0 };
    let mut claims: Vec<Claim> = Vec::new();
    let mut results = 0;
    for step in steps {
        match step {
            Step::Claim => {
                let claim = fresh.claim(job.id, SHORT).await;
                assert_eq!(claim.is_some(), model.apply(Act::Claim));
                if let Some(claim) = claim {
                    model.token += 1;
                    assert_eq!(claim.token, model.token, "the fencing token only grows");
                    claims.push(claim);
                }
            }
            Step::Finish { act, stale } => {
                let Some(claim) = claims.iter().rev().nth(usize::from(stale)).cloned() else { continue };
                let held = claim.token == model.token && model.state == JobState::Running;
                let settled = finish(&fresh, &claim, act).await;
                if held {
                    assert!(model.apply(act));
                    model.dead_letter |= act == Act::GiveUp;
                    results += i32::from(matches!(model.state, JobState::Succeeded | JobState::Partial));
                    assert_eq!(settled, Settled::Applied);
                }
            }
            Step::Expire => {
                tokio::time::sleep(Duration::from_millis(3)).await;
                let expired = fresh.catalog.expire_claims(MAX_LOST, Duration::ZERO).await.unwrap();
                let last = model.lost + 1 >= MAX_LOST;
                if model.apply(if last { Act::LeaseLostLast } else { Act::LeaseLost }) {
                    model.lost += 1;
                    model.dead_letter = last;
                    assert_eq!(expired, 1);
                } else {
                    assert_eq!(expired, 0);
                }
            }
            Step::Cancel => {
                let settled = fresh.catalog.cancel_job(&job).await.unwrap();
                assert_eq!(settled == Settled::Applied, model.apply(Act::Cancel));
            }
            Step::Redrive => {
                let may = model.dead_letter && model.apply(Act::Redrive);
                assert_eq!(fresh.catalog.redrive_job(&job).await.unwrap() == Settled::Applied, may);
                if may {
                    (model.dead_letter, model.lost) = (false, 0);
                }
            }
        }
        let seen = fresh.job(job.id).await;
        assert_eq!((seen.state, seen.dead_letter), (model.state, model.dead_letter), "after {step:?}");
    }
    assert!(results <= 1);
    let manifest = fresh.catalog.manifest(&tenant(), job.id).await.unwrap();
    assert_eq!(manifest.is_some(), results == 1, "the one result is the winner's");
    fresh.event_kinds(&job).await;
}

async fn finish(fresh: &Fresh, claim: &Claim, act: Act) -> Settled {
    let disposition = match act {
        Act::Complete(Outcome::Succeeded) => return fresh.finish_done(claim, false).await,
        Act::Complete(Outcome::Partial) => return fresh.finish_done(claim, true).await,
        Act::Complete(Outcome::Failed) => Disposition::Failed(Failure::new(FailureCode::Damaged)),
        Act::Retry => Disposition::Retry(Duration::ZERO, crash()),
        Act::HandBack => Disposition::HandBack,
        _ => Disposition::DeadLetter(crash()),
    };
    fresh.catalog.finish(claim, &disposition).await.unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_sql_keeps_the_transition_table(steps in steps()) {
        for on in [Database::Sqlite, Database::Postgres] {
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run(on, steps.clone()));
        }
    }
}
