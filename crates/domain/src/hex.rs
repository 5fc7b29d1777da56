/// Lower-case hexadecimal digits, two a byte: how hashes and random bits are spelt everywhere.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
