// SPDX-License-Identifier: MIT OR Apache-2.0
//! Challenges, logins that have begun, and tokens, where every node finds them: a device may ask one node and answer
//! another.
//!
//! Of tokens and of the names of logins only hashes are kept. What a login rests on is there for a minute, for whoever
//! reads the database as for whoever reads a server's memory. Times are the database's. Source: spec/http.md, ACC-3, ACC-5, ACC-11.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aura_protocol::auth::login::Halfway;
use aura_protocol::auth::{AccountName, Token};
use aura_protocol::id::{DeviceId, Hash, VaultId};
use aura_protocol::store::StoreError;
use aura_store::postgres::{Database, Row, ToSql};

use super::accounts::bytes;
use crate::token::{
    HALFWAY, Login, Passes, Scope, Session, TOKEN_SECONDS, TOKENS_MAX, VAULT_TOKENS_MAX,
    WAITING_MAX,
};

/// What counts for minutes, for all nodes.
#[derive(Debug)]
pub(crate) struct SharedTokens {
    database: Arc<Database>,
}

impl SharedTokens {
    pub(super) fn new(database: Arc<Database>) -> Self {
        Self { database }
    }
}

impl Passes for SharedTokens {
    fn is_near(&self) -> bool {
        false
    }

    fn challenge(&self, nonce: Hash, (vault, device): (VaultId, DeviceId)) -> Kept {
        let sql = concat!(
            "INSERT INTO challenges (nonce, vault, device, until_ms) VALUES ($1, $2, $3, $4 + ",
            clock!(),
            ")"
        );
        let life = ms(HALFWAY);
        self.keep(|database| {
            let values: [&[u8]; 3] = [&nonce.0, &vault.0, &device.0];
            database.ask(|asking| asking.change(sql, &[&values[0], &values[1], &values[2], &life]))
        })
    }

    fn answer(
        &self,
        nonce: Hash,
        (vault, device): (VaultId, DeviceId),
    ) -> Result<bool, StoreError> {
        // Gone in any case: a nonce counts once.
        let sql = concat!(
            "DELETE FROM challenges WHERE nonce = $1 RETURNING vault, device, until_ms > ",
            clock!()
        );
        let rows = self.database.ask(|asking| asking.query(sql, &[&&nonce.0[..]]))?;
        Ok(rows.first().is_some_and(|row| {
            let is_its = bytes(row, 0) == Some(&vault.0) && bytes(row, 1) == Some(&device.0);
            is_its && row.try_get(2).unwrap_or(false)
        }))
    }

