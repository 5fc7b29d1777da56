//! Clients that misbehave, by raw sockets.

use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;

use crate::support::{Database, PATIENCE, TestApi, answer, expect};

const HEAD: &str = "POST /v1/documents HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\n";

/// Cut off by a reset, by a half-close, and inside a form: each time nothing is left.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_gone_in_mid_upload_leaves_nothing() {
    let api = TestApi::start(Database::Sqlite).await;
    let body = "x".repeat(300_000);
    let cut = format!("{HEAD}content-length: 900000\r\n\r\n{body}");
    let mut half_closed = api.connect(cut.as_bytes()).await;
    half_closed.shutdown().await.unwrap();
    let text = answer(&mut half_closed).await;
    assert!(text.contains(r#""code":"upload_interrupted""#), "{text}");

    let reset = api.connect(cut.as_bytes()).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    reset.set_zero_linger().unwrap();
    drop(reset);

    let chunked = format!("{HEAD}transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n", body.len());
    let mut half_closed = api.connect(chunked.as_bytes()).await;
    half_closed.shutdown().await.unwrap();
    assert!(answer(&mut half_closed).await.contains(r#""code":"upload_interrupted""#));

    let form = format!("--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n{body}");
    let head = "POST /v1/documents HTTP/1.1\r\nhost: localhost\r\ncontent-type: multipart/form-data; boundary=b\r\n";
    let mut half_closed = api.connect(format!("{head}content-length: 900000\r\n\r\n{form}").as_bytes()).await;
    half_closed.shutdown().await.unwrap();
    let text = answer(&mut half_closed).await;
    assert!(text.contains(r#""code":"upload_interrupted""#), "{text}");

    // Complete as a request, and not as a form.
    let text = api.raw(format!("{head}connection: close\r\ncontent-length: {}\r\n\r\n{form}", form.len()).as_bytes()).await;
    assert!(text.contains(r#""code":"bad_request""#), "{text}");

    api.assert_nothing_stored().await;
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_upload_is_given_up() {
    let api = TestApi::with(Database::Sqlite, |config, _| config.upload_stall_seconds = 1).await;
    for sent in [0, 100_000] {
        let began = Instant::now();
        let text = api.raw(format!("{HEAD}content-length: 900000\r\n\r\n{}", "x".repeat(sent)).as_bytes()).await;
        assert!(text.starts_with("HTTP/1.1 408 "), "{text}");
        assert!(text.contains(r#""code":"upload_timeout""#), "{text}");
        assert!(began.elapsed() < PATIENCE);
    }
    api.assert_nothing_stored().await;
    api.stop().await;
}

/// The refusal reaches a client that sends all it has before it listens.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_reaches_a_client_that_is_still_sending() {
    let api = TestApi::with(Database::Sqlite, |config, _| config.max_uploads = 1).await;
    let large = 64 << 20;
    let piece = vec![b'x'; 1 << 20];
    for head in [format!("content-length: {large}\r\n\r\n"), format!("transfer-encoding: chunked\r\n\r\n{large:x}\r\n")] {
        let mut stream = api.connect(format!("{HEAD}{head}").as_bytes()).await;
        for _ in 0..large / piece.len() {
            stream.write_all(&piece).await.unwrap();
        }
        let text = answer(&mut stream).await;
        assert!(text.starts_with("HTTP/1.1 413 "), "{text}");
        assert!(text.contains(r#""code":"too_large""#), "{text}");
    }
    api.assert_nothing_stored().await;

    // The one permit is taken by an upload that has begun.
    let begun = api.connect(format!("{HEAD}content-length: 10\r\n\r\nhello").as_bytes()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut stream = api.connect(format!("{HEAD}content-length: {large}\r\n\r\n").as_bytes()).await;
    for _ in 0..large / piece.len() {
        stream.write_all(&piece).await.unwrap();
    }
    let text = answer(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 429 ") && text.contains("retry-after: 1\r\n"), "{text}");

    // And it is free again once that one is gone.
    drop(begun);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let response = api.post("/v1/documents").body("text").send().await.unwrap();
        if response.status() == 202 {
            break;
        }
        expect(response, 429).await;
        assert!(Instant::now() < deadline, "the permit did not come back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    api.stop().await;
}

/// Passed without being announced, by any framing: cut where the limit is passed.
#[tokio::test(flavor = "multi_thread")]
async fn the_limit_holds_to_the_byte() {
    let api = TestApi::start(Database::Sqlite).await;
    let limit = 1 << 20;
    for (size, status) in [(limit, 202), (limit + 1, 413)] {
        let body = "x".repeat(size);
        let raw = api.post("/v1/documents").body(body.clone()).send().await.unwrap();
        assert_eq!(raw.status(), status, "raw, {size}");
        let form = reqwest::multipart::Form::new().part("file", reqwest::multipart::Part::text(body.clone()).file_name("a.txt"));
        let form = api.post("/v1/documents").multipart(form).send().await.unwrap();
        assert_eq!(form.status(), status, "form, {size}");
        let stream = futures_util::stream::iter(
            body.into_bytes().chunks(50_000).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect::<Vec<_>>(),
        );
        let chunked = api.post("/v1/documents").body(reqwest::Body::wrap_stream(stream)).send().await.unwrap();
        assert_eq!(chunked.status(), status, "chunked, {size}");
    }
    api.stop().await;
}
