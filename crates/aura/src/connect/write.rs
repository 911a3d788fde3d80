// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files of other programs: read whole, kept beside as they were, and replaced whole or not at all.
//!
//! A symbolic link is followed and stays. A file of somebody else's is left alone, and so is one that has changed since
//! it was shown.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use crate::exit::{Exit, Failure, plain};

/// No configuration is larger.
const BYTES_MAX: u64 = 64 << 20;
/// What is added to the name of a file to name it as it was.
const BEFORE: &str = "before-aura";
/// So many are kept apart; then somebody has to look.
const BACKUPS_MAX: usize = 999;

/// A file as it was read.
#[derive(Debug)]
pub(crate) struct Held {
    /// Where it is, links followed.
    path: PathBuf,
    /// What is in it, and its mode; `None` if there is no such file.
    content: Option<(String, u32)>,
}

impl Held {
    /// Reads a file that may not be there.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        if let Err(error) = fs::symlink_metadata(path)
            && error.kind() == io::ErrorKind::NotFound
        {
            return Ok(Self { path: path.to_owned(), content: None });
        }
        let unread = |error: &io::Error| refused(&format!("could not be read: {}", plain(error)));
        let target = fs::canonicalize(path).map_err(|error| unread(&error))?;
        let found = fs::metadata(&target).map_err(|error| unread(&error))?;
        if !found.is_file() {
            return Err(refused("is no file"));
        }
        if found.uid() != rustix::process::geteuid().as_raw() {
            return Err(refused("belongs to somebody else"));
        }
        if found.len() > BYTES_MAX {
            return Err(refused("is too large to be one"));
        }
        let mut bytes = Vec::new();
        let file = File::open(&target).map_err(|error| unread(&error))?;
        file.take(BYTES_MAX).read_to_end(&mut bytes).map_err(|error| unread(&error))?;
        let text = String::from_utf8(bytes).map_err(|_| refused("is not UTF-8"))?;
        Ok(Self { path: target, content: Some((text, found.mode() & 0o7777)) })
    }

    /// What is in it.
    pub(crate) fn text(&self) -> Option<&str> {
        self.content.as_ref().map(|(text, _)| text.as_str())
    }

    /// Writes another text in its place, or removes it, and returns where it is kept as it was, if it was there.
    pub(crate) fn replace(&self, text: Option<&str>) -> Result<Option<PathBuf>, Failure> {
        self.is_still()?;
        let failed = |error: io::Error| {
            refused(&format!("could not be written: {}", plain(&error))).next(
                "Check who may write to its folder, and whether there is space, and run it again.",
            )
        };
        let backup = self.back_up().map_err(failed)?;
        let fresh = text.map(|text| self.write(text)).transpose().map_err(failed)?;
        self.place(fresh.as_deref(), failed)?;
        // From here on it is written, whatever the folder says of itself.
        if let Some(Ok(folder)) = self.path.parent().map(File::open) {
            folder.sync_all().ok();
        }
        Ok(backup)
    }

    /// Puts a whole file in its place, or nothing. What cannot take its place is not left.
    fn place(
        &self,
        fresh: Option<&Path>,
        failed: impl Fn(io::Error) -> Failure,
    ) -> Result<(), Failure> {
        // Writing to the disk took its time: a client that is running may have written as well.
        let placed = self.is_still().and_then(|()| {
            let placed = match fresh {
                Some(fresh) => fs::rename(fresh, &self.path),
                None => fs::remove_file(&self.path),
            };
            placed.map_err(failed)
        });
        if let (Err(_), Some(fresh)) = (&placed, fresh) {
            fs::remove_file(fresh).ok();
        }
        placed
    }

    /// That it says what it said when it was shown.
    fn is_still(&self) -> Result<(), Failure> {
        if Self::read(&self.path)?.text() == self.text() {
            return Ok(());
        }
        Err(refused("has changed meanwhile").next("Run it again: it shows what is there now."))
    }

    /// What the file was before, the newest first, with what it said.
    pub(crate) fn backups(&self) -> Vec<String> {
        let kept = (1..=BACKUPS_MAX).map_while(|number| {
            let held = Self::read(&self.backup(number)).ok()?;
            held.content
        });
        let mut kept: Vec<_> = kept.map(|(text, _)| text).collect();
        kept.reverse();
        kept
    }

    fn backup(&self, number: usize) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{BEFORE}"));
        if number > 1 {
            name.push(format!("-{number}"));
        }
        self.path.with_file_name(name)
    }

    /// Under the first name that is free; if the newest says the same, there is no need.
    fn back_up(&self) -> io::Result<Option<PathBuf>> {
        let Some((text, mode)) = &self.content else { return Ok(None) };
        for number in 1..=BACKUPS_MAX {
            let path = self.backup(number);
            if fs::symlink_metadata(&path).is_ok() {
                let is_newest =
                    fs::symlink_metadata(self.backup(number.saturating_add(1))).is_err();
                if is_newest && Self::read(&path).is_ok_and(|kept| kept.text() == Some(text)) {
                    return Ok(Some(path));
                }
                continue;
            }
            // It stays when the file is long another one: nobody else reads it, whoever may read that.
            create(&path, text, *mode & 0o700)?;
            return Ok(Some(path));
        }
        Err(io::Error::other("there are too many backups beside it"))
    }

    /// A whole file under another name, which can take its place.
    fn write(&self, text: &str) -> io::Result<PathBuf> {
        let folder = self.path.parent().ok_or(io::ErrorKind::NotFound)?;
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let random: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let fresh = folder.join(format!(".aura-{random}"));
        let mode = self.content.as_ref().map_or(0o600, |(_, mode)| *mode);
        create(&fresh, text, mode)?;
        Ok(fresh)
    }
}

