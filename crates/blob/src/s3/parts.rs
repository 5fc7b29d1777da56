//! A body cut into parts, counted and hashed on the way.

use std::io;

use bytes::{Bytes, BytesMut};
use docmill_domain::hex;
use futures_util::StreamExt;
use sha2::{Digest, Sha256};

use crate::{Body, Written};

const MIB: usize = 1 << 20;

/// Bytes of the part with this number, which counts from 1. S3 takes 10,000 parts and objects of 5 TiB: parts of one size would be too
/// large to be held in memory for most, or too small for the longest. Up to 15.6 GiB all parts are of 8 MiB.
pub(super) fn size(number: usize) -> usize {
    (8 * MIB) << (2 * ((number - 1) / 2000))
}

pub(super) struct Parts<'a> {
    body: Body<'a>,
    /// What came with the last piece and belongs to the next part.
    rest: Bytes,
    part: BytesMut,
    hash: Sha256,
    size: u64,
}

impl<'a> Parts<'a> {
    pub(super) fn of(body: Body<'a>) -> Self {
        Self { body, rest: Bytes::new(), part: BytesMut::new(), hash: Sha256::new(), size: 0 }
    }

    /// The next part, shorter than `size` only at the body's end, and none behind that. May be dropped and called again.
    pub(super) async fn next(&mut self, size: usize) -> io::Result<Option<Bytes>> {
        loop {
            let take = self.rest.len().min(size - self.part.len());
            self.part.extend_from_slice(&self.rest.split_to(take));
            if self.part.len() == size {
                break;
            }
            match self.body.next().await.transpose()? {
                Some(piece) => {
                    self.hash.update(&piece);
                    self.size += piece.len() as u64;
                    self.rest = piece;
                }
                None if self.part.is_empty() => return Ok(None),
                None => break,
            }
        }
        // Its memory goes with it; a further part is likely to be as long.
        let following = if self.part.len() == size { BytesMut::with_capacity(size) } else { BytesMut::new() };
        Ok(Some(std::mem::replace(&mut self.part, following).freeze()))
    }

    /// What the body was, once it has ended.
    pub(super) fn written(self) -> Written {
        Written { size: self.size, sha256: hex(&self.hash.finalize()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_object_fits_into_the_parts_that_s3_takes() {
        let parts: Vec<u64> = (1..=10_000).map(|number| size(number) as u64).collect();
        assert!(parts.iter().sum::<u64>() >= 5 << 40);
        assert!(parts.iter().all(|size| (5 << 20..=5 << 30).contains(size)));
    }
}
