// SPDX-License-Identifier: MIT OR Apache-2.0
//! How fast the local store appends, by size of entry; run by hand:
//! `cargo test --release -p aura-store --test throughput -- --ignored --nocapture`.

#![allow(clippy::cast_precision_loss, reason = "figures for people")]

mod workload;

use std::time::Instant;

use aura_protocol::store::LocalLog;
use aura_testkit::author::Author;
use aura_testkit::conformance::NOTES;
use aura_testkit::seed::Seed;
use tempfile::TempDir;
use workload::create;

#[test]
#[ignore = "only measures; asserts nothing about time"]
fn append() {
    for (size, per_commit, commits) in
        [(4096, 1, 1000), (4096, 64, 60), (262_144, 1, 400), (262_144, 8, 50), (4 << 20, 1, 30)]
    {
        let folder = TempDir::new().unwrap();
        let mut seed = Seed::new(1);
        let (mut author, genesis) = Author::founder(&mut seed);
        let store = create(folder.path(), author.vault());
        store.append(&[genesis], &author.head()).unwrap();
        let body = seed.bytes(size);
        let writes: Vec<_> = (0..commits)
            .map(|_| {
                let entries: Vec<_> =
                    (0..per_commit).map(|_| author.entry(NOTES, body.clone())).collect();
                (entries, author.head())
            })
            .collect();
        let start = Instant::now();
        for (entries, head) in &writes {
            store.append(entries, head).unwrap();
        }
        let seconds = start.elapsed().as_secs_f64();
        let megabytes = (size * per_commit * commits) as f64 / 1e6;
        let start = Instant::now();
        let (mut after, mut read) = (0, 0usize);
        let feed = author.feed(NOTES);
        while after < (per_commit * commits) as u64 {
            let entries = store.read(feed, after, usize::MAX).unwrap();
            after += entries.len() as u64;
            read += entries.iter().map(|entry| entry.body().len()).sum::<usize>();
        }
        let reading = start.elapsed().as_secs_f64();
        println!(
            "{per_commit} x {size} B: {:.0} commits/s, {:.1} MB/s; read {:.0} MB/s; file {:.2}x",
            commits as f64 / seconds,
            megabytes / seconds,
            read as f64 / 1e6 / reading,
            store.size_bytes().unwrap().0 as f64 / 1e6 / megabytes,
        );
    }
}
