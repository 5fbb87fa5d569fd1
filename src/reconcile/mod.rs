//! Compares Trust Hub with the event topic, and publishes the status changes that no callback announced.
//!
//! Twilio does not resend a lost callback, but its API returns the current state of each profile. The topic shows what
//! consumers believe. There is no other memory: every run reads the states of profiles and the events after them, or the
//! whole topic. Each difference becomes an event with the origin `reconciliation`, which is published like any other event,
//! through the [`pipeline`](crate::pipeline).
//!
//! | Module | Does |
//! | --- | --- |
//! | `run` | one run: reads the topic, lists the profiles, and has differences repaired |
//! | `view` | what consumers believe, by the rules of `docs/events.md` |
//! | `plan` | classifies a difference between Trust Hub and the topic |
//! | `repair` | fetches and publishes a missed status without overwriting a newer one |
//! | `notices` | publishes what only Trust Hub knows, for the states of profiles |
//! | `deletions` | finds the profiles that Trust Hub does not have any more |
//! | `schedule` | periodic runs in the service |
//! | `service_urls` | recognizes the status callbacks that lead to this service |
//! | `without_callback` | shows how many do not, on the instance that made the last run |
//! | `callback_urls` | sets the status callback URLs of all profiles |
//! | `finding`, `observer`, `report` | what a run reports, and to whom |

mod callback_urls;
mod candidate;
mod client_error;
mod deletions;
mod finding;
#[cfg(test)]
mod fixtures;
mod metrics;
mod notices;
mod numbers;
mod observer;
mod plan;
mod repair;
mod report;
mod run;
mod run_error;
mod schedule;
mod service_urls;
mod takeover;
#[cfg(test)]
mod tests;
mod view;
mod without_callback;

pub(crate) use self::{
    callback_urls::{CallbackUrl, UrlChange, UrlUpdate, UrlUpdater},
    finding::{Action, Finding, ListFailure},
    metrics::ReconcileMetrics,
    observer::{Observer, ReconcileProgress},
    report::ReconcileSummary,
    run::{Reconciler, RunOptions},
    run_error::RunError,
    schedule::Schedule,
    service_urls::ServiceUrls,
};
