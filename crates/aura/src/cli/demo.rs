// SPDX-License-Identifier: MIT OR Apache-2.0
//! Everything that Aura does, shown with a sample life in a throw-away folder.
//!
//! Runs the very commands that a person would type, against daemons of its own, and says each before
//! it runs. The folder goes at the end, also when something failed.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use aura_crypto::words;
use aura_server::config::{Config, Registration};
use aura_server::serve::Running;
use clap::{Args, Parser as _};
use serde_json::Value;
use zeroize::Zeroizing;

use super::Cli;
use crate::client::{Client, Idle, parse};
use crate::daemon::keeper::SystemEntropy;
use crate::exit::{Exit, Failure};
use crate::interrupt::{give_way, on_interrupt};
use crate::life;
use crate::moment::now_ms;
use crate::screen::{Screen, count, counted, note, wrap};
use crate::view::{Device, Hit, Status};
use crate::wire::Request;

/// What the sample life is full of, and no file of the vault may have.
const MARKERS: [&str; 3] = ["Lisbon", "Velbr", "ferritin"];
const IDLE_SECONDS: u64 = 15 * 60;

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Keep the folder
    #[arg(long)]
    keep: bool,
}

impl Demo {
    pub(crate) fn run(&self, screen: Screen) -> Result<Exit, Failure> {
        let begun = Instant::now();
        let stage = Stage::set(screen)?;
        let interrupted = Stage { root: stage.root.clone(), screen: stage.screen.clone() };
        let keep = self.keep;
        on_interrupt(move || {
            interrupted.stop();
            if !keep {
                drop(fs::remove_dir_all(&interrupted.root));
            }
            let folder = if keep { "stays" } else { "is gone" };
            note(&format!("\nStopped. The demo's folder {folder}; nothing of yours was touched."));
        });
        let result = stage.play();
        give_way();
        stage.stop();
        let seconds = begun.elapsed().as_secs();
        if self.keep {
            stage.tell(&format!("\nThe folder stays: {}", stage.root.display()))?;
            stage.tell(&format!(
                "Its password is in {}; try: aura --home {} search …",
                stage.password().display(),
                stage.home().display()
            ))?;
        } else {
            drop(fs::remove_dir_all(&stage.root));
        }
        let exit = result?;
        stage.tell(&format!("\nThat was everything, in {}.", counted(seconds, "second")))?;
        stage.tell("Next: `aura init` makes your own vault, `aura import FILES…` fills it.")?;
        if !self.keep {
            stage.tell("`aura demo --keep` leaves this one for you to play with.")?;
        }
        Ok(exit)
    }
}

/// A folder to play in.
struct Stage {
    root: PathBuf,
    screen: Screen,
}

