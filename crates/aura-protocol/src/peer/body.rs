// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bodies of questions and answers between devices; those that a server has as well are its own.
//! Source: spec/peer.md, rules PEE-5 to PEE-8.

use super::frame::Kind;
use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::head::Position;
use crate::http::{HasAsk, HeadsAsk, Problem, ProblemKind, Push, Read};
use crate::id::{ChunkName, CollectionId, DeviceId, FeedId, Incarnation};
use crate::limits::CHUNK_BYTES_MAX;

/// A question.
#[derive(Debug, Clone)]
pub enum Ask {
    /// Heads beside those known.
    Heads(HeadsAsk),
    /// To take a head and entries.
    Push(Push),
    /// Entries of a feed.
    Read(Read),
    /// Which chunks are there.
    Has(HasAsk),
    /// A chunk.
    Chunk(ChunkAsk),
    /// To take a chunk.
    Put(PutAsk),
    /// One head by its place.
    Head(HeadAsk),
    /// Heads beside those known, as soon as there are some.
    Watch(WatchAsk),
}

impl Ask {
    /// The question of this kind that these bytes, all of them, are the body of.
    ///
    /// # Errors
    /// When they are not what an encoder would have written, or more than such a question may have.
    pub fn parse(kind: Kind, body: &[u8]) -> Result<Self, CodecError> {
        fn read<T: Decode>(kind: Kind, body: &[u8]) -> Result<T, CodecError> {
            T::from_bytes(body, kind.ask_bytes_max())
        }
        Ok(match kind {
            Kind::Heads => Self::Heads(read(kind, body)?),
            Kind::Push => Self::Push(read(kind, body)?),
            Kind::Read => Self::Read(read(kind, body)?),
            Kind::Has => Self::Has(read(kind, body)?),
            Kind::Chunk => Self::Chunk(read(kind, body)?),
            Kind::Put => Self::Put(read(kind, body)?),
            Kind::Head => Self::Head(read(kind, body)?),
            Kind::Watch => Self::Watch(read(kind, body)?),
        })
    }
}

/// Asks for a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkAsk {
    /// Its name.
    pub name: ChunkName,
}

impl Encode for ChunkAsk {
    fn encode(&self, writer: &mut Writer) {
        writer.array(1).bytes(&self.name.0);
    }
}

impl Decode for ChunkAsk {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.tuple(1, |r| Ok(Self { name: ChunkName(r.bytes_exact()?) }))
    }
}

/// A chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkAnswer {
    /// Its sealed bytes.
    pub sealed: Vec<u8>,
}

impl Encode for ChunkAnswer {
    fn encode(&self, writer: &mut Writer) {
        writer.array(1).bytes(&self.sealed);
    }
}

impl Decode for ChunkAnswer {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.tuple(1, |r| Ok(Self { sealed: sealed(r)? }))
    }
}

/// Gives a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutAsk {
    /// Its name.
    pub name: ChunkName,
    /// Its sealed bytes.
    pub sealed: Vec<u8>,
}

impl PutAsk {
    /// The body's bytes, of a chunk that is somebody else's.
    pub fn bytes_of(name: ChunkName, sealed: &[u8]) -> Vec<u8> {
        let mut writer = Writer::with_capacity(sealed.len().saturating_add(32));
        writer.array(2).bytes(&name.0).bytes(sealed);
        writer.into_bytes()
    }
}

impl Encode for PutAsk {
    fn encode(&self, writer: &mut Writer) {
        writer.array(2).bytes(&self.name.0).bytes(&self.sealed);
    }
}

impl Decode for PutAsk {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.tuple(2, |r| Ok(Self { name: ChunkName(r.bytes_exact()?), sealed: sealed(r)? }))
    }
}

fn sealed(reader: &mut Reader<'_>) -> Result<Vec<u8>, CodecError> {
    let bytes = reader.bytes()?;
    if bytes.len() > CHUNK_BYTES_MAX { Err(CodecError::Bounds) } else { Ok(bytes.to_vec()) }
}

/// Asks for a head by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadAsk {
    /// Whose.
    pub device: DeviceId,
    /// In which life.
    pub incarnation: Incarnation,
    /// Its number and hash.
    pub at: Position,
}

impl Encode for HeadAsk {
    fn encode(&self, writer: &mut Writer) {
        writer.array(4).bytes(&self.device.0).bytes(&self.incarnation.0);
        self.at.encode_into(writer);
    }
}

impl Decode for HeadAsk {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.tuple(4, |r| {
            let (device, incarnation) = (DeviceId(r.bytes_exact()?), Incarnation(r.bytes_exact()?));
            Ok(Self { device, incarnation, at: Position::decode_from(r)? })
        })
    }
}

/// Asks to be told of heads beside those known.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchAsk {
    /// Those known.
    pub heads: HeadsAsk,
    /// For how long at most, in milliseconds.
    pub wait_ms: u64,
}

