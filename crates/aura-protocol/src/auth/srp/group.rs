// SPDX-License-Identifier: MIT OR Apache-2.0
//! What SRP-6a computes, in a group of numbers modulo a safe prime. Exponents take the same time whatever they are.
//! Source: RFC 5054, sections 2.5 and 2.6, appendix A.

use std::sync::LazyLock;

use crypto_bigint::modular::runtime_mod::{DynResidue, DynResidueParams};
use crypto_bigint::{NonZero, U256, U512, Uint, Word};
use zeroize::Zeroizing;

/// Words of 64 bits in a number of the 3,072-bit group.
pub(super) const LIMBS: usize = 3072 / Word::BITS as usize;
/// The prime of the 3,072-bit group, which is that of RFC 3526, group 15. Its generator is 5.
const PRIME: &str = "\
    FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74\
    020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437\
    4FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED\
    EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF05\
    98DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB\
    9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B\
    E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF695581718\
    3995497CEA956AE515D2261898FA051015728E5A8AAAC42DAD33170D04507A33\
    A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7\
    ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864\
    D87602733EC86A64521F2B18177B200CBBE117577A615D6C770988C0BAD946E2\
    08E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF";

/// The 3,072-bit group.
pub(super) static GROUP: LazyLock<Group<LIMBS>> =
    LazyLock::new(|| Group::new(Uint::from_be_hex(PRIME), 5));

/// A number that is not 0, below the prime.
pub(super) type Element<const L: usize> = DynResidue<L>;

/// A group of numbers modulo a safe prime.
pub(super) struct Group<const L: usize> {
    prime: Uint<L>,
    params: DynResidueParams<L>,
    generator: Element<L>,
}

impl<const L: usize> Group<L> {
    /// The group of this odd prime and generator.
    fn new(prime: Uint<L>, generator: u64) -> Self {
        let params = DynResidueParams::new(&prime);
        let generator = DynResidue::new(&Uint::from_u64(generator), params);
        Self { prime, params, generator }
    }

    /// The number in these bytes, of which there are as many as the prime has: nothing if it is 0 or not below the prime.
    pub(super) fn parse(&self, bytes: &[u8]) -> Option<Element<L>> {
        let number = (bytes.len() == Uint::<L>::BYTES).then(|| Uint::from_be_slice(bytes))?;
        (number != Uint::ZERO && number < self.prime).then(|| DynResidue::new(&number, self.params))
    }

    /// A hash as a number of the group.
    fn number(&self, hash: &U256) -> Element<L> {
        let mut bytes = vec![0; Uint::<L>::BYTES];
        for (to, word) in bytes.rchunks_mut(size_of::<Word>()).zip(hash.as_words()) {
            to.copy_from_slice(&word.to_be_bytes());
        }
        let reduced = match Option::<NonZero<Uint<L>>>::from(NonZero::new(self.prime)) {
            Some(prime) => Uint::from_be_slice(&bytes).rem(&prime),
            None => Uint::ZERO,
        };
        DynResidue::new(&reduced, self.params)
    }

    /// The prime, big-endian.
    pub(super) fn prime_bytes(&self) -> Vec<u8> {
        bytes(&self.prime)
    }

    /// The generator, as long as the prime.
    pub(super) fn generator_bytes(&self) -> Vec<u8> {
        bytes(&self.generator.retrieve())
    }

    /// v = g^x
    pub(super) fn verifier(&self, x: &U512) -> Element<L> {
        self.generator.pow(x)
    }

    /// A = g^a
    pub(super) fn client_public(&self, a: &U256) -> Element<L> {
        self.generator.pow(a)
    }

    /// B = k·v + g^b
    pub(super) fn server_public(&self, (k, v): (&U256, &Element<L>), b: &U256) -> Element<L> {
        self.number(k).mul(v).add(&self.generator.pow(b))
    }

    /// S = (B − k·g^x)^(a + u·x)
    pub(super) fn client_secret(
        &self,
        (k, u): (&U256, &U256),
        (a, x): (&U256, &U512),
        server: &Element<L>,
    ) -> Zeroizing<Vec<u8>> {
        let base = server.sub(&self.number(k).mul(&self.generator.pow(x)));
        let secret = base.pow(a).mul(&base.pow(x).pow(u));
        Zeroizing::new(bytes(&secret.retrieve()))
    }
}

/// S = (A·v^u)^b
pub(super) fn server_secret<const L: usize>(
    (u, b): (&U256, &U256),
    (client, v): (&Element<L>, &Element<L>),
) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(bytes(&client.mul(&v.pow(u)).pow(b).retrieve()))
}

