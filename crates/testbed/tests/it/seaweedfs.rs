use std::{
    io::{Read, Write},
    net::TcpStream,
};

use docmill_testbed::SeaweedFs;

/// The status of a request that nobody has signed.
fn unsigned(seaweed: &SeaweedFs, path: &str) -> String {
    let address = seaweed.endpoint().strip_prefix("http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: s3\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().to_owned()
}

#[test]
fn a_bucket_is_there_before_and_after_a_crash_and_for_those_with_keys() {
    let seaweed = SeaweedFs::start();
    let (one, other) = (seaweed.create_bucket(), seaweed.create_bucket());
    assert_ne!(one, other);
    assert_eq!(unsigned(&seaweed, &format!("/{one}/key")), "403");
    seaweed.kill();
    assert!(TcpStream::connect(seaweed.endpoint().strip_prefix("http://").unwrap()).is_err());
    seaweed.start_again();
    assert_eq!(unsigned(&seaweed, &format!("/{one}/key")), "403");
    seaweed.create_bucket();
}
