//! What S3 says when objects are made: its own event format, as it comes from a queue that a bucket announces to
//! (docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html).

use percent_encoding::percent_decode_str;
use serde::Deserialize;

/// An object that was made.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Announced {
    pub(super) bucket: String,
    /// As it is, no longer spelt as in a URL.
    pub(super) key: String,
    /// Absent where the bucket keeps no versions, and in the announcements of some emulators.
    pub(super) version: Option<String>,
    /// Tells the makings of one key apart where nothing has versions.
    pub(super) making: String,
}

/// The objects whose making a message announces: none for the test event that S3 sends first. An error says why it is no announcement.
pub(super) fn read(message: &[u8]) -> Result<Vec<Announced>, String> {
    let message: Message = serde_json::from_slice(message).map_err(|error| format!("not an event of S3: {error}"))?;
    match message {
        Message::Records { records } => {
            records.into_iter().filter(|record| record.event_name.starts_with("ObjectCreated:")).map(announced).collect()
        }
        Message::Test { event } if event == "s3:TestEvent" => Ok(Vec::new()),
        Message::Test { event } => Err(format!("an event of S3 that nobody asked for: {event}")),
    }
}

fn announced(record: Record) -> Result<Announced, String> {
    let Entity { bucket, object } = record.s3;
    let spelt = object.key.replace('+', " ");
    let key = percent_decode_str(&spelt).decode_utf8().map_err(|_| format!("a key that is not UTF-8: {}", object.key))?;
    let making = object.sequencer.or(object.e_tag).unwrap_or_default();
    Ok(Announced { key: key.into_owned(), bucket: bucket.name, version: object.version_id, making })
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Message {
    Records {
        #[serde(rename = "Records")]
        records: Vec<Record>,
    },
    Test {
        #[serde(rename = "Event")]
        event: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    event_name: String,
    s3: Entity,
}

#[derive(Deserialize)]
struct Entity {
    bucket: Bucket,
    object: Object,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    /// Spelt as in a form: `+` for a space, `%` and two digits for other bytes.
    key: String,
    #[serde(default)]
    version_id: Option<String>,
    #[serde(default)]
    sequencer: Option<String>,
    #[serde(default)]
    e_tag: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, object: &str) -> String {
        format!(
            r#"{{"Records":[{{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"eu-central-1","eventName":"{name}",
            "s3":{{"s3SchemaVersion":"1.0","bucket":{{"name":"b","arn":"arn:aws:s3:::b"}},"object":{object}}}}}]}}"#
        )
    }

    #[test]
    fn keys_are_spelt_as_in_a_form() {
        let one = event("ObjectCreated:Put", r#"{"key":"inbox/acme/A+b%2B%C3%BC.pdf","size":3,"versionId":"v1"}"#);
        let read = read(one.as_bytes()).unwrap();
        assert_eq!((read[0].key.as_str(), read[0].version.as_deref()), ("inbox/acme/A b+ü.pdf", Some("v1")));
    }

    #[test]
    fn makings_are_told_apart() {
        let making = |object: &str| read(event("ObjectCreated:Copy", object).as_bytes()).unwrap().remove(0).making;
        assert_eq!(making(r#"{"key":"k","sequencer":"01","eTag":"e"}"#), "01");
        assert_eq!(making(r#"{"key":"k","eTag":"e"}"#), "e");
    }

    #[test]
    fn what_is_no_making_is_nothing_or_wrong() {
        let test =
            br#"{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2026-01-01T00:00:00.000Z","Bucket":"b","RequestId":"1"}"#;
        assert_eq!(read(test).unwrap(), []);
        assert_eq!(read(event("ObjectRemoved:Delete", r#"{"key":"k"}"#).as_bytes()).unwrap(), []);
        for wrong in ["", "null", "[]", "{}", r#"{"Event":"s3:ReducedRedundancyLostObject"}"#, r#"{"Records":[{}]}"#] {
            assert!(read(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert!(read(event("ObjectCreated:Put", r#"{"key":"%FF"}"#).as_bytes()).is_err());
    }
}
