//! The bytes of an original on their way out: whoever gets all of them gets those that were accepted.

use std::io;

use bytes::Bytes;
use docmill_blob::Body;
use docmill_domain::{BlobKey, hex};
use futures_util::{StreamExt, stream};
use sha2::{Digest, Sha256};

/// The same bytes, but an error in place of the last piece if they do not hash to `sha256`. A client that knows the length sees that
/// it has not got all of them.
pub(crate) fn verified(body: Body<'static>, sha256: String, key: BlobKey) -> Body<'static> {
    struct State {
        body: Body<'static>,
        held: Option<Bytes>,
        hash: Sha256,
    }
    let state = State { body, held: None, hash: Sha256::new() };
    stream::try_unfold(state, move |mut state| {
        let (sha256, key) = (sha256.clone(), key.clone());
        async move {
            loop {
                match state.body.next().await.transpose()? {
                    Some(piece) => {
                        state.hash.update(&piece);
                        if let Some(held) = state.held.replace(piece) {
                            return Ok(Some((held, state)));
                        }
                    }
                    None if hex(&state.hash.clone().finalize()) == sha256 => {
                        return Ok(state.held.take().map(|last| (last, state)));
                    }
                    None => {
                        tracing::error!(%key, "the original is not the one that was accepted; its hash differs");
                        return Err(io::Error::new(
                            io::ErrorKind::InvalidData,
                            "the stored bytes are not those that were accepted",
                        ));
                    }
                }
            }
        }
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use docmill_domain::{DocumentId, IntentId, TenantId};
    use futures_util::TryStreamExt;

    use super::*;

    async fn read(pieces: &[&'static str], sha256: String) -> io::Result<Vec<Bytes>> {
        let key = BlobKey::original(&TenantId::default_tenant(), DocumentId::new(), IntentId::new());
        let pieces: Vec<_> = pieces.iter().map(|piece| Ok(Bytes::from_static(piece.as_bytes()))).collect();
        verified(stream::iter(pieces).boxed(), sha256, key).try_collect().await
    }

    #[tokio::test]
    async fn the_last_piece_comes_only_if_all_are_right() {
        for pieces in [&["one", "two", "three"][..], &["one"], &[]] {
            let right = hex(&Sha256::digest(pieces.concat()));
            assert_eq!(read(pieces, right).await.unwrap(), pieces);
            assert_eq!(read(pieces, hex(&Sha256::digest("another"))).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
    }
}
