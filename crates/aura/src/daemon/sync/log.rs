// SPDX-License-Identifier: MIT OR Apache-2.0
//! The access log of a server, looked at with each visit: that it only grows. Source: spec/access-log.md, ACL-7, ACL-8.

use aura_protocol::id::VaultId;
use aura_store::http::{Fault, LogFinding, Since};
use aura_vault::home::Home;
use pollster::block_on;

use super::Syncing;
use super::book::Kept;
use super::noted::{Kind, Noted};
use super::visit::Trip;
use crate::daemon::keeper::Keeper;
use crate::moment::now_ms;

impl Syncing {
    /// Looks at the log of a server that was reached. One that does not answer now is asked the next time.
    pub(super) fn look_at_log(
        &self,
        (keeper, vault): (&Keeper, VaultId),
        kept: &mut Kept,
        trip: &mut Trip,
    ) {
        let (Some(account), None) = (kept.site.account(), &trip.trouble) else { return };
        let line = self.lines.server(&Home::new(keeper.home()), vault, account);
        let Ok(server) = line else { return };
        let has_written = trip.pushed.heads > 0 || trip.chunks_pushed > 0;
        let since = if has_written { Since::Wrote } else { Since::Asked };
        let finding = match block_on(server.look_at_log(kept.log.as_ref(), since)) {
            Ok((mark, finding)) => {
                kept.log = mark;
                finding
            }
            Err(Fault::Answer(_)) => Some(LogFinding::Forked),
            Err(_) => None,
        };
        let kind = finding.map(|finding| match finding {
            LogFinding::Shrank => Kind::LogShrank,
            LogFinding::OtherKey => Kind::LogKey,
            LogFinding::Silent => Kind::LogSilent,
            _ => Kind::LogForked,
        });
        trip.found.extend(kind.map(|kind| Noted::new(kind, None, now_ms())));
    }
}
