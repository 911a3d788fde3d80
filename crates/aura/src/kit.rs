// SPDX-License-Identifier: MIT OR Apache-2.0
//! The emergency kit: one page to print, with what opens the vault when everything else is lost.
//!
//! As a web page with a code to photograph, or as plain text. It is written once, when the vault is
//! made, and is not kept anywhere.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use qrcode::QrCode;
use qrcode::render::svg;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::exit::Failure;
use crate::secret::Secret;
use crate::view;

/// What is printed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Kit {
    pub(crate) vault_id: String,
    pub(crate) secret_key: Secret,
    pub(crate) recovery_code: Secret,
}

/// What came of revoking a device.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Revoked {
    pub(crate) device: view::Device,
    /// Whether a device that was listed earlier could say the same of this one and be heard first.
    pub(crate) is_final: bool,
    /// Devices that the revoked one let in.
    pub(crate) let_in: Vec<view::Device>,
    /// The new kit; none where this device may not make new keys.
    pub(crate) kit: Option<Kit>,
}

/// The kit's file, made before the vault is: a vault whose kit cannot be written is not made.
pub(crate) struct Page {
    path: PathBuf,
    file: File,
    is_written: bool,
}

impl Page {
    /// A new file for the kit.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        match options.open(path) {
            Ok(file) => Ok(Self { path: path.to_owned(), file, is_written: false }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(Failure::usage(
                "There is a file in the kit's place already, and it was left as it is.",
                "Name another file.",
            )),
            Err(error) => Err(Failure::file("The kit's file could not be made", &error)),
        }
    }

    /// Writes the kit, durably.
    pub(crate) fn write(mut self, kit: &Kit, day: &str) -> Result<PathBuf, Failure> {
        let is_text = self.path.extension().is_some_and(|ending| ending == "txt");
        let page = if is_text { text(kit, day) } else { html(kit, day) };
        let written = self.file.write_all(page.as_bytes()).and_then(|()| self.file.sync_all());
        written.map_err(|error| Failure::file("The kit could not be written", &error))?;
        self.is_written = true;
        Ok(self.path.clone())
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        if !self.is_written {
            // An empty page would be taken for a kit.
            drop(fs::remove_file(&self.path));
        }
    }
}

/// Groups of a code, to be asked for: which, and what it must be.
pub(crate) fn groups(code: &Secret) -> Vec<&str> {
    code.reveal().split('-').collect()
}

/// The kit as plain text.
pub(crate) fn text(kit: &Kit, day: &str) -> Zeroizing<String> {
    let Kit { vault_id, secret_key, recovery_code } = kit;
    let (secret_key, recovery_code) = (secret_key.reveal(), recovery_code.reveal());
    Zeroizing::new(format!(
        "\
AURA EMERGENCY KIT                                              {day}

Print this page, put it where you keep what matters, and delete the file.
Whoever has it can open your vault. Without it, a lost password is a lost vault,
since nobody can reset it.

Vault id:
  {vault_id}

Secret key (together with your password, on a new device):
  {secret_key}

Recovery code (opens the vault without the password):
  {recovery_code}

My password hint (not the password): _______________________________________

How to use it
  - Forgotten password:  aura unlock --recovery, then  aura passwd --recovery
  - A new device:        aura join FOLDER, with a folder that you sync through;
                         or copy the vault's folder there, then  aura unlock
  - The file `secret.key` in the folder holds the secret key: if it is lost,
    write the secret key above into it.
  - Nothing here opens what you put behind a second password.
  0 is zero and 1 is one: the letters O, I and L are never used.
"
    ))
}

