//! Documents that break their parsers. Nobody else notices.

use std::{
    fmt::Write as _,
    io::{Cursor, Write as _},
    time::{Duration, Instant},
};

use docmill_domain::Format;
use docmill_extract::End;
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::rig::{Rig, extract, mock, request, wait_for_no_zombies};

/// 3 kB that place one cell in the last row and column of a sheet.
fn sparse_sheet() -> Vec<u8> {
    let whole = docmill_fixtures::xlsx(&[("s", &[&["1"]])]);
    let mut source = zip::ZipArchive::new(Cursor::new(whole)).unwrap();
    let mut sparse = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..source.len() {
        let mut part = source.by_index(index).unwrap();
        let mut body = String::new();
        std::io::Read::read_to_string(&mut part, &mut body).unwrap();
        sparse.start_file(part.name().unwrap().into_owned(), SimpleFileOptions::default()).unwrap();
        let far = r#"<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>"#;
        let body = body.replace(r#"<row r="1"><c><v>1</v></c></row>"#, far);
        sparse.write_all(body.as_bytes()).unwrap();
    }
    sparse.finish().unwrap().into_inner()
}

/// A Word document that inflates to 400 MB of text.
fn bomb() -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("word/document.xml", SimpleFileOptions::default()).unwrap();
    zip.write_all(
        br#"<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>"#,
    )
    .unwrap();
    for _ in 0..400 {
        zip.write_all(&vec![b'a'; 1_000_000]).unwrap();
    }
    zip.write_all(b"</w:t></w:r></w:p></w:body></w:document>").unwrap();
    zip.finish().unwrap().into_inner()
}

fn nested_html() -> Vec<u8> {
    format!("<html><body>{}deep", "<div>".repeat(300_000)).into_bytes()
}

/// Each of 30 forms paints the next ten times.
fn exponential_pdf() -> Vec<u8> {
    let mut objects = vec![
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        "<</Type/Pages/Kids[3 0 R]/Count 1>>".to_owned(),
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Resources<</XObject<</F 5 0 R>>>>/Contents 4 0 R>>".to_owned(),
        "<</Length 4>>stream\n/F Do\nendstream".to_owned(),
    ];
    for next in 6..36 {
        let paints = "/F Do ".repeat(10);
        let form = format!(
            "<</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</F {next} 0 R>>>>/Length {}>>",
            paints.len()
        );
        objects.push(format!("{form}stream\n{paints}\nendstream"));
    }
    objects.push("<</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Length 10>>stream\n0 0 1 1 re\nendstream".into());
    let mut pdf = "%PDF-1.4\n".to_owned();
    for (number, object) in (1..).zip(&objects) {
        write!(pdf, "{number} 0 obj{object}\nendobj\n").unwrap();
    }
    write!(pdf, "trailer<</Root 1 0 R/Size {}>>\n%%EOF", objects.len() + 1).unwrap();
    pdf.into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_documents_end_within_their_limits_and_harm_nobody() {
    let mut rig = Rig::new();
    (rig.config.time_limit_seconds, rig.config.stall_limit_seconds) = (12, 5);
    let pool = rig.pool();
    // Its stall clock runs beside theirs, as a neighbour's would.
    let neighbour = pool.clone();
    let neighbour = tokio::spawn(async move { mock(&neighbour, r#"{"pages": 35, "ms_per_page": 100}"#).await });
    for (name, format, content) in [
        ("sparse sheet", Format::Xlsx, sparse_sheet()),
        ("bomb", Format::Docx, bomb()),
        ("nested html", Format::Html, nested_html()),
        ("exponential forms", Format::Pdf, exponential_pdf()),
        ("nested arrays", Format::Pdf, [b"%PDF-1.4\n1 0 obj".as_slice(), &b"[".repeat(200_000)].concat()),
    ] {
        let begin = Instant::now();
        let report = extract(&pool, &content, request(format)).await;
        println!("{name:18} {:6} bytes {:>8.2?} {:?}", content.len(), begin.elapsed(), report.end);
        assert!(begin.elapsed() < Duration::from_secs(20), "{name}: {:?}", begin.elapsed());
        assert!(!matches!(report.end, End::Cancelled | End::Unavailable(_)), "{name}: {:?}", report.end);
        assert!(report.end != End::Complete || !report.extraction.is_empty() || !report.extraction.warnings.is_empty(), "{name}");
    }
    let neighbour = neighbour.await.unwrap();
    assert_eq!((neighbour.end, neighbour.extraction.pages.len()), (End::Complete, 35));
    wait_for_no_zombies().await;
}