/// A new file with this mode, on the disk when this returns. What is unfinished is not left there.
fn create(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.set_permissions(Permissions::from_mode(mode)))
        .and_then(|()| file.sync_all());
    if written.is_err() {
        fs::remove_file(path).ok();
    }
    written
}

fn refused(why: &str) -> Failure {
    Failure::new(Exit::Failed, format!("The client's configuration {why}."))
        .safe("It was not changed.")
        .next("Put the entry in by hand: aura connect NAME --print shows it.")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is a failed test")]

    use std::os::unix::fs::symlink;

    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().mode() & 0o7777
    }

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn a_file_is_replaced_whole_and_kept_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.json");
        fs::write(&file, "one").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        let backup = Held::read(&file).unwrap().replace(Some("two")).unwrap().unwrap();
        assert_eq!(backup, folder.path().join("settings.json.before-aura"));
        assert_eq!(fs::read_to_string(&file).unwrap(), "two");
        assert_eq!(fs::read_to_string(&backup).unwrap(), "one");
        assert_eq!([mode(&file), mode(&backup)], [0o640, 0o600]);
        // An older backup is never written over, and what is there already is not kept twice.
        let held = Held::read(&file).unwrap();
        assert!(
            held.replace(Some("three")).unwrap().unwrap().ends_with("settings.json.before-aura-2")
        );
        fs::write(&file, "two").unwrap();
        let held = Held::read(&file).unwrap();
        assert!(
            held.replace(Some("four")).unwrap().unwrap().ends_with("settings.json.before-aura-2")
        );
        assert_eq!(held.backups(), ["two", "one"]);
        // The newest is the last one before a change, also if an older one says the same.
        fs::write(&file, "one").unwrap();
        let held = Held::read(&file).unwrap();
        assert!(
            held.replace(Some("five")).unwrap().unwrap().ends_with("settings.json.before-aura-3")
        );
        // Nothing else is left beside it.
        assert_eq!(
            names(folder.path()),
            [
                "settings.json",
                "settings.json.before-aura",
                "settings.json.before-aura-2",
                "settings.json.before-aura-3",
            ]
        );
        assert!(Held::read(&file).unwrap().replace(None).unwrap().is_some());
        assert!(!file.exists());
    }

    #[test]
    fn a_new_file_is_this_users_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings").join("mcp.json");
        let held = Held::read(&file).unwrap();
        assert_eq!(held.text(), None);
        assert_eq!(held.replace(Some("{}")).unwrap(), None);
        assert_eq!([mode(&file), mode(file.parent().unwrap())], [0o600, 0o700]);
    }

    #[test]
    fn a_link_is_followed_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let dotfiles = folder.path().join("dotfiles");
        fs::create_dir(&dotfiles).unwrap();
        let (file, link) = (dotfiles.join("mcp.json"), folder.path().join("mcp.json"));
        fs::write(&file, "one").unwrap();
        symlink("dotfiles/mcp.json", &link).unwrap();
        let backup = Held::read(&link).unwrap().replace(Some("two")).unwrap().unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "two");
        assert_eq!(backup.parent(), Some(fs::canonicalize(&dotfiles).unwrap().as_path()));
        fs::remove_file(&file).unwrap();
        // It leads nowhere: whoever made it may still mean something by it.
        assert!(Held::read(&link).is_err());
    }

    #[test]
    fn what_changed_since_it_was_shown_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mcp.json");
        let none = Held::read(&file).unwrap();
        fs::write(&file, "theirs").unwrap();
        assert!(none.replace(Some("ours")).unwrap_err().what.contains("has changed meanwhile"));
        let held = Held::read(&file).unwrap();
        fs::write(&file, "theirs again").unwrap();
        assert!(held.replace(Some("ours")).unwrap_err().what.contains("has changed meanwhile"));
        assert_eq!(fs::read_to_string(&file).unwrap(), "theirs again");
        assert_eq!(names(folder.path()), ["mcp.json"]);
    }

    #[test]
    fn what_is_no_file_of_this_users_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let said = |path: &Path| Held::read(path).unwrap_err().what;
        assert!(said(folder.path()).contains("is no file"));
        let file = folder.path().join("mcp.json");
        fs::write(&file, [0xff, 0xfe]).unwrap();
        assert!(said(&file).contains("is not UTF-8"));
        let large = folder.path().join("large");
        File::create(&large).unwrap().set_len(BYTES_MAX + 1).unwrap();
        assert!(said(&large).contains("is too large"));
        let file = if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&file, Some(65534), None).unwrap();
            file
        } else {
            PathBuf::from("/etc/hosts")
        };
        assert!(said(&file).contains("belongs to somebody else"));
    }

    /// What was written under another name goes when it cannot take the file's place, as when a client has written there
    /// at the last moment.
    #[test]
    fn nothing_unfinished_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mcp.json");
        let held = Held::read(&file).unwrap();
        let fresh = held.write("ours").unwrap();
        fs::write(&file, "theirs").unwrap();
        let failed = |error: io::Error| refused(&plain(&error));
        let why = held.place(Some(&fresh), failed).unwrap_err();
        assert!(why.what.contains("has changed meanwhile"));
        assert_eq!(fs::read_to_string(&file).unwrap(), "theirs");
        assert_eq!(names(folder.path()), ["mcp.json"]);
    }

    /// Where nothing can be written nothing is, and nothing is left behind. Root may write everywhere, so that a
    /// folder that is none stands for one that is read-only.
    #[test]
    fn a_folder_that_cannot_be_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings").join("mcp.json");
        fs::create_dir(file.parent().unwrap()).unwrap();
        fs::write(&file, "one").unwrap();
        let held = Held::read(&file).unwrap();
        let is_root = rustix::process::geteuid().is_root();
        if is_root {
            // The name of the backup is taken by what is no backup, to the last.
            for number in 1..=BACKUPS_MAX {
                fs::create_dir(held.backup(number)).unwrap();
            }
        } else {
            fs::set_permissions(file.parent().unwrap(), Permissions::from_mode(0o500)).unwrap();
        }
        let failure = held.replace(Some("two")).unwrap_err();
        assert!(failure.what.contains("could not be written"), "{failure}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "one");
        if !is_root {
            assert_eq!(names(file.parent().unwrap()), ["mcp.json"]);
            fs::set_permissions(file.parent().unwrap(), Permissions::from_mode(0o700)).unwrap();
        }
        let new = folder.path().join("file");
        fs::write(&new, "").unwrap();
        let held = Held { path: new.join("mcp.json"), content: None };
        assert!(held.replace(Some("two")).is_err());
    }
}
