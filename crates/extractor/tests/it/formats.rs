//! What comes out of each format.

use docmill_domain::{
    Extraction, Failure, FailureCode, Format,
    extraction::{Warning, WarningCode},
};
use docmill_extract::{Content, End, Request};
use docmill_fixtures as fixtures;

use crate::rig::{Rig, extract, request, with_password};

async fn complete(rig: &Rig, content: &[u8], request: Request) -> Extraction {
    let report = extract(&rig.pool(), content, request).await;
    assert_eq!(report.end, End::Complete);
    report.extraction
}

/// Snapshots of whole extractions: pages, Markdown, tables, metadata, warnings.
#[tokio::test]
async fn every_format_has_its_snapshot() {
    let rig = Rig::new();
    let sheet: fixtures::Sheet<'_> = ("Prices", &[&["Part", "Price"], &["Bolt", "0.2"], &["Nut", "0.1"]]);
    let other: fixtures::Sheet<'_> = ("Notes & more", &[&["To be continued"]]);
    let rows: &[&[&str]] = &[&["name", "note"], &["Ada", "said \"hi\", twice"], &["Grace", "two\nlines"]];
    let western = "Les élèves étaient très fatigués après la journée passée à l’école près de la forêt.\n# pas un titre\n";
    let japanese = "日本語の文章はこのように書かれます。\n漢字と仮名を混ぜて使います。\n";
    for (name, format, content) in [
        ("pdf", Format::Pdf, fixtures::report_pdf()),
        ("pdf_pages", Format::Pdf, fixtures::pdf(&["One.", "Two,\nin two lines.", ""])),
        ("docx", Format::Docx, fixtures::docx(&["A heading", "A paragraph & more."], &[&["a", "b"], &["1", "2"]])),
        ("xlsx", Format::Xlsx, fixtures::xlsx(&[sheet, other])),
        ("html", Format::Html, fixtures::html("A page", &["First &amp; second.", "Third."])),
        ("eml", Format::Eml, fixtures::eml("The plan", "Let us meet on Friday.")),
        ("csv", Format::Csv, fixtures::csv(rows)),
        ("txt_latin1", Format::Txt, fixtures::txt_latin1(western)),
        ("txt_utf16", Format::Txt, fixtures::txt_utf16(western)),
        ("txt_shift_jis", Format::Txt, fixtures::txt_shift_jis(japanese)),
    ] {
        insta::assert_json_snapshot!(name, complete(&rig, &content, request(format)).await);
    }
}

#[tokio::test]
async fn text_alone_is_the_same_text() {
    let rig = Rig::new();
    for (format, content) in
        [(Format::Pdf, fixtures::report_pdf()), (Format::Docx, fixtures::docx(&["A heading", "Text."], &[&["a"]]))]
    {
        let full = complete(&rig, &content, request(format)).await;
        let text = complete(&rig, &content, Request { content: Content::Text, ..request(format) }).await;
        assert_eq!(full.pages, text.pages);
        assert!(text.markdown.is_empty() && text.tables.is_empty());
    }
}

#[tokio::test]
async fn an_encrypted_document_needs_its_password() {
    let mut rig = Rig::new();
    for pdfium in [rig.config.pdfium.clone(), Some("/nowhere/libpdfium.so".into())] {
        rig.config.pdfium = pdfium;
        let content = fixtures::encrypted_pdf("sesame");
        for request in [request(Format::Pdf), with_password(Format::Pdf, "wrong")] {
            assert_failed(&extract(&rig.pool(), &content, request).await.end, FailureCode::Encrypted);
        }
        assert!(complete(&rig, &content, with_password(Format::Pdf, "sesame")).await.text().contains("The secret text."));
    }
    assert_failed(&extract(&rig.pool(), &fixtures::encrypted_docx(), request(Format::Docx)).await.end, FailureCode::Encrypted);
}

