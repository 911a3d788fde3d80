// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the operator can count: requests, bytes, time, refusals. Nothing names an account or a vault.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Upper ends of the classes of durations, in seconds.
const DURATIONS: [f64; 10] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    path: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Path {
    path: &'static str,
}

/// Counts, since the start.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    durations: Family<Path, Histogram>,
    received: Counter,
    sent: Counter,
    failed_logins: Counter,
    open_vaults: Gauge<u64, AtomicU64>,
    watchers: Gauge<u64, AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("aura_server");
        let requests = Family::<Request, Counter>::default();
        registry.register("requests", "Requests by path and status", requests.clone());
        let durations =
            Family::<Path, Histogram>::new_with_constructor(|| Histogram::new(DURATIONS));
        let help = "Time until a request's answer begins";
        registry.register_with_unit("request_duration", help, Unit::Seconds, durations.clone());
        let (received, sent, failed_logins) =
            (Counter::default(), Counter::default(), Counter::default());
        let help = "Sealed bytes that were taken";
        registry.register_with_unit("received", help, Unit::Bytes, received.clone());
        let help = "Sealed bytes that were given out";
        registry.register_with_unit("sent", help, Unit::Bytes, sent.clone());
        registry.register("failed_logins", "Logins that did not end well", failed_logins.clone());
        let (open_vaults, watchers) = (Gauge::default(), Gauge::default());
        registry.register("open_vaults", "Vaults whose files are open", open_vaults.clone());
        registry.register("watchers", "Devices that wait for news", watchers.clone());
        Self { registry, requests, durations, received, sent, failed_logins, open_vaults, watchers }
    }
}

impl Metrics {
    /// Counts an answer.
    pub(crate) fn answered(&self, path: &'static str, status: u16, took: Duration) {
        self.requests.get_or_create(&Request { path, status }).inc();
        self.durations.get_or_create(&Path { path }).observe(took.as_secs_f64());
    }

    /// Counts sealed bytes that were taken.
    pub(crate) fn received(&self, bytes: usize) {
        self.received.inc_by(bytes as u64);
    }

    /// Counts sealed bytes that were given out.
    pub(crate) fn sent(&self, bytes: usize) {
        self.sent.inc_by(bytes as u64);
    }

    /// Counts a login that did not end well.
    pub(crate) fn failed_login(&self) {
        self.failed_logins.inc();
    }

    /// Everything, in the text format of OpenMetrics.
    pub(crate) fn to_text(&self, open_vaults: usize, watchers: usize) -> String {
        self.open_vaults.set(open_vaults as u64);
        self.watchers.set(watchers as u64);
        let mut text = String::new();
        // Writing to a string does not fail.
        encode(&mut text, &self.registry).ok();
        text
    }
}