impl Stage {
    fn set(screen: Screen) -> Result<Self, Failure> {
        let failed = |error| Failure::file("The demo's folder could not be made", &error);
        let root = std::env::temp_dir().join(format!("aura-demo-{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&root).map_err(failed)?;
        Ok(Self { root, screen })
    }

    fn home(&self) -> PathBuf {
        self.root.join("vault")
    }

    fn second(&self) -> PathBuf {
        self.root.join("second-vault")
    }

    /// The home of a second device of the same vault.
    fn phone(&self) -> PathBuf {
        self.root.join("phone")
    }

    /// What the server keeps.
    fn server(&self) -> PathBuf {
        self.root.join("server")
    }

    fn password(&self) -> PathBuf {
        self.root.join("password")
    }

    fn tell(&self, text: &str) -> Result<(), Failure> {
        let lines = text.split('\n').map(|line| wrap(line, self.screen.width(), ""));
        self.screen.say(&lines.collect::<Vec<_>>().join("\n"))
    }

    fn play(&self) -> Result<Exit, Failure> {
        let failed = |error| Failure::file("The sample life could not be written", &error);
        let summary = life::write(&self.root.join("life")).map_err(failed)?;
        let mut options = File::options();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.password())
            .map_err(failed)?;
        file.write_all(words::passphrase(&mut SystemEntropy).as_bytes()).map_err(failed)?;
        self.tell(&format!(
            "Ten years of Nora Velbrück, who does not exist: over {} records, as foreign exports, in\n{}",
            count((summary.total() / 100 * 100) as u64),
            self.root.join("life").display()
        ))?;
        self.bring_in()?;
        self.change()?;
        self.take_out()?;
        let server = self.share()?;
        self.account()?;
        server.stop();
        Ok(Exit::Done)
    }

    fn bring_in(&self) -> Result<(), Failure> {
        self.title("A vault, and everything into it")?;
        let kit = self.root.join("kit.txt");
        self.command(&["init", "--no-verify-kit", "--kit", &text(&kit)])?;
        self.command(&["import", &text(&self.root.join("life"))])?;
        self.title("Find anything")?;
        for query in life::searches() {
            self.command(&["search", "--limit", "2", query])?;
        }
        Ok(())
    }

    fn change(&self) -> Result<(), Failure> {
        self.title("Change it, see what was done, take it back")?;
        let mut client = client(&self.home())?;
        let mut found: Option<Hit> = None;
        let request = Request::Search { query: "lisbon flat kind:note".to_owned(), limit: 1 };
        client.call(&request, &mut |item: Value| {
            found = Some(parse(item)?);
            Ok(())
        })?;
        drop(client);
        let Some(hit) = found else {
            return Err(Failure::new(Exit::Failed, "The sample life has lost its flat."));
        };
        self.command(&["edit", &hit.id, "name=Lisbon flat: signed!"])?;
        self.command(&["undo", &hit.id])?;
        self.command(&["history", &hit.id])
    }

    fn take_out(&self) -> Result<(), Failure> {
        self.title("Leave as easily as you came")?;
        self.command(&["export", "--all", &text(&self.root.join("export"))])?;
        let archive = self.root.join("archive.aura");
        self.command(&["export", "--archive", &text(&archive)])?;
        self.tell("\nThe archive in another vault comes to the same state:")?;
        let kit = self.root.join("second-kit.txt");
        let second = self.second();
        self.command_in(&second, &["init", "--no-verify-kit", "--kit", &text(&kit)])?;
        self.command_in(&second, &["import", &text(&archive)])?;
        self.compare(&second)
    }

    /// Two devices, and a server between them that knows nothing; it goes on until the end.
    fn share(&self) -> Result<Running, Failure> {
        self.title("Two devices, and a server between them that knows nothing")?;
        let failed = |error| Failure::file("The demo's folder could not be made", &error);
        let server = self.serve()?;
        let (address, pin) = (format!("https://{}", server.address()), server.key().to_string());
        self.tell(&format!(
            "A server of the demo's own, known by its key {}…",
            pin.get(..16).unwrap_or_default()
        ))?;
        let known = [address.as_str(), "--account", "nora", "--pin", &pin];
        self.command(&[&["store", "add"], &known[..], &["--register"]].concat())?;
        self.command(&["sync"])?;
        let key = text(&self.secret_key().map_err(failed)?);
        let phone = self.phone();
        self.command_in(&phone, &[&["join"], &known[..], &["--secret-key-file", &key]].concat())?;
        self.command(&["sync"])?;
        let devices: Vec<Device> = client(&phone)?.ask(&Request::Devices)?;
        let joined = devices.iter().find(|device| device.this).map(|device| device.id.as_str());
        self.command(&[
            "device",
            "confirm",
            joined.and_then(|id| id.get(..8)).unwrap_or_default(),
        ])?;
        let note =
            ["add", "note", "--title", "From the phone", "--text", "A lamp for the Lisbon flat"];
        self.command_in(&phone, &note)?;
        self.command_in(&phone, &["sync"])?;
        self.command(&["sync"])?;
        self.command(&["search", "--limit", "1", "lamp lisbon kind:note"])?;
        self.command_in(&phone, &["sync"])?;
        self.compare(&phone)?;
        self.look_for_plaintext(&self.server(), "the server")?;
        Ok(server)
    }

    fn serve(&self) -> Result<Running, Failure> {
        let config = Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            data: self.server(),
            registration: Registration::Open,
            ..Config::default()
        };
        Running::start(config, now_ms).map_err(|error| {
            Failure::new(Exit::Failed, format!("The demo's server was not started: {error}."))
                .safe("This is a demonstration: nothing of yours is concerned.")
                .next("Run it again.")
        })
    }

    /// The kit's secret key, in a file of its own.
    fn secret_key(&self) -> io::Result<PathBuf> {
        let kit = Zeroizing::new(fs::read_to_string(self.root.join("kit.txt"))?);
        let key = kit.lines().skip_while(|line| !line.starts_with("Secret key")).nth(1);
        let path = self.root.join("secret-key");
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(key.unwrap_or_default().trim().as_bytes())?;
        Ok(path)
    }