fn assert_failed(end: &End, expected: FailureCode) {
    assert!(matches!(end, End::Document(Failure { code, .. }) if *code == expected), "{end:?}");
}

#[tokio::test]
async fn a_damaged_document_fails_and_a_damaged_page_is_left_out() {
    let rig = Rig::new();
    let cut = |mut content: Vec<u8>| {
        content.truncate(content.len() / 2);
        content
    };
    for (format, content) in [
        (Format::Pdf, fixtures::damaged_pdf()),
        (Format::Pdf, b"%PDF-1.7".to_vec()),
        (Format::Docx, cut(fixtures::docx(&["A heading"], &[]))),
        (Format::Xlsx, cut(fixtures::xlsx(&[("a", &[&["1"]])]))),
    ] {
        assert_failed(&extract(&rig.pool(), &content, request(format)).await.end, FailureCode::Damaged);
    }
    let partial = complete(&rig, &fixtures::pdf_with_damaged_page(), request(Format::Pdf)).await;
    assert_eq!(partial.pages.iter().map(|page| page.number).collect::<Vec<_>>(), [1, 3]);
    assert!(
        matches!(partial.warnings.as_slice(), [Warning { code: WarningCode::PageDamaged, page: Some(2), .. }]),
        "{:?}",
        partial.warnings
    );
}

#[tokio::test]
async fn nothing_found_is_said() {
    let rig = Rig::new();
    for (format, content) in [
        (Format::Pdf, fixtures::empty_pdf()),
        (Format::Pdf, fixtures::picture_pdf()),
        (Format::Docx, fixtures::docx(&[], &[])),
        (Format::Xlsx, fixtures::xlsx(&[("empty", &[])])),
        (Format::Csv, b"\n\n".to_vec()),
        (Format::Txt, b" \n".to_vec()),
    ] {
        let extraction = complete(&rig, &content, request(format)).await;
        assert!(extraction.warnings.iter().any(|warning| warning.code == WarningCode::NoText), "{format:?}: {extraction:?}");
    }
}

#[tokio::test]
async fn without_libpdfium_another_parser_reads_and_says_so() {
    let mut rig = Rig::new();
    rig.config.pdfium = Some("/nowhere/libpdfium.so".into());
    let extraction = complete(&rig, &fixtures::pdf(&["First page.", "Second page."]), request(Format::Pdf)).await;
    assert_eq!(extraction.warnings[0].code, WarningCode::FallbackEngine);
    assert_eq!(extraction.engine.name, "xberg");
    assert_eq!(extraction.pages.len(), 2);
    assert!(extraction.pages[1].text.contains("Second page."), "{:?}", extraction.pages);
    assert!(rig.pool().engines().await.warning.unwrap().contains("libpdfium"));
}

#[tokio::test]
async fn libpdfium_is_found_beside_the_program() {
    let mut rig = Rig::new();
    let pdfium = rig.config.pdfium.take().unwrap();
    std::fs::hard_link(pdfium, rig.config.program.as_ref().unwrap().with_file_name("libpdfium.so")).unwrap();
    let engines = rig.pool().engines().await;
    assert_eq!((engines.pdf.unwrap().name.as_str(), engines.warning), ("pdfium", None));
}

#[tokio::test]
async fn invalid_bytes_are_replaced_and_reported() {
    let rig = Rig::new();
    let extraction = complete(&rig, b"\xef\xbb\xbfbefore \xff after", request(Format::Txt)).await;
    assert_eq!(extraction.text(), "before \u{fffd} after\n");
    assert_eq!(extraction.warnings[0].code, WarningCode::EncodingReplaced);
}

#[tokio::test]
async fn a_large_document_streams() {
    let rig = Rig::new();
    let extraction = complete(&rig, &fixtures::big_pdf(300), request(Format::Pdf)).await;
    assert_eq!(extraction.pages.len(), 300);
    assert!(extraction.pages[299].text.starts_with("Page 300 of 300"));
}
