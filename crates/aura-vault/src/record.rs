// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a person owns: categories (the grain of consent), kinds (the schema of a record) and fields.
//!
//! Field values are JSON in the field's standard forms (JSCalendar, JSContact, JMAP Email, FHIR R4
//! Observation, schema.org otherwise), so that an export is a copy and not a translation.
//! How fields change and merge is not here: `crate::op`.

use std::io::{self, Read};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The fields of a record: a JSON object's members, one op-mergeable field each.
pub type Fields = Map<String, Value>;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum $name { $($(#[$vdoc])* $variant = $code,)* }

        impl $name {
            /// Every value, in the order of its code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word a person reads and types.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The stable number used in files (one byte).
            pub fn code(self) -> u8 { self as u8 }

            /// The value with this stable number, if there is one.
            pub fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }

            /// The value that this word names, if there is one.
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// The unit of consent (REC-1). A category is what a person allows or refuses as a whole.
    Category {
        /// Events.
        Calendar = 1 "calendar",
        /// People and organisations.
        Contacts = 2 "contacts",
        /// Mail.
        Mail = 3 "mail",
        /// Chats and conversations, with people and with assistants.
        Messages = 4 "messages",
        /// Notes.
        Notes = 5 "notes",
        /// Things to do.
        Tasks = 6 "tasks",
        /// Files.
        Files = 7 "files",
        /// What an assistant should remember.
        Memory = 8 "memory",
        /// Measurements and findings about the body. Behind the second lock by default.
        Health = 9 "health",
        /// Money.
        Finance = 10 "finance",
        /// Where the person was.
        Location = 11 "location",
        /// Secrets for getting in elsewhere. Behind the second lock by default.
        Credentials = 12 "credentials",
        /// Bookmarks and what was read on the web.
        Web = 13 "web",
        /// What the person says of themselves.
        Profile = 14 "profile",
    }
}

words! {
    /// A record's schema (REC-2).
    Kind {
        /// A calendar event: JSCalendar Event (RFC 8984).
        Event = 1 "event",
        /// A contact: JSContact Card (RFC 9553).
        Contact = 2 "contact",
        /// A mail: JMAP Email (RFC 8621), with `textBody` and `htmlBody` as plain strings.
        Email = 3 "email",
        /// One message of a chat: schema.org Message.
        Message = 4 "message",
        /// A note: schema.org NoteDigitalDocument; `name`, `text` (Markdown), `keywords`.
        Note = 5 "note",
        /// A task: JSCalendar Task (RFC 8984).
        Task = 6 "task",
        /// A file: schema.org DigitalDocument; its bytes are an attachment.
        File = 7 "file",
        /// Something to remember: `text`, `type`, `status`, `confidence` (PAM 1.0).
        Memory = 8 "memory",
        /// A measurement: FHIR R4 Observation.
        Observation = 9 "observation",
        /// A movement of money: schema.org MoneyTransfer.
        Transaction = 10 "transaction",
        /// A visit or a position: schema.org Place with `startTime`, `endTime`.
        Place = 11 "place",
        /// A credential: Bitwarden's cipher fields (`name`, `login`, `notes`, …).
        Login = 12 "login",
        /// A web page worth keeping: schema.org BookmarkAction; `url`, `name`.
        Bookmark = 13 "bookmark",
        /// Something a person says of themselves: schema.org Person.
        Person = 14 "person",
        /// A thread of messages: schema.org Conversation; `name`.
        Conversation = 15 "conversation",
    }
}

impl Kind {
    /// The category that a record of this kind belongs to unless it says otherwise.
    pub fn category(self) -> Category {
        match self {
            Self::Event => Category::Calendar,
            Self::Contact => Category::Contacts,
            Self::Email => Category::Mail,
            Self::Message | Self::Conversation => Category::Messages,
            Self::Note => Category::Notes,
            Self::Task => Category::Tasks,
            Self::File => Category::Files,
            Self::Memory => Category::Memory,
            Self::Observation => Category::Health,
            Self::Transaction => Category::Finance,
            Self::Place => Category::Location,
            Self::Login => Category::Credentials,
            Self::Bookmark => Category::Web,
            Self::Person => Category::Profile,
        }
    }
}

impl Category {
    /// Whether the category stands behind the second lock when the person has made one.
    pub fn is_second_locked_by_default(self) -> bool {
        matches!(self, Self::Health | Self::Credentials)
    }
}

/// The bytes of an attachment, opened when (and as often as) the vault wants them.
///
/// An import reads once to learn the SHA-256 and, if the bytes are new, once more to seal them, so
/// that no attachment is ever held in memory or written to a temporary file in the clear.
pub trait Content: Send + Sync {
    /// Starts reading from the first byte.
    ///
    /// # Errors
    /// When the bytes cannot be read any more.
    fn open(&self) -> io::Result<Box<dyn Read + '_>>;

    /// How many bytes there are, where that is known without reading them.
    fn size_bytes(&self) -> Option<u64> {
        None
    }
}

/// Bytes that are in memory already (a mail's parts).
impl Content for Vec<u8> {
    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(self.as_slice()))
    }

    fn size_bytes(&self) -> Option<u64> {
        Some(self.len() as u64)
    }
}

/// A file that goes with a draft.
#[derive(Clone)]
pub struct Attachment {
    /// The file's name, without a path.
    pub name: String,
    /// Its media type, `application/octet-stream` when unknown.
    pub media_type: String,
    /// Its bytes.
    pub content: Arc<dyn Content>,
}

/// A record-to-be, as a person or a foreign export tells it.
#[derive(Clone)]
pub struct Draft {
    /// The schema of `fields`.
    pub kind: Kind,
    /// Where it belongs; `kind.category()` unless the source says otherwise.
    pub category: Category,
    /// Which format it came from: `markdown`, `mail`, `chatgpt` … (a lower-case word).
    pub source: &'static str,
    /// What identifies it in that source, stable across exports; `None` when the source has no
    /// such thing, and then the content itself identifies it.
    pub source_id: Option<String>,
    /// When it happened or was written, in milliseconds since 1970 (UTC), if it says so. Must
    /// resolve to the same value on every re-import.
    pub time_ms: Option<i64>,
    /// The record's fields. What the standard form has no place for is kept under `extra`.
    pub fields: Fields,
    /// Files that belong to it.
    pub attachments: Vec<Attachment>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_words_come_back() {
        for category in Category::ALL {
            assert_eq!(Category::from_code(category.code()), Some(*category));
            assert_eq!(Category::parse(category.as_str()), Some(*category));
        }
        for kind in Kind::ALL {
            assert_eq!(Kind::from_code(kind.code()), Some(*kind));
            assert_eq!(Kind::parse(kind.as_str()), Some(*kind));
        }
        assert_eq!(Kind::from_code(0), None);
    }
}
