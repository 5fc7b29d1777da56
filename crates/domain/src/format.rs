//! The formats that docmill reads.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! formats {
    ($($(#[$attribute:meta])* $variant:ident, $name:literal, $title:literal, [$($media:literal),+], [$($extension:literal),+];)*) => {
        /// What a document's bytes are.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Format {
            $($(#[$attribute])* #[doc = $title] $variant,)*
        }

        impl Format {
            /// Every format of this build.
            pub const ALL: &[Self] = &[$($(#[$attribute])* Self::$variant),*];

            /// The name, as JSON and the catalog spell it.
            pub fn as_str(self) -> &'static str {
                match self { $($(#[$attribute])* Self::$variant => $name),* }
            }

            /// What people call it.
            pub fn title(self) -> &'static str {
                match self { $($(#[$attribute])* Self::$variant => $title),* }
            }

            /// Its media types, the proper one first.
            pub fn media_types(self) -> &'static [&'static str] {
                match self { $($(#[$attribute])* Self::$variant => &[$($media),+]),* }
            }

            /// Its file name extensions, lower case, without the dot.
            pub fn extensions(self) -> &'static [&'static str] {
                match self { $($(#[$attribute])* Self::$variant => &[$($extension),+]),* }
            }
        }
    };
}

formats! {
    Pdf, "pdf", "PDF", ["application/pdf", "application/x-pdf"], ["pdf"];
    Docx, "docx", "Word (OOXML)", ["application/vnd.openxmlformats-officedocument.wordprocessingml.document"], ["docx", "docm", "dotx", "dotm"];
    Xlsx, "xlsx", "Excel (OOXML)", ["application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"], ["xlsx", "xlsm", "xltx", "xltm"];
    Html, "html", "HTML", ["text/html", "application/xhtml+xml"], ["html", "htm", "xhtml"];
    Eml, "eml", "E-mail (RFC 5322)", ["message/rfc822"], ["eml"];
    Csv, "csv", "Comma-separated values", ["text/csv", "application/csv"], ["csv"];
    Txt, "txt", "Plain text", ["text/plain"], ["txt", "text", "log"];
    #[cfg(feature = "test-hooks")]
    Mock, "mock", "Mock (tests only)", ["application/x-docmill-mock"], ["mock"];
}

impl Format {
    /// The format of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|format| format.as_str() == name)
    }

    /// The format that a file name's extension says; case does not matter.
    pub fn from_file_name(name: &str) -> Option<Self> {
        let (_, extension) = name.rsplit_once('.')?;
        Self::ALL.iter().copied().find(|format| format.extensions().iter().any(|known| known.eq_ignore_ascii_case(extension)))
    }

    /// The format that a media type says; parameters and case do not matter.
    pub fn from_media_type(media_type: &str) -> Option<Self> {
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        Self::ALL.iter().copied().find(|format| format.media_types().iter().any(|known| known.eq_ignore_ascii_case(essence)))
    }
}

/// The media types of every format, for a client whose upload is of none of them.
pub fn accepted_media_types() -> Vec<String> {
    Format::ALL.iter().map(|format| format.media_types()[0].to_string()).collect()
}