    fn begin(&self, login: [u8; 16], begun: Login) -> Kept {
        let sql = concat!(
            "INSERT INTO logins (login, name, transport, vault, halfway, until_ms, record)
             VALUES ($1, $2, $3, $4, $5, $6 + ",
            clock!(),
            ", $7)"
        );
        let (login, life) = (Hash::of(&[&login]), ms(HALFWAY));
        let Login { name, transport, vault, record, halfway } = begun;
        let record = record.map(|record| record.0.to_vec());
        let (vault, halfway) = (vault.map(|vault| vault.0.to_vec()), halfway.into_bytes());
        self.keep(|database| {
            database.ask(|asking| {
                let (name, halfway) = (name.as_str(), &halfway[..]);
                let login = &login.0[..];
                let values: [&(dyn ToSql + Sync); 7] =
                    [&login, &name, &&transport[..], &vault, &halfway, &life, &record];
                asking.change(sql, &values)
            })
        })
    }

    fn end(&self, login: &[u8; 16]) -> Result<Option<Login>, StoreError> {
        let sql = concat!(
            "DELETE FROM logins WHERE login = $1
             RETURNING name, transport, vault, halfway, until_ms > ",
            clock!(),
            ", record"
        );
        let login = Hash::of(&[login]);
        let rows = self.database.ask(|asking| asking.query(sql, &[&&login.0[..]]))?;
        let begun = |row: &Row| {
            let vault: Option<&[u8]> = row.try_get(2).ok()?;
            let record: Option<&[u8]> = row.try_get(5).ok()?;
            let login = Login {
                name: AccountName::parse(row.try_get(0).ok()?).ok()?,
                transport: bytes(row, 1)?.try_into().ok()?,
                vault: vault.and_then(VaultId::from_slice),
                record: record.and_then(Hash::from_slice),
                halfway: Halfway::from_bytes(bytes(row, 3)?).ok()?,
            };
            row.try_get::<_, bool>(4).ok()?.then_some(login)
        };
        Ok(rows.first().and_then(begun))
    }

    fn grant(&self, token: &Token, session: &Session) -> Kept {
        let sql = concat!(
            "INSERT INTO sessions (token, vault, device, transport, until_ms)
             VALUES ($1, $2, $3, $4, $5 + ",
            clock!(),
            ")"
        );
        let (token, vault) = (Hash::of(&[&token.0]), session.vault);
        let (device, transport) = match session.scope {
            Scope::Device(device) => (Some(device.0.to_vec()), None),
            Scope::Enrolment(transport) => (None, Some(transport.to_vec())),
        };
        let life = ms(Duration::from_secs(TOKEN_SECONDS));
        self.keep(|database| {
            database.ask(|asking| {
                asking.change(sql, &[&&token.0[..], &&vault.0[..], &device, &transport, &life])?;
                // Of too many the oldest go, and this one stays.
                let sql = "DELETE FROM sessions WHERE token IN (
                    SELECT token FROM sessions WHERE vault = $1 AND token <> $2
                    ORDER BY until_ms DESC OFFSET $3)";
                let others = count(VAULT_TOKENS_MAX).saturating_sub(1);
                asking.change(sql, &[&&vault.0[..], &&token.0[..], &others])
            })
        })
    }

    fn session(&self, token: &Token) -> Result<Option<Session>, StoreError> {
        let sql = concat!(
            "SELECT vault, device, transport, until_ms - ",
            clock!(),
            " FROM sessions WHERE token = $1 AND until_ms > ",
            clock!()
        );
        let token = Hash::of(&[&token.0]);
        let rows = self.database.ask(|asking| asking.query(sql, &[&&token.0[..]]))?;
        let session = |row: &Row| {
            let device: Option<&[u8]> = row.try_get(1).ok()?;
            let transport: Option<&[u8]> = row.try_get(2).ok()?;
            let scope = match (device, transport) {
                (Some(device), _) => Scope::Device(DeviceId::from_slice(device)?),
                (None, transport) => Scope::Enrolment(transport?.try_into().ok()?),
            };
            let left = Duration::from_millis(u64::try_from(row.try_get::<_, i64>(3).ok()?).ok()?);
            let passed = Duration::from_secs(TOKEN_SECONDS).saturating_sub(left);
            let since = Instant::now().checked_sub(passed).unwrap_or_else(Instant::now);
            Some(Session { vault: VaultId::from_slice(bytes(row, 0)?)?, scope, since })
        };
        Ok(rows.first().and_then(session))
    }

    fn revoke(&self, token: &Token) -> Result<(), StoreError> {
        let (sql, token) = ("DELETE FROM sessions WHERE token = $1", Hash::of(&[&token.0]));
        self.database.ask(|asking| asking.change(sql, &[&&token.0[..]]).map(drop))
    }

    fn forget(&self, vault: VaultId) -> Result<(), StoreError> {
        self.database.ask_in_one(|asking| {
            asking.change("DELETE FROM sessions WHERE vault = $1", &[&&vault.0[..]])?;
            asking.change("DELETE FROM logins WHERE vault = $1", &[&&vault.0[..]]).map(drop)
        })
    }

    fn forget_logins(&self, vault: VaultId) -> Result<(), StoreError> {
        self.database.ask_in_one(|asking| {
            let sql = "DELETE FROM sessions WHERE vault = $1 AND device IS NULL";
            asking.change(sql, &[&&vault.0[..]])?;
            asking.change("DELETE FROM logins WHERE vault = $1", &[&&vault.0[..]]).map(drop)
        })
    }

    fn tidy(&self) -> Result<(), StoreError> {
        self.database.ask::<_, StoreError>(|asking| {
            for sql in [
                concat!("DELETE FROM challenges WHERE until_ms <= ", clock!()),
                concat!("DELETE FROM logins WHERE until_ms <= ", clock!()),
                concat!("DELETE FROM sessions WHERE until_ms <= ", clock!()),
            ] {
                asking.change(sql, &[])?;
            }
            // Where there are too many, the oldest go, so that whoever comes now is not kept out by them.
            for (sql, max) in TRIMMED {
                asking.change(sql, &[&count(max)])?;
            }
            Ok(())
        })
    }
}

fn ms(lasting: Duration) -> i64 {
    i64::try_from(lasting.as_millis()).unwrap_or(i64::MAX)
}

/// So many at once, and what takes the others away.
const TRIMMED: [(&str, usize); 3] = [
    (
        "DELETE FROM challenges WHERE nonce IN (
            SELECT nonce FROM challenges ORDER BY until_ms DESC OFFSET $1)",
        WAITING_MAX,
    ),
    (
        "DELETE FROM logins WHERE login IN (
            SELECT login FROM logins ORDER BY until_ms DESC OFFSET $1)",
        WAITING_MAX,
    ),
    (
        "DELETE FROM sessions WHERE token IN (
            SELECT token FROM sessions ORDER BY until_ms DESC OFFSET $1)",
        TOKENS_MAX,
    ),
];

fn count(of: usize) -> i64 {
    i64::try_from(of).unwrap_or(i64::MAX)
}

/// It is kept.
type Kept = Result<(), StoreError>;

impl SharedTokens {
    fn keep(&self, keep: impl FnOnce(&Database) -> Result<u64, StoreError>) -> Kept {
        keep(&self.database).map(drop)
    }
}