/// A number's bytes, big-endian, as many as its words have.
pub(super) fn bytes<const L: usize>(number: &Uint<L>) -> Vec<u8> {
    number.as_words().iter().rev().flat_map(|word| word.to_be_bytes()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

    use sha1::{Digest, Sha1};

    use super::*;

    const N: &str = "\
         EEAF0AB9ADB38DD69C33F80AFA8FC5E86072618775FF3C0B9EA2314C9C256576\
         D674DF7496EA81D3383B4813D692C6E0E0D5D8E250B98BE48E495C1D6089DAD1\
         5DC7D7B46154D6B6CE8EF4AD69B15D4982559B297BCF1885C529F566660E57EC\
         68EDBC3C05726CC02FD4CBF4976EAA9AFD5138FE8376435B9FC61D2FC0EB06E3";
    const X: &str = "94B7555AABE9127CC58CCF4993DB6CF84D16C124";
    const VERIFIER: &str = "\
         7E273DE8696FFC4F4E337D05B4B375BEB0DDE1569E8FA00A9886D8129BADA1F1\
         822223CA1A605B530E379BA4729FDC59F105B4787E5186F5C671085A1447B52A\
         48CF1970B4FB6F8400BBF4CEBFBB168152E08AB5EA53D15C1AFF87B2B9DA6E04\
         E058AD51CC72BFC9033B564E26480D78E955A5E29E7AB245DB2BE315E2099AFB";
    const CLIENT_SECRET: &str = "60975527035CF2AD1989806F0407210BC81EDC04E2762A56AFD529DDDA2D4393";
    const SERVER_SECRET: &str = "E487CB59D31AC550471E81F00F6928E01DDA08E974A004F49E61F5D105284D20";
    const CLIENT_PUBLIC: &str = "\
         61D5E490F6F1B79547B0704C436F523DD0E560F0C64115BB72557EC44352E890\
         3211C04692272D8B2D1A5358A2CF1B6E0BFCF99F921530EC8E39356179EAE45E\
         42BA92AEACED825171E1E8B9AF6D9C03E1327F44BE087EF06530E69F66615261\
         EEF54073CA11CF5858F0EDFDFE15EFEAB349EF5D76988A3672FAC47B0769447B";
    const SERVER_PUBLIC: &str = "\
         BD0C61512C692C0CB6D041FA01BB152D4916A1E77AF46AE105393011BAF38964\
         DC46A0670DD125B95A981652236F99D9B681CBF87837EC996C6DA04453728610\
         D0C6DDB58B318885D7D82C7F8DEB75CE7BD4FBAA37089E6F9C6059F388838E7A\
         00030B331EB76840910440B1B27AAEAEEB4012B7D7665238A8E3FB004B117B58";
    const PREMASTER: &str = "\
         B0DC82BABCF30674AE450C0287745E7990A3381F63B387AAF271A10D233861E3\
         59B48220F7C4693C9AE12B0A6F67809F0876E2D013800D6C41BB59B6D5979B5C\
         00A172B4A2A5903A0BDCAF8A709585EB2AFAFA8F3499B200210DCC1F10EB3394\
         3CD67FC88A2F39A4BE5BEC4EC0A3212DC346D7E474B29EDE8A469FFECA686E5A";

    fn small<const L: usize>(hex: &str) -> Uint<L> {
        Uint::from_be_hex(&format!("{hex:0>width$}", width = Uint::<L>::BYTES * 2))
    }

    fn sha1(parts: &[&[u8]]) -> U256 {
        let mut hash = Sha1::new();
        parts.iter().for_each(|part| hash.update(part));
        let hash: [u8; 20] = hash.finalize().into();
        U256::from_be_slice(&[&[0; 12][..], &hash].concat())
    }

    /// RFC 5054, appendix B: the group of 1,024 bits, with SHA-1.
    #[test]
    fn rfc_5054_numbers() {
        const WORDS: usize = 1024 / Word::BITS as usize;
        let group: Group<WORDS> = Group::new(Uint::from_be_hex(N), 2);
        let salt = small::<WORDS>("beb25379d1a8581eb5a727673a2441ee");
        let salt = &bytes(&salt)[112..];
        let inner = Sha1::digest(b"alice:password123");
        assert_eq!(sha1(&[salt, &inner]), small(X));
        let k = sha1(&[&group.prime_bytes(), &group.generator_bytes()]);
        assert_eq!(k, small("7556AA045AEF2CDD07ABAF0F665C3E818913186F"));
        let (a, b, x) = (small(CLIENT_SECRET), small(SERVER_SECRET), small(X));
        let v = group.verifier(&x);
        assert_eq!(v.retrieve(), small(VERIFIER));
        let client = group.client_public(&a);
        assert_eq!(client.retrieve(), small(CLIENT_PUBLIC));
        let server = group.server_public((&k, &v), &b);
        assert_eq!(server.retrieve(), small(SERVER_PUBLIC));
        let u = sha1(&[&bytes(&client.retrieve()), &bytes(&server.retrieve())]);
        assert_eq!(u, small("CE38B9593487DA98554ED47D70A7AE5F462EF019"));
        let secret = bytes(&small::<WORDS>(PREMASTER));
        assert_eq!(*group.client_secret((&k, &u), (&a, &x), &server), secret);
        assert_eq!(*server_secret((&u, &b), (&client, &v)), secret);
    }

    /// The 3,072-bit group: its prime is the one of RFC 3526, 2^3072 − 2^3008 − 1 + 2^64·(⌊2^2942·π⌋ + 1690314).
    #[test]
    fn the_group_is_the_usual_one() {
        let prime = GROUP.prime_bytes();
        assert_eq!(prime.len(), 384);
        assert!(prime.starts_with(&[0xff; 8]) && prime.ends_with(&[0xff; 8]));
        // Fermat: 2 and 5 are no witnesses against it, nor against its half, since 5 is no square.
        for base in [2, 5] {
            let base = DynResidue::new(&Uint::from_u64(base), GROUP.params);
            assert_eq!(base.pow(&GROUP.prime).retrieve(), base.retrieve());
        }
        assert_eq!(GROUP.generator.retrieve(), Uint::from_u64(5));
    }

    #[test]
    fn what_is_no_number_of_the_group_is_refused() {
        let prime = GROUP.prime_bytes();
        let above = bytes(&GROUP.prime.wrapping_add(&Uint::ONE));
        for none in [&[][..], &[1], &[0; 384], &prime, &above, &[0xff; 384], &prime[1..]] {
            assert!(GROUP.parse(none).is_none(), "{none:?}");
        }
        let below = bytes(&GROUP.prime.wrapping_sub(&Uint::ONE));
        assert!(GROUP.parse(&below).is_some());
    }
}
