//! The options of `reconcile`.

use clap::Args;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Report what would be published or changed, without doing it
    #[arg(long)]
    pub(super) dry_run: bool,
    /// With --dry-run: exit with code 3 if an event is missing
    #[arg(long, requires = "dry_run", conflicts_with = "set_callback")]
    pub(super) exit_code: bool,
    /// Also publish profiles that last changed before the topic's history starts, and give drafts a state in
    /// KAFKA_PROFILES_TOPIC
    #[arg(long, conflicts_with = "set_callback")]
    pub(super) baseline: bool,
    /// Also delete the states of profiles that Trust Hub does not have any more if these are more than ten and most of the
    /// profiles of an account
    #[arg(long, conflicts_with = "set_callback")]
    pub(super) delete_many: bool,
    /// Set this status callback URL on every profile that has none: either the public URL, to which the path for each
    /// kind of profile is added, or the URL of one such path. Asks Twilio to retry (#rc=5&rp=ct,rt,5xx) unless the URL
    /// has a fragment
    #[arg(long, value_name = "URL")]
    pub(super) set_callback: Option<String>,
    /// With --set-callback: also replace other URLs
    #[arg(long, requires = "set_callback")]
    pub(super) replace: bool,
    /// With --set-callback: do not ask Twilio to retry
    #[arg(long, requires = "set_callback")]
    pub(super) no_retries: bool,
}
