// SPDX-License-Identifier: MIT OR Apache-2.0
//! Folders, zips and tars: what they show, and what they refuse and why.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod found;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

use aura_import::tree::{self, Tree, Weight};
use flate2::Compression;
use flate2::write::GzEncoder;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

fn content(tree: &dyn Tree, path: &str) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    tree.open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn paths(tree: &dyn Tree) -> Vec<&str> {
    tree.entries().iter().map(|entry| entry.path.as_str()).collect()
}

fn refused(tree: &dyn Tree) -> Vec<&str> {
    tree.refused().iter().map(|refusal| refusal.place.as_str()).collect()
}

fn zip(path: &Path, files: &[(&str, &[u8])], method: CompressionMethod) {
    let mut writer = ZipWriter::new(File::create(path).unwrap());
    for (name, bytes) in files {
        writer.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap();
}

/// One ustar block and the file's padded bytes.
fn tar_entry(name: &str, bytes: &[u8], flag: u8) -> Vec<u8> {
    let mut block = [0_u8; 512];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[124..135].copy_from_slice(format!("{:011o}", bytes.len()).as_bytes());
    block[136..147].copy_from_slice(format!("{:011o}", 86_400).as_bytes());
    block[148..156].copy_from_slice(b"        ");
    block[156] = flag;
    block[257..263].copy_from_slice(b"ustar\0");
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..154].copy_from_slice(format!("{sum:06o}").as_bytes());
    block[154] = 0;
    let mut entry = block.to_vec();
    entry.extend_from_slice(bytes);
    entry.resize(entry.len().next_multiple_of(512), 0);
    entry
}

fn gzip(path: &Path, bytes: &[u8]) {
    let mut writer = GzEncoder::new(File::create(path).unwrap(), Compression::best());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap();
}

/// Attack IMP-02.
#[test]
fn a_folder_is_listed_sorted_and_links_are_not_followed() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir_all(home.path().join("b/c")).unwrap();
    fs::write(home.path().join("b/c/two.txt"), "2").unwrap();
    fs::write(home.path().join("a.txt"), "1").unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("/etc/passwd", home.path().join("link")).unwrap();
        std::os::unix::fs::symlink(home.path(), home.path().join("circle")).unwrap();
    }
    let tree = tree::open(home.path()).unwrap();
    assert_eq!(paths(tree.as_ref()), ["a.txt", "b/c/two.txt"]);
    assert_eq!(content(tree.as_ref(), "b/c/two.txt").unwrap(), b"2");
    assert!(tree.entries()[0].modified_ms.is_some());
    assert!(tree.open("../a.txt").is_err() && tree.open("link").is_err());
    #[cfg(unix)]
    {
        assert_eq!(refused(tree.as_ref()), ["circle", "link"]);
        assert!(tree.refused().iter().all(|refusal| refusal.weight == Weight::Skipped));
    }
}

/// Attack IMP-01.
#[test]
fn a_zip_gives_what_was_put_in_and_refuses_names_that_lead_out() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("x.zip");
    let large = b"0123456789".repeat(200_000);
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        let files: &[(&str, &[u8])] = &[
            ("b/two.txt", &large),
            ("a.txt", b"one"),
            ("../out.txt", b"no"),
            ("/root.txt", b"no"),
            ("c:/drive.txt", b"no"),
            ("back\\slash.txt", b"no"),
            ("empty", b""),
        ];
        zip(&path, files, method);
        let tree = tree::open(&path).unwrap();
        assert_eq!(paths(tree.as_ref()), ["a.txt", "b/two.txt", "empty"]);
        assert_eq!(content(tree.as_ref(), "a.txt").unwrap(), b"one");
        assert_eq!(content(tree.as_ref(), "b/two.txt").unwrap(), large);
        assert_eq!(content(tree.as_ref(), "empty").unwrap(), b"");
        assert_eq!(tree.refused().len(), 4, "{:?}", tree.refused());
        assert!(tree.refused().iter().all(|refusal| refusal.weight == Weight::Failed));
    }
}

/// Attack IMP-03.
#[test]
fn a_zip_that_lies_about_sizes_or_bytes_is_found_out() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("x.zip");
    zip(&path, &[("a.txt", &b"abcdefgh".repeat(100))], CompressionMethod::Stored);
    let whole = fs::read(&path).unwrap();
    let at = whole.windows(8).position(|window| window == b"abcdefgh").unwrap();
    let mut changed = whole.clone();
    changed[at] = b'X';
    fs::write(&path, &changed).unwrap();
    let tree = tree::open(&path).unwrap();
    assert!(content(tree.as_ref(), "a.txt").is_err(), "the checksum is looked at");
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(tree::open(&path).is_err());
}

/// Attack IMP-03.
#[test]
fn archives_that_expand_without_measure_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let zeros = vec![0_u8; 80 << 20];
    let path = home.path().join("bomb.zip");
    zip(&path, &[("bomb", &zeros), ("good.txt", b"good")], CompressionMethod::Deflated);
    let tree = tree::open(&path).unwrap();
    assert_eq!(paths(tree.as_ref()), ["good.txt"]);
    assert_eq!(refused(tree.as_ref()), ["bomb"]);

    let path = home.path().join("bomb.tgz");
    let mut tar = tar_entry("good.txt", b"good", b'0');
    tar.extend(tar_entry("bomb", &zeros, b'0'));
    gzip(&path, &tar);
    let tree = tree::open(&path).unwrap();
    assert_eq!(refused(tree.as_ref()), ["bomb.tgz"]);
    assert_eq!(paths(tree.as_ref()), ["good.txt"], "what is not read is not listed");
    assert_eq!(content(tree.as_ref(), "good.txt").unwrap(), b"good");
}

