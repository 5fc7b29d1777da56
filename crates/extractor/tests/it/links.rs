//! The programs that hold credentials, or listen, link no parser.

use std::process::Command;

#[test]
fn only_the_extractor_links_parsers() {
    let tree = |package: &str| {
        let output = Command::new(env!("CARGO"))
            .args(["tree", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{p}", "--package", package])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let parsers = ["xberg ", "pdfium-render ", "docmill-extractor "];
    for package in ["docmill-api", "docmill-worker", "docmill", "docmill-extract"] {
        let tree = tree(package);
        assert!(tree.contains("docmill-extract "), "{package}");
        let linked: Vec<&str> = parsers.into_iter().filter(|parser| tree.lines().any(|line| line.starts_with(parser))).collect();
        assert_eq!(linked, [""; 0], "{package}");
    }
    assert!(tree("docmill-extractor").lines().any(|line| line.starts_with("xberg ")), "the check itself finds xberg where it is");
}
