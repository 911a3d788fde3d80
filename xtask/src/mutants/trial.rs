// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tests, each in a process of its own: which places it reaches, and whether it notices a mutant.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::list::Mutant;

/// A test that has not ended by then, and by `SLOWER` times what it takes, has noticed.
const TEST_MIN: Duration = Duration::from_secs(20);
const SLOWER: u32 = 10;
/// Tests that take longer are not asked: a check has a test that somebody would run.
const TEST_MAX: Duration = Duration::from_secs(8);
const ASKED_EVERY: Duration = Duration::from_millis(2);

const PROPTEST_CASES: &str = "64";

/// One test.
struct Test {
    program: PathBuf,
    name: String,
    took: Duration,
    /// Numbers of the mutants whose place it comes by.
    reached: BTreeSet<usize>,
}

/// The tests of a package, the quickest first.
pub(super) struct Tests {
    folder: PathBuf,
    all: Vec<Test>,
    /// Those that noticed something, the last one last: whatever noticed one mutant notices its neighbour.
    keen: Mutex<Vec<usize>>,
}

impl Tests {
    /// Runs each of them once, without any mutant; `scratch` is a folder for what they reach.
    pub(super) fn of(folder: PathBuf, programs: &[PathBuf], scratch: &Path) -> Result<Self> {
        let mut names = Vec::new();
        for program in programs {
            let mut list = Command::new(program);
            let listed =
                list.args(["--list", "--format", "terse"]).current_dir(&folder).output()?;
            let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
            let is_test = |line: &str| line.strip_suffix(": test").map(str::to_owned);
            names.extend(listed.lines().filter_map(is_test).map(|name| (program.clone(), name)));
        }
        fs::create_dir_all(scratch)?;
        let tests = each(&names, |index, (program, name)| {
            let told = scratch.join(index.to_string());
            if told.exists() {
                fs::remove_file(&told)?;
            }
            let mut command = command(&folder, program, name);
            let begun = Instant::now();
            if ended(command.env("AURA_MUTANT_REACHED", &told), TEST_MIN * SLOWER)? != Ended::Well {
                bail!("{name} fails without any mutant");
            }
            let took = begun.elapsed();
            let told = fs::read_to_string(&told).unwrap_or_default();
            let reached = told.lines().filter_map(|line| line.parse().ok()).collect();
            Ok(Test { program: program.clone(), name: name.clone(), took, reached })
        });
        let mut tests = tests.into_iter().collect::<Result<Vec<_>>>()?;
        tests.retain(|test| test.took <= TEST_MAX);
        tests.sort_by_key(|test| test.took);
        Ok(Self { folder, all: tests, keen: Mutex::new(Vec::new()) })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Which test notices each of these mutants; `None` if none does, which is said at once.
    pub(super) fn judge(&self, mutants: &[&Mutant]) -> Vec<Result<Option<&str>>> {
        each(mutants, |_, mutant| {
            let by = self.noticed_by(mutant.number, true)?;
            if by.is_none() {
                println!("not noticed: {}", mutant.name);
            }
            Ok(by)
        })
    }

    /// The same for one. `is_told` says whether it is known which tests reach it.
    pub(super) fn noticed_by(&self, mutant: usize, is_told: bool) -> Result<Option<&str>> {
        let reaches = |test: &Test| !is_told || test.reached.contains(&mutant);
        let keen = self.keen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut left: Vec<usize> =
            (0..self.all.len()).filter(|index| self.all.get(*index).is_some_and(reaches)).collect();
        left.sort_by_key(|index| {
            let last = keen.iter().rev().position(|keen| keen == index);
            (last.unwrap_or(usize::MAX), *index)
        });
        for index in left {
            let Some(test) = self.all.get(index) else { continue };
            let deadline = TEST_MIN.max(test.took * SLOWER);
            let ended = || {
                let mut command = command(&self.folder, &test.program, &test.name);
                ended(command.env("AURA_MUTANT", mutant.to_string()), deadline)
            };
            // Twice, so that one that fails now and then is not taken for one that noticed.
            let has_noticed = match ended()? {
                Ended::Well => false,
                Ended::Badly => ended()? != Ended::Well,
                Ended::Late => true,
            };
            if has_noticed {
                let mut keen = self.keen.lock().unwrap_or_else(PoisonError::into_inner);
                keen.retain(|known| *known != index);
                keen.push(index);
                return Ok(Some(&test.name));
            }
        }
        Ok(None)
    }
}

fn command(folder: &Path, program: &Path, name: &str) -> Command {
    let mut command = Command::new(program);
    command.args(["--exact", name]).current_dir(folder).env("CARGO_MANIFEST_DIR", folder);
    // Every mutant runs them: fewer random ones each time.
    command.env("PROPTEST_CASES", PROPTEST_CASES).env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "1");
    command.env("RUST_BACKTRACE", "0");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Well,
    Badly,
    /// It had not by the deadline.
    Late,
}

/// Runs a test. What it started ends with it.
fn ended(command: &mut Command, deadline: Duration) -> Result<Ended> {
    let mut child = command.process_group(0).spawn().context("cannot start a test")?;
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(if status.success() { Ended::Well } else { Ended::Badly });
        }
        if begun.elapsed() > deadline {
            let group = format!("-{}", child.id());
            drop(Command::new("kill").args(["-9", "--", &group]).status());
            child.wait()?;
            return Ok(Ended::Late);
        }
        thread::sleep(ASKED_EVERY);
    }
}

/// Does it for each, on as many threads as there are processors; in order.
fn each<T: Sync, R: Send>(all: &[T], work: impl Fn(usize, &T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((index, one)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    all.get(index).map(|one| (index, one))
                } {
                    let result = work(index, one);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}
