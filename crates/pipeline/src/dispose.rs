//! What becomes of an attempt: one match, and nowhere else.

use std::time::Duration;

use docmill_catalog::claims::Disposition;
use docmill_domain::{
    Extraction, Failure, FailureCode,
    extraction::{Warning, WarningCode},
};
use docmill_extract::{End, Report};

use crate::{config::PipelineConfig, scratch::FetchError};

/// How the work on a claim came to its end.
pub(crate) enum Ended {
    /// The extractor reported.
    Extracted(Report),
    /// The original could not be had.
    NotFetched(FetchError),
    /// The result could not be stored.
    NotStored(String),
    /// The process shuts down.
    GivenUp,
}

/// What to do about it.
pub(crate) enum Verdict {
    /// Store this, then end the attempt as done.
    Keep(Box<Extraction>),
    /// End the attempt.
    End(Disposition),
}

/// Decides, knowing how many attempts of the job have failed before this one.
pub(crate) fn decide(ended: Ended, retries: i64, config: &PipelineConfig) -> Verdict {
    let last = retries + 1 >= config.max_attempts;
    let again = |failure: Failure| {
        Verdict::End(if last { Disposition::DeadLetter(failure) } else { Disposition::Retry(pause(retries, config), failure) })
    };
    match ended {
        Ended::GivenUp => Verdict::End(Disposition::HandBack),
        Ended::NotFetched(FetchError::Missing) => {
            Verdict::End(Disposition::DeadLetter(Failure::new(FailureCode::OriginalMissing)))
        }
        Ended::NotFetched(FetchError::Altered) => {
            Verdict::End(Disposition::DeadLetter(Failure::new(FailureCode::OriginalAltered)))
        }
        Ended::NotFetched(FetchError::Unavailable(detail)) | Ended::NotStored(detail) => {
            again(Failure::with_detail(FailureCode::StoreUnavailable, &detail))
        }
        Ended::Extracted(Report { extraction, end }) => match end {
            End::Complete => Verdict::Keep(extraction.into()),
            End::Document(failure) => Verdict::End(Disposition::Failed(failure)),
            End::Limit(failure) if !extraction.is_empty() => {
                Verdict::Keep(cut_short(extraction, WarningCode::LimitReached, failure))
            }
            End::Crashed(failure) if last && !extraction.is_empty() => {
                Verdict::Keep(cut_short(extraction, WarningCode::ExtractorCrashed, failure))
            }
            End::Limit(failure) | End::Crashed(failure) | End::Unavailable(failure) => again(failure),
            End::Cancelled => Verdict::End(Disposition::HandBack),
        },
    }
}

/// What had arrived when the reading was cut short, with a warning that says so and makes it partial.
pub fn cut_short(mut extraction: Extraction, code: WarningCode, failure: Failure) -> Box<Extraction> {
    extraction.warnings.push(Warning::new(code, format!("{}; what was read until then is here", failure.message)));
    Box::new(extraction)
}

/// Doubles from attempt to attempt, with a quarter of jitter either way, so that what failed together is not tried again together.
fn pause(retries: i64, config: &PipelineConfig) -> Duration {
    let doubled = config.retry_seconds * 2f64.powi(retries.clamp(0, 30) as i32);
    Duration::from_secs_f64((doubled.min(config.retry_max_seconds) * rand::random_range(0.75..=1.25)).max(0.0))
}

#[cfg(test)]
mod tests {
    use docmill_domain::{Format, extraction::Engine};

    use super::*;

    fn report(text: &str, end: End) -> Ended {
        let extraction = Extraction {
            schema_version: 1,
            engine: Engine { name: "test".into(), version: "1".into() },
            format: Format::Txt,
            pages: vec![],
            markdown: text.into(),
            tables: vec![],
            metadata: Default::default(),
            warnings: vec![],
        };
        Ended::Extracted(Report { extraction, end })
    }

    /// A row each: what happened, on the first and on the last attempt.
    #[test]
    fn every_end_has_its_verdict() {
        let name = |verdict: Verdict| match verdict {
            Verdict::Keep(extraction) if extraction.warnings.is_empty() => "keep",
            Verdict::Keep(_) => "keep, cut short",
            Verdict::End(disposition) => disposition.as_str(),
        };
        let failure = |code| Failure::new(code);
        type Make = fn(Failure) -> End;
        let rows: [(&str, Make, FailureCode, &str, &str); 9] = [
            ("text", |_| End::Complete, FailureCode::Damaged, "keep", "keep"),
            ("", End::Document, FailureCode::Encrypted, "failed", "failed"),
            ("", End::Limit, FailureCode::TimeLimit, "retry", "dead_letter"),
            ("text", End::Limit, FailureCode::TimeLimit, "keep, cut short", "keep, cut short"),
            ("", End::Crashed, FailureCode::ExtractorCrashed, "retry", "dead_letter"),
            ("text", End::Crashed, FailureCode::ExtractorCrashed, "retry", "keep, cut short"),
            ("text", End::Unavailable, FailureCode::ExtractorUnavailable, "retry", "dead_letter"),
            ("text", |_| End::Cancelled, FailureCode::Damaged, "hand_back", "hand_back"),
            ("text", End::Document, FailureCode::OutputLimit, "failed", "failed"),
        ];
        let config = PipelineConfig::default();
        for (text, end, code, first, last) in rows {
            assert_eq!(name(decide(report(text, end(failure(code))), 0, &config)), first, "{code:?} at first");
            assert_eq!(
                name(decide(report(text, end(failure(code))), config.max_attempts - 1, &config)),
                last,
                "{code:?} at last"
            );
        }
        assert_eq!(name(decide(Ended::GivenUp, 99, &config)), "hand_back");
        assert_eq!(name(decide(Ended::NotFetched(FetchError::Missing), 0, &config)), "dead_letter");
        assert_eq!(name(decide(Ended::NotFetched(FetchError::Altered), 0, &config)), "dead_letter");
        assert_eq!(name(decide(Ended::NotStored(String::new()), 0, &config)), "retry");
    }

    #[test]
    fn pauses_double_up_to_their_limit() {
        let config = PipelineConfig { retry_seconds: 1.0, retry_max_seconds: 10.0, ..PipelineConfig::default() };
        for (retries, expected) in [(0, 1.0), (1, 2.0), (3, 8.0), (4, 10.0), (1000, 10.0)] {
            let seconds = pause(retries, &config).as_secs_f64();
            assert!((expected * 0.75..=expected * 1.25).contains(&seconds), "{retries}: {seconds}");
        }
    }
}
