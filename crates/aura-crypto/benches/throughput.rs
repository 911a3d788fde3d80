// SPDX-License-Identifier: MIT OR Apache-2.0
//! How fast sealing, opening and stretching are: `cargo bench -p aura-crypto`.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a program for people to read"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use aura_crypto::aead::{Context, Hedge, open, open_into, seal, seal_into};
use aura_crypto::entropy::Entropy;
use aura_crypto::kdf::{Argon2Params, stretch};
use aura_crypto::key::{HedgeKey, ObjectKey};
use aura_protocol::label::Label;

struct Counting(u64);

impl Entropy for Counting {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0 += 1;
        bytes.iter_mut().zip(self.0.to_be_bytes()).for_each(|(to, from)| *to = from);
    }
}

/// The best of several runs, as a machine with other work disturbs all but the best.
fn best(mut run: impl FnMut()) -> Duration {
    let begin = Instant::now();
    let mut best = Duration::MAX;
    for count in 0.. {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed());
        if count >= 5 && begin.elapsed() > Duration::from_millis(500) {
            break;
        }
    }
    best
}

fn main() {
    let mut entropy = Counting(0);
    let key = ObjectKey::generate(&mut entropy);
    let hedge_key = HedgeKey::generate(&mut entropy);
    let context = Context::new(Label::Chunk).bytes(&[1; 16]).uint(0);
    println!(
        "{:>10} {:>10} {:>10} {:>10} {:>10}  GB/s",
        "bytes", "seal", "known", "reused", "open"
    );
    for exponent in [14, 16, 20, 22, 24, 26] {
        let plain = vec![7u8; 1 << exponent];
        let sealed = seal(&key, &context, &mut Hedge::new(&hedge_key, &mut entropy), &plain);
        let rate = |time: Duration| plain.len() as f64 / time.as_secs_f64() / 1e9;
        let hashed = best(|| {
            let mut hedge = Hedge::new(&hedge_key, &mut entropy);
            black_box(seal(&key, &context, &mut hedge, &plain));
        });
        let known = best(|| {
            let mut hedge = Hedge::with_known(&hedge_key, &mut entropy, b"known");
            black_box(seal(&key, &context, &mut hedge, &plain));
        });
        let mut out = Vec::with_capacity(sealed.len());
        let reused = best(|| {
            let mut hedge = Hedge::with_known(&hedge_key, &mut entropy, b"known");
            out.clear();
            seal_into(&key, &context, &mut hedge, &plain, &mut out);
        });
        let opened = best(|| drop(black_box(open(&key, &context, &sealed).unwrap())));
        let opened_reused = best(|| {
            out.clear();
            open_into(&key, &context, &sealed, &mut out).unwrap();
        });
        println!(
            "{:>10} {:>10.2} {:>10.2} {:>10.2} {:>10.2} {:>10.2}",
            plain.len(),
            rate(hashed),
            rate(known),
            rate(reused),
            rate(opened),
            rate(opened_reused)
        );
    }
    for (name, params) in [("floor", Argon2Params::FLOOR), ("default", Argon2Params::DEFAULT)] {
        let start = Instant::now();
        stretch(b"password", &[0; 16], params).unwrap();
        println!("stretch {name}: {} ms", start.elapsed().as_millis());
    }
}
