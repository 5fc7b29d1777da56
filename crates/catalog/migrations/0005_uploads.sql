-- The blob store's ids of the multipart uploads begun to a key, each committed before the upload's first byte, so that erasing the key
-- ends those whose process died. No store has to be asked for a list of them.
CREATE TABLE uploads (
    key TEXT NOT NULL REFERENCES blobs (key) ON DELETE CASCADE,
    id  TEXT NOT NULL,
    PRIMARY KEY (key, id)
);
