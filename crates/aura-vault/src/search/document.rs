// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the index is told of a record, and the fields that it becomes.
//!
//! `text` holds title, body and people with positions; the title stands in it several times, which
//! is how BM25F weighs a field, and keeps every word of a query a single list of postings. `facet`
//! holds everything that is only filtered by, and the id's bucket, as short byte terms. Ids, times and
//! classes are columns. Nothing is stored: the database has the record.

use aura_protocol::id::RecordId;
use tantivy::schema::{
    BytesOptions, Field, IndexRecordOption, NumericOptions, Schema, TextFieldIndexing, TextOptions,
};
use tantivy::{TantivyDocument, Term};

use super::token;
use crate::record::{Category, Kind};

/// Name and version of the tokeniser and of the facets: an index made with another is made anew.
pub(super) const TOKENIZER: &str = "aura-2";
/// Bytes of a title that are indexed.
pub const TITLE_BYTES_MAX: usize = 4096;
/// Bytes of a body that are indexed.
pub const BODY_BYTES_MAX: usize = 4 << 20;
/// People, and tags, of one record that are indexed.
pub const NAMES_MAX: usize = 1024;
/// Bytes of one name, tag or source that are indexed.
pub const NAME_BYTES_MAX: usize = 512;

/// How often a title's words count.
const TITLE_WEIGHT: usize = 2;

/// What the index is told of one record. Text beyond the bounds above is not indexed.
#[derive(Debug, Clone)]
pub struct Document<'a> {
    /// Which record.
    pub id: RecordId,
    /// Its category.
    pub category: Category,
    /// Its kind.
    pub kind: Kind,
    /// When it happened, in milliseconds since 1970.
    pub time_ms: i64,
    /// Title, subject or name.
    pub title: &'a str,
    /// The rest of its text.
    pub body: &'a str,
    /// Who it is from: names and addresses.
    pub from: Vec<&'a str>,
    /// Who it is to.
    pub to: Vec<&'a str>,
    /// Others that it is about or that take part.
    pub people: Vec<&'a str>,
    /// Where it was imported from.
    pub source: &'a str,
    /// Its keywords.
    pub tags: Vec<&'a str>,
    /// Whether it has one.
    pub has_attachment: bool,
}

impl<'a> Document<'a> {
    /// A document without text.
    pub fn new(id: RecordId, kind: Kind, time_ms: i64) -> Self {
        Self {
            id,
            category: kind.category(),
            kind,
            time_ms,
            title: "",
            body: "",
            from: Vec::new(),
            to: Vec::new(),
            people: Vec::new(),
            source: "",
            tags: Vec::new(),
            has_attachment: false,
        }
    }

    /// With this title and body.
    #[must_use]
    pub fn with_text(mut self, title: &'a str, body: &'a str) -> Self {
        self.title = title;
        self.body = body;
        self
    }
}

/// Bits of an id that choose its bucket: at a million records some 250 to a bucket.
const BUCKET_MASK: u16 = 0x0fff;

/// The bucket of an id, by its last bits, which are random: a term for every single id would be most of
/// what an import adds to the dictionary of terms.
fn bucket(id: RecordId) -> [u8; 2] {
    let [.., high, low] = id.0;
    (u16::from_be_bytes([high, low]) & BUCKET_MASK).to_be_bytes()
}

/// What a facet term says; its first byte.
#[derive(Debug, Clone, Copy)]
pub(super) enum Facet {
    Bucket = b'b' as isize,
    Category = b'c' as isize,
    Kind = b'k' as isize,
    From = b'f' as isize,
    To = b't' as isize,
    Source = b's' as isize,
    Tag = b'g' as isize,
    Attachment = b'a' as isize,
}

impl Facet {
    pub(super) fn bytes(self, value: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(value.len() + 1);
        bytes.push(self as u8);
        bytes.extend_from_slice(value);
        bytes
    }
}

/// The fields of the index.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields {
    pub(super) text: Field,
    pub(super) facet: Field,
    high: Field,
    low: Field,
    pub(super) time: Field,
    class: Field,
}

/// First eight bytes of the id.
pub(super) const HIGH: &str = "high";
/// Last eight bytes of the id.
pub(super) const LOW: &str = "low";
/// Milliseconds since 1970.
pub(super) const TIME: &str = "time";
/// Category and kind.
pub(super) const CLASS: &str = "class";

