// SPDX-License-Identifier: MIT OR Apache-2.0
//! The operator's commands.

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use aura_protocol::auth::AccountName;
use aura_protocol::http::Invitation;
use aura_server::accounts::AccountBook;
use aura_server::care;
use aura_server::config::{Config, Registration, Tls};
use aura_server::migrate::{Moved, migrate};
use aura_server::secrets::{self, Certificate, LogKey};
use aura_server::serve::Running;
use clap::{Parser, Subcommand, ValueEnum};
use tracing_subscriber::EnvFilter;

/// An invitation that somebody made up has so many characters at least.
const GIVEN_BYTES_MIN: usize = 16;
/// The largest file with an invitation that is looked at.
const INVITATION_FILE_BYTES_MAX: u64 = 4 << 10;

/// Keeps sealed entries and chunks of vaults that it cannot read.
#[derive(Debug, Parser)]
#[command(name = "aura-server", version, about, max_term_width = 80)]
struct Cli {
    /// The settings (TOML). Without it every setting has its default
    #[arg(long, short, global = true, env = "AURA_SERVER_CONFIG")]
    config: Option<PathBuf>,
    /// The server's folder, instead of the one in the settings
    #[arg(long, global = true, env = "AURA_SERVER_DATA")]
    data: Option<PathBuf>,
    /// A certificate of your own (PEM), instead of the settings'
    #[arg(long, global = true, env = "AURA_SERVER_TLS_CERTIFICATE_FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, global = true, env = "AURA_SERVER_TLS_KEY_FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// What logins rest on, kept elsewhere than in the server's folder
    #[arg(long, global = true, env = "AURA_SERVER_LOGINS_KEY_FILE")]
    logins_key: Option<PathBuf>,
    /// What signs access logs, kept elsewhere than in the server's folder
    #[arg(long, global = true, env = "AURA_SERVER_LOG_KEY_FILE")]
    log_key: Option<PathBuf>,
    /// A file with the password of the database that the settings name
    #[arg(long, global = true, env = "AURA_SERVER_STORAGE_PASSWORD_FILE")]
    storage_password: Option<PathBuf>,
    /// A file with the secret access key of the bucket that the settings name
    #[arg(long, global = true, env = "AURA_SERVER_BUCKET_SECRET_FILE")]
    bucket_secret: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until told to stop
    Serve {
        /// Where to listen, instead of the settings' address
        #[arg(long, env = "AURA_SERVER_LISTEN")]
        listen: Option<SocketAddr>,
        /// Who may open an account, instead of what the settings say
        #[arg(long, value_enum, env = "AURA_SERVER_REGISTRATION")]
        registration: Option<Who>,
    },
    /// Show the key that clients compare when they add this server
    Key,
    /// Make the keys that all nodes of one service have, in a folder
    Keys {
        /// The folder
        folder: PathBuf,
    },
    /// Make an invitation, and print it
    Invite {
        /// For so many accounts
        #[arg(long, default_value_t = 1)]
        uses: u32,
        /// For so many days
        #[arg(long, default_value_t = 7)]
        days: u32,
        /// Take the first line of this file for the invitation, and print nothing
        #[arg(long, value_name = "FILE", env = "AURA_SERVER_INVITATION_FILE")]
        from: Option<PathBuf>,
    },
    /// See to accounts
    #[command(subcommand)]
    Account(AccountCommand),
    /// Copy everything to a new folder, also while the server works
    Backup {
        /// The new folder
        folder: PathBuf,
    },
    /// Look whether all is well, also while the server works
    Doctor,
    /// Move everything to where other settings say, from a folder to a database or back; no server works meanwhile
    MigrateStore {
        /// Those settings
        #[arg(long, value_name = "CONFIG")]
        to: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
enum AccountCommand {
    /// List accounts
    Ls,
    /// Give an account a quota of its own
    Quota {
        /// The account
        name: String,
        /// Bytes; 0 for no bound, nothing for the server's own quota
        bytes: Option<u64>,
    },
    /// Close an account and take what is kept for it off the disk
    Rm {
        /// The account
        name: String,
        /// It is meant
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Who {
    Open,
    Invitation,
    Closed,
}

/// Runs what was asked for.
pub(super) fn run() -> ExitCode {
    // Whatever is made is for this user alone.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_env("AURA_SERVER_LOG");
    let filter = filter.unwrap_or_else(|_| EnvFilter::new("aura_server=info"));
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_target(false)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    match act(cli) {
        Ok(code) => code,
        Err(error) => {
            say(&mut std::io::stderr(), &format!("aura-server: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn act(cli: Cli) -> anyhow::Result<ExitCode> {
    let mut config = match &cli.config {
        Some(path) => Config::read(path)?,
        None => Config::default(),
    };
    if let Some(data) = cli.data {
        config.data = data;
    }
    if let (Some(certificate), Some(key)) = (cli.tls_certificate, cli.tls_key) {
        config.tls = Some(Tls { certificate, key });
    }
    config.logins_key = cli.logins_key.or(config.logins_key);
    config.log_key = cli.log_key.or(config.log_key);
    if let Some(storage) = &mut config.storage {
        storage.password = cli.storage_password.or(storage.password.take());
        if let (Some(bucket), Some(secret)) = (&mut storage.bucket, cli.bucket_secret) {
            bucket.secret = secret;
        }
    }
    match cli.command {
        Command::Serve { listen, registration } => {
            config.listen = listen.unwrap_or(config.listen);
            config.registration = registration.map_or(config.registration, |who| match who {
                Who::Open => Registration::Open,
                Who::Invitation => Registration::Invitation,
                Who::Closed => Registration::Closed,
            });
            serve(config)?;
        }
        Command::Key => {
            if config.tls.is_none() && !config.data.join("tls.key").exists() {
                bail!("there is no key yet; the server makes it when it is started");
            }
            out(&Certificate::load(&config)?.key().to_string());
        }
        Command::Keys { folder } => keys(folder)?,
        Command::Invite { uses, days, from } => {
            let given = from.as_deref().map(given).transpose()?;
            let is_given = given.is_some();
            let invitation = given.map_or_else(made_up, Ok)?;
            invite(&config, &invitation, (uses, days))?;
            if !is_given {
                out(invitation.as_str());
            }
        }
        Command::Account(command) => account(&config, command)?,
        Command::Backup { folder } => {
            if config.storage.is_some() {
                bail!(
                    "what this server keeps is in a database and beside it: copy those with their own tools, the database first"
                );
            }
            let copied = care::back_up(&config.data, &folder)?;
            out(&format!("{} vaults, {} bytes", copied.vaults, copied.bytes));
            for stray in copied.strays {
                out(&format!("left out, since it is no vault: {}", stray.display()));
            }
        }
        Command::Doctor => return Ok(doctor(&config)),
        Command::MigrateStore { to } => {
            let Moved { accounts, already, rows, chunks, lost } =
                migrate(&config, &Config::read(&to)?, now_ms)?;
            out(&format!("{accounts} accounts, {already} were there already"));
            out(&format!("{rows} rows and {chunks} chunks are the same there"));
            if lost > 0 {
                out(&format!("{lost} chunks are damaged or lost here; devices bring them again"));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn say(to: &mut dyn std::io::Write, line: &str) {
    // Whoever reads may have gone.
    writeln!(to, "{line}").ok();
}

fn out(line: &str) {
    say(&mut std::io::stdout().lock(), line);
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn serve(config: Config) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let running = Running::start(config, now_ms)?;
    tracing::info!(address = %running.address(), key = %running.key(), "listening");
    runtime.block_on(async {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut end, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tokio::select! {
            _ = end.recv() => {},
            _ = interrupt.recv() => {},
        }
        anyhow::Ok(())
    })?;
    tracing::info!("stopping");
    running.stop();
    Ok(())
}

fn accounts(config: &Config) -> anyhow::Result<Arc<dyn AccountBook>> {
    if config.storage.is_none() && !config.data.is_dir() {
        bail!("{} is not a server's folder; name it with --data", config.data.display());
    }
    Ok(care::accounts(config, now_ms)?)
}

/// Makes what every node of a service is given.
fn keys(folder: PathBuf) -> anyhow::Result<()> {
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("{} could not be made", folder.display()))?;
    let config = Config { data: folder, ..Config::default() };
    secrets::logins(&config)?;
    LogKey::of(&config)?;
    out(&Certificate::load(&config)?.key().to_string());
    Ok(())
}

/// An invitation that nobody can guess.
fn made_up() -> anyhow::Result<Invitation> {
    let mut bytes = [0; 16];
    secrets::fill(&mut bytes).context("the operating system has no randomness")?;
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Invitation::parse(&text).context("an invitation could not be made")
}

/// An invitation that a file holds, as a secret that is given to a container does.
fn given(path: &Path) -> anyhow::Result<Invitation> {
    let unread = || format!("{} could not be read", path.display());
    let file = std::fs::File::open(path).with_context(unread)?;
    let mut text = String::new();
    file.take(INVITATION_FILE_BYTES_MAX).read_to_string(&mut text).with_context(unread)?;
    let line = text.lines().next().unwrap_or_default().trim();
    let said =
        "the file's first line is no invitation: 16 to 64 printable characters without blanks";
    if line.len() < GIVEN_BYTES_MIN {
        bail!(said);
    }
    Invitation::parse(line).context(said)
}

fn invite(
    config: &Config,
    invitation: &Invitation,
    (uses, days): (u32, u32),
) -> anyhow::Result<()> {
    let lasting =
        i64::try_from(Duration::from_hours(24).as_millis())?.saturating_mul(i64::from(days));
    Ok(accounts(config)?.invite(invitation, uses, now_ms().saturating_add(lasting))?)
}

fn account(config: &Config, command: AccountCommand) -> anyhow::Result<()> {
    let accounts = accounts(config)?;
    let parse = |name: &str| AccountName::parse(name).context("this is no account's name");
    match command {
        AccountCommand::Ls => {
            for account in accounts.all()? {
                let quota = account.quota_bytes.unwrap_or(config.quota_bytes);
                out(&format!("{}\t{}\t{quota}", account.name, account.vault));
            }
        }
        AccountCommand::Quota { name, bytes } => accounts.allow(&parse(&name)?, bytes)?,
        AccountCommand::Rm { name, yes } => {
            let account = accounts.named(&parse(&name)?)?.context("there is no such account")?;
            if !yes {
                bail!(
                    "what is kept for this account would be gone from here; nothing was changed: say --yes"
                );
            }
            drop(accounts);
            care::close(config, account.vault, now_ms)?;
        }
    }
    Ok(())
}

fn doctor(config: &Config) -> ExitCode {
    let looks = care::examine(config);
    for look in &looks {
        match &look.trouble {
            None => out(&format!("ok    {}", look.what)),
            Some(trouble) => out(&format!("LOOK  {}: {trouble}", look.what)),
        }
    }
    if looks.iter().all(|look| look.trouble.is_none()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