impl Encode for WatchAsk {
    fn encode(&self, writer: &mut Writer) {
        writer.array(2);
        self.heads.encode(writer);
        writer.uint(self.wait_ms);
    }
}

impl Decode for WatchAsk {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.tuple(2, |r| Ok(Self { heads: HeadsAsk::decode(r)?, wait_ms: r.uint()? }))
    }
}

/// Nothing more to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done;

impl Encode for Done {
    fn encode(&self, writer: &mut Writer) {
        writer.array(0);
    }
}

impl Decode for Done {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.tuple(0, |_| Ok(Self))
    }
}

/// Why something was not done: a server's problem, in CBOR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(pub Problem);

impl Encode for Refusal {
    fn encode(&self, writer: &mut Writer) {
        let Problem { kind, place, .. } = &self.0;
        writer.array(2).text(kind.code());
        match place {
            None => {
                writer.null();
            }
            Some((feed, number)) => {
                let FeedId { collection, device, incarnation } = feed;
                writer.array(4).bytes(&collection.0).bytes(&device.0).bytes(&incarnation.0);
                writer.uint(*number);
            }
        }
    }
}

impl Decode for Refusal {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        reader.tuple(2, |r| {
            let code = r.text()?;
            // A later version may have others: what it was is then not known, that it was not done is.
            let known = ProblemKind::ALL.iter().find(|kind| kind.code() == code);
            let mut problem = Problem::new(known.copied().unwrap_or(ProblemKind::Internal));
            if !r.null() {
                problem.place = Some(r.tuple(4, |r| {
                    let feed = FeedId {
                        collection: CollectionId(r.bytes_exact()?),
                        device: DeviceId(r.bytes_exact()?),
                        incarnation: Incarnation(r.bytes_exact()?),
                    };
                    Ok((feed, r.uint()?))
                })?);
            }
            Ok(Self(problem))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Hash;

    fn comes_back<T: Encode + Decode + PartialEq + core::fmt::Debug>(value: &T) {
        let bytes = value.to_bytes();
        assert_eq!(&T::from_bytes(&bytes, bytes.len()).unwrap(), value);
        for end in 0..bytes.len() {
            assert!(T::from_bytes(&bytes[..end], bytes.len()).is_err(), "{end}");
        }
        let more = [&bytes[..], &[0]].concat();
        assert_eq!(T::from_bytes(&more, more.len()), Err(CodecError::Trailing));
    }

    /// PEE-5 to PEE-8: what is written is read, and nothing shorter or longer.
    #[test]
    fn pee_5_bodies_come_back() {
        let (device, incarnation) = (DeviceId([2; 16]), Incarnation([3; 8]));
        let at = Position { number: 7, hash: Hash([4; 32]) };
        let name = ChunkName([5; 16]);
        comes_back(&ChunkAsk { name });
        comes_back(&ChunkAnswer { sealed: vec![1; 300] });
        comes_back(&PutAsk { name, sealed: vec![1; 300] });
        assert_eq!(PutAsk::bytes_of(name, &[9; 3]), PutAsk { name, sealed: vec![9; 3] }.to_bytes());
        comes_back(&HeadAsk { device, incarnation, at });
        let heads = HeadsAsk { known: vec![(device, incarnation, at)] };
        comes_back(&WatchAsk { heads, wait_ms: 9 });
        comes_back(&Done);
        let feed = FeedId { collection: CollectionId([1; 16]), device, incarnation };
        for kind in ProblemKind::ALL {
            comes_back(&Refusal(Problem::new(*kind)));
            let place = Some((feed, 8));
            comes_back(&Refusal(Problem { place, ..Problem::new(*kind) }));
        }
    }

    /// PEE-6: one of a later version is still a refusal.
    #[test]
    fn pee_6_an_unknown_refusal_is_one() {
        let mut writer = Writer::new();
        writer.array(2).text("newer").null();
        let bytes = writer.into_bytes();
        let refusal = Refusal::from_bytes(&bytes, bytes.len()).unwrap();
        assert_eq!(refusal.0.kind, ProblemKind::Internal);
    }

    /// PEE-5: a chunk is no larger than one is, and a body no larger than its kind's.
    #[test]
    fn pee_5_lengths_are_bounded() {
        let large = ChunkAnswer { sealed: vec![0; CHUNK_BYTES_MAX + 1] }.to_bytes();
        assert_eq!(ChunkAnswer::from_bytes(&large, large.len()), Err(CodecError::Bounds));
        for kind in Kind::ALL {
            let body = vec![0; kind.ask_bytes_max() + 1];
            assert!(matches!(Ask::parse(*kind, &body), Err(CodecError::Bounds)), "{kind:?}");
            assert!(Ask::parse(*kind, &[]).is_err());
        }
    }
}