/// The schema and its fields.
pub(super) fn schema() -> (Schema, Fields) {
    let mut schema = Schema::builder();
    let indexing = TextFieldIndexing::default()
        .set_tokenizer(TOKENIZER)
        .set_index_option(IndexRecordOption::WithFreqsAndPositions);
    let column = || NumericOptions::default().set_fast();
    let fields = Fields {
        text: schema.add_text_field("text", TextOptions::default().set_indexing_options(indexing)),
        facet: schema.add_bytes_field("facet", BytesOptions::default().set_indexed()),
        high: schema.add_u64_field(HIGH, column()),
        low: schema.add_u64_field(LOW, column()),
        time: schema.add_i64_field(TIME, column()),
        class: schema.add_u64_field(CLASS, column()),
    };
    (schema.build(), fields)
}

/// Category and kind as one column value.
pub(super) fn class_of(category: Category, kind: Kind) -> u64 {
    u64::from(category.code()) << 8 | u64::from(kind.code())
}

/// The category and kind of a column value.
pub(super) fn from_class(class: u64) -> Option<(Category, Kind)> {
    let category = Category::from_code(u8::try_from(class >> 8).ok()?)?;
    Some((category, Kind::from_code(u8::try_from(class & 0xff).ok()?)?))
}

/// The two halves of an id.
fn halves(id: RecordId) -> (u64, u64) {
    let id = u128::from_be_bytes(id.0);
    let low = u64::try_from(id & u128::from(u64::MAX)).unwrap_or_default();
    (u64::try_from(id >> 64).unwrap_or_default(), low)
}

/// The id with these halves.
pub(super) fn from_halves(high: u64, low: u64) -> RecordId {
    RecordId((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
}

impl Fields {
    /// The term that all ids of one bucket share.
    pub(super) fn bucket_term(&self, id: RecordId) -> Term {
        self.facet_term(Facet::Bucket, &bucket(id))
    }

    pub(super) fn facet_term(&self, facet: Facet, value: &[u8]) -> Term {
        Term::from_field_bytes(self.facet, &facet.bytes(value))
    }

    pub(super) fn text_term(&self, token: &str) -> Term {
        Term::from_field_text(self.text, token)
    }

    /// The document as tantivy takes it, and how many bytes of text it has.
    pub(super) fn document(&self, document: &Document<'_>) -> (TantivyDocument, usize) {
        let mut out = TantivyDocument::default();
        let text_bytes = self.add_text(document, &mut out);
        self.add_facets(document, &mut out);
        let (high, low) = halves(document.id);
        out.add_u64(self.high, high);
        out.add_u64(self.low, low);
        out.add_i64(self.time, document.time_ms);
        out.add_u64(self.class, class_of(document.category, document.kind));
        (out, text_bytes)
    }

    fn add_text(&self, document: &Document<'_>, out: &mut TantivyDocument) -> usize {
        let mut bytes = 0usize;
        let mut add = |text: &str| {
            if !text.is_empty() {
                out.add_text(self.text, text);
                bytes = bytes.saturating_add(text.len());
            }
        };
        let title = token::beginning(document.title, TITLE_BYTES_MAX);
        (0..TITLE_WEIGHT).for_each(|_| add(title));
        add(token::beginning(document.body, BODY_BYTES_MAX));
        let people = [&document.from, &document.to, &document.people];
        for name in people.into_iter().flat_map(|names| names.iter().take(NAMES_MAX)) {
            add(token::beginning(name, NAME_BYTES_MAX));
        }
        bytes
    }

    fn add_facets(&self, document: &Document<'_>, out: &mut TantivyDocument) {
        out.add_bytes(self.facet, &Facet::Bucket.bytes(&bucket(document.id)));
        out.add_bytes(self.facet, &Facet::Category.bytes(&[document.category.code()]));
        out.add_bytes(self.facet, &Facet::Kind.bytes(&[document.kind.code()]));
        if document.has_attachment {
            out.add_bytes(self.facet, &Facet::Attachment.bytes(&[]));
        }
        let mut add = |facet: Facet, name: &str| {
            token::each_token(token::beginning(name, NAME_BYTES_MAX), |token| {
                out.add_bytes(self.facet, &facet.bytes(token.as_bytes()));
            });
        };
        let named = [
            (Facet::From, &document.from),
            (Facet::To, &document.to),
            (Facet::Tag, &document.tags),
        ];
        for (facet, names) in named {
            names.iter().take(NAMES_MAX).for_each(|name| add(facet, name));
        }
        add(Facet::Source, document.source);
    }
}