#[test]
fn tars_plain_and_packed() {
    let home = tempfile::tempdir().unwrap();
    let long = format!("{}/long.txt", "d".repeat(120));
    let mut tar = tar_entry("./b.txt", b"bee", b'0');
    tar.extend(tar_entry("folder/", b"", b'5'));
    tar.extend(tar_entry("link", b"", b'2'));
    tar.extend(tar_entry("../out", b"no", b'0'));
    tar.extend(tar_entry("././@LongLink", format!("{long}\0").as_bytes(), b'L'));
    tar.extend(tar_entry("cut", b"long", b'0'));
    tar.extend(tar_entry("pax", b"17 path=p\xC3\xA4x.txt\n", b'x'));
    tar.extend(tar_entry("p", b"pax", b'0'));
    tar.extend(tar_entry("a.txt", &b"a".repeat(1000), b'0'));
    tar.extend(tar_entry("b.txt", b"later", b'0'));
    tar.extend([0; 1024]);
    let plain = home.path().join("x.tar");
    fs::write(&plain, &tar).unwrap();
    let packed = home.path().join("x.tgz");
    gzip(&packed, &tar);
    for path in [&plain, &packed] {
        let tree = tree::open(path).unwrap();
        assert_eq!(paths(tree.as_ref()), ["a.txt", "b.txt", long.as_str(), "päx.txt"]);
        assert_eq!(content(tree.as_ref(), "b.txt").unwrap(), b"later");
        assert_eq!(content(tree.as_ref(), "a.txt").unwrap(), b"a".repeat(1000));
        assert_eq!(content(tree.as_ref(), &long).unwrap(), b"long");
        assert_eq!(content(tree.as_ref(), "päx.txt").unwrap(), b"pax");
        assert_eq!(tree.entries()[0].modified_ms, Some(86_400_000));
        let label = tree.label();
        assert_eq!(refused(tree.as_ref()), ["link", "../out", label]);
    }
    fs::write(&plain, &tar[..tar.len() - 2000]).unwrap();
    assert_eq!(refused(tree::open(&plain).unwrap().as_ref()).last(), Some(&"x.tar"));
    let whole = fs::read(&packed).unwrap();
    fs::write(&packed, &whole[..whole.len() - 20]).unwrap();
    let tree = tree::open(&packed).unwrap();
    assert!(tree.refused().iter().any(|refusal| refusal.reason.contains("cut off")));
}

#[test]
fn a_tar_that_lies_about_sizes_lists_no_more_than_there_is() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("x.tar");
    let mut tar = tar_entry("a.txt", b"whole", b'0');
    let mut lie = tar_entry("b.txt", b"what there is", b'0');
    // The largest number that a header can hold, and its sum.
    lie[124..136].copy_from_slice(b"\x80\0\0\0\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF");
    lie[148..156].copy_from_slice(b"        ");
    let sum: u32 = lie[..512].iter().map(|&byte| u32::from(byte)).sum();
    lie[148..154].copy_from_slice(format!("{sum:06o}").as_bytes());
    lie[154] = 0;
    tar.extend(lie);
    fs::write(&path, &tar).unwrap();
    let tree = tree::open(&path).unwrap();
    assert_eq!(paths(tree.as_ref()), ["a.txt", "b.txt"]);
    assert!(tree.entries()[1].size <= tar.len() as u64, "{:?}", tree.entries());
    assert_eq!(refused(tree.as_ref()), ["x.tar"]);
    assert_eq!(content(tree.as_ref(), "a.txt").unwrap(), b"whole");
    let mut read = Vec::new();
    assert!(tree.open("b.txt").unwrap().read_to_end(&mut read).is_err(), "the cut is found");
    assert!(read.starts_with(b"what there is"));
}

#[test]
fn a_large_tgz_is_read_in_any_order() {
    let home = tempfile::tempdir().unwrap();
    let mut tar = Vec::new();
    let mut noise = 1_u32;
    let mut body = |seed: u8| -> Vec<u8> {
        let step = |_| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise >> 24) as u8 ^ seed
        };
        (0..12 << 20).map(step).collect()
    };
    let bodies: Vec<Vec<u8>> = (0..7).map(&mut body).collect();
    for (index, body) in bodies.iter().enumerate() {
        tar.extend(tar_entry(&format!("{}.bin", 9 - index), body, b'0'));
    }
    let path = home.path().join("x.tgz");
    let mut writer = GzEncoder::new(File::create(&path).unwrap(), Compression::none());
    writer.write_all(&tar).unwrap();
    writer.finish().unwrap();
    let tree = tree::open(&path).unwrap();
    assert_eq!(tree.entries().len(), 7);
    for (index, body) in bodies.iter().enumerate().rev() {
        assert!(content(tree.as_ref(), &format!("{}.bin", 9 - index)).unwrap() == *body);
    }
    // Two at a time, one given up half way.
    let mut half = tree.open("5.bin").unwrap();
    half.read_exact(&mut [0; 1000]).unwrap();
    assert!(content(tree.as_ref(), "9.bin").unwrap() == bodies[0]);
    drop(half);
    assert!(content(tree.as_ref(), "5.bin").unwrap() == bodies[4]);
}

#[test]
fn what_is_refused_is_told_when_it_is_read() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("x.zip");
    zip(&path, &[("note.md", b"# Hi"), ("../out.md", b"no")], CompressionMethod::Deflated);
    let found = found::Found::at(&path);
    assert_eq!(found.drafts.len(), 1);
    assert_eq!(found.failed.len(), 1);
    assert!(found.failed[0].1.contains("leads out of the archive"));
}