/// The kit as a page to print.
pub(crate) fn html(kit: &Kit, day: &str) -> Zeroizing<String> {
    let Kit { vault_id, secret_key, recovery_code } = kit;
    let (secret_key, recovery_code) = (secret_key.reveal(), recovery_code.reveal());
    let code = Zeroizing::new(format!("AURA-KIT-1 {vault_id} {secret_key} {recovery_code}"));
    let picture = Zeroizing::new(QrCode::new(code.as_bytes()).map_or_else(
        |_| String::new(),
        |code| code.render::<svg::Color<'_>>().min_dimensions(220, 220).build(),
    ));
    // A page may not begin again in its middle.
    let picture = picture.find("<svg").and_then(|at| picture.get(at..)).unwrap_or_default();
    Zeroizing::new(format!(
        "<!doctype html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">
<meta name=\"viewport\" content=\"width=device-width\">
<title>Aura emergency kit</title>
<style>
body {{ font: 12pt/1.4 Georgia, serif; max-width: 42em; margin: 2em auto; color: #000; background: #fff }}
h1 {{ font-size: 20pt; margin: 0 }}
h2 {{ clear: both; font-size: 12pt; margin: 1.4em 0 .2em }}
code {{ font: 13pt/1.6 ui-monospace, Menlo, Consolas, monospace; display: block; border: 1px solid #000;
  padding: .4em .6em; overflow-wrap: anywhere }}
.hint {{ border-bottom: 1px solid #000; height: 2em }}
figure {{ float: right; margin: 0 0 1em 1em; width: 220px }}
figure svg {{ width: 100%; height: auto }}
kbd {{ white-space: nowrap }}
figcaption, footer {{ font-size: 9pt }}
@media print {{ body {{ margin: 0 }} }}
</style>
</head>
<body>
<figure>{picture}<figcaption>All three, to photograph.</figcaption></figure>
<h1>Aura emergency kit</h1>
<p>Made on {day}. <strong>Print this page, put it where you keep what matters, and delete the file.</strong>
Whoever has it can open your vault. Without it, a lost password is a lost vault: nobody can reset it.</p>
<h2>Vault id</h2>
<code>{vault_id}</code>
<h2>Secret key (together with your password, on a new device)</h2>
<code>{secret_key}</code>
<h2>Recovery code (opens the vault without the password)</h2>
<code>{recovery_code}</code>
<h2>My password hint (not the password)</h2>
<div class=\"hint\"></div>
<h2>How to use it</h2>
<ul>
<li>Forgotten password: <kbd>aura unlock --recovery</kbd>, then <kbd>aura passwd --recovery</kbd></li>
<li>A new device: <kbd>aura join FOLDER</kbd>, with a folder that you sync through; or copy the vault's
folder there, then <kbd>aura unlock</kbd></li>
<li>The file <kbd>secret.key</kbd> in the folder holds the secret key: if it is lost, write the secret key
above into it.</li>
<li>Nothing here opens what you put behind a second password.</li>
</ul>
<footer>0 is zero and 1 is one: the letters O, I and L are never used.</footer>
</body>
</html>
"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kit() -> Kit {
        let secret = |text: &str| Secret::new(Zeroizing::new(text.to_owned()));
        Kit {
            vault_id: "00ff".repeat(16),
            secret_key: secret("ABCD-EFGH-JKMN-PQRS-TVWX-YZ01-2345"),
            recovery_code: secret("1111-2222-3333-4444-5555-6666-7777-8888-9999"),
        }
    }

    #[test]
    fn both_forms_hold_everything_and_the_text_fits_80_columns() {
        let kit = kit();
        for page in [text(&kit, "2026-01-01"), html(&kit, "2026-01-01")] {
            for part in [&*kit.vault_id, kit.secret_key.reveal(), kit.recovery_code.reveal()] {
                assert!(page.contains(part));
            }
        }
        assert!(text(&kit, "2026-01-01").lines().all(|line| line.chars().count() <= 80));
        assert!(html(&kit, "2026-01-01").matches("<svg").count() == 1);
        assert!(!format!("{kit:?}").contains("1111"));
    }

    #[test]
    fn a_page_that_was_not_written_leaves_no_file() {
        let path = std::env::temp_dir().join(format!("kit-{}.html", std::process::id()));
        drop(Page::create(&path).unwrap());
        assert!(!path.exists());
        Page::create(&path).unwrap().write(&kit(), "2026-01-01").unwrap();
        assert!(Page::create(&path).is_err());
        fs::remove_file(path).unwrap();
    }
}