    /// Both vaults have the same records.
    fn compare(&self, other: &Path) -> Result<(), Failure> {
        let (one, other) = (state(&self.home())?, state(other)?);
        self.tell(&format!("  here   {one}\n  there  {other}"))?;
        if one == other {
            return Ok(());
        }
        Err(Failure::new(Exit::Damaged, "The two vaults are not the same.")
            .safe("This is a demonstration: nothing of yours is concerned.")
            .next("Please report it."))
    }

    fn look_for_plaintext(&self, root: &Path, who: &str) -> Result<(), Failure> {
        let seen = plaintext(root)
            .map_err(|error| Failure::file("The vault's files could not be read", &error))?;
        let words = MARKERS.join("”, “");
        self.tell(&format!(
            "“{words}” in the {} that {who} has: {}",
            counted(seen.files, "file"),
            if seen.markers == 0 { "nowhere" } else { "FOUND" }
        ))?;
        if seen.markers > 0 {
            return Err(Failure::new(Exit::Damaged, "A file of the vault has plaintext in it."));
        }
        Ok(())
    }

    fn account(&self) -> Result<(), Failure> {
        self.title("What you see, and what the disk sees")?;
        self.command(&["search", "--limit", "1", "lisbon flat after:2025-03 category:mail"])?;
        self.look_for_plaintext(&self.home(), "the disk")?;
        self.title("Is it safe, and who looked?")?;
        self.command(&["verify"])?;
        self.command(&["audit", "show", "--limit", "8"])?;
        self.command(&["audit", "verify"])?;
        self.command(&["status"])?;
        self.command(&["lock"])
    }

    fn title(&self, title: &str) -> Result<(), Failure> {
        self.tell(&format!("\n{}", self.screen.strong(&format!("── {title} ──"))))
    }

    fn command(&self, words: &[&str]) -> Result<(), Failure> {
        self.command_in(&self.home(), words)
    }

    fn command_in(&self, home: &Path, words: &[&str]) -> Result<(), Failure> {
        let quoted = words.iter().map(|word| {
            if word.contains([' ', '"', ':']) { format!("'{word}'") } else { (*word).to_owned() }
        });
        let typed = quoted.collect::<Vec<_>>().join(" ");
        // Which of the devices it is typed on.
        let other = home.file_name().filter(|_| home != self.home());
        let prompt = other.map(|name| format!("{} ", name.display())).unwrap_or_default();
        self.tell(&self.screen.faint(&format!("\n{prompt}$ aura {typed}")))?;
        let (home, password) = (text(home), text(&self.password()));
        let mut args = vec!["aura", "--home", &home, "--password-file", &password];
        if self.screen.json {
            args.push("--json");
        }
        args.extend(words);
        let cli = Cli::try_parse_from(args)
            .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
        match cli.run()? {
            Exit::Done | Exit::Partly => Ok(()),
            exit => Err(Failure::new(exit, format!("`aura {typed}` did not do what it should."))),
        }
    }

    /// Ends the daemons, and with them what they hold.
    fn stop(&self) {
        for home in [self.home(), self.second(), self.phone()] {
            if let Err(failure) = Client::stop(&home) {
                note(&failure.to_string());
            }
        }
    }
}

fn client(home: &Path) -> Result<Client, Failure> {
    Client::reach(home, Idle { vault: IDLE_SECONDS, second: IDLE_SECONDS })
}

fn state(home: &Path) -> Result<String, Failure> {
    let status: Status = client(home)?.ask(&Request::Status)?;
    Ok(status.state_hash.unwrap_or_default())
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// What a thief of the disk would look for.
struct Seen {
    files: u64,
    markers: u64,
}

fn plaintext(root: &Path) -> io::Result<Seen> {
    let mut seen = Seen { files: 0, markers: 0 };
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            }
            if !kind.is_file() {
                continue;
            }
            // A file of the index may be merged away while this looks.
            let Ok(mut file) = File::open(entry.path()) else { continue };
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            seen.files = seen.files.saturating_add(1);
            let has = |marker: &str| bytes.windows(marker.len()).any(|w| w == marker.as_bytes());
            let markers = MARKERS.iter().filter(|marker| has(marker)).count();
            seen.markers = seen.markers.saturating_add(markers as u64);
        }
    }
    Ok(seen)
}
