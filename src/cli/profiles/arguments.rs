//! The options of `profiles ls`.

use std::time::Duration;

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};

use crate::{
    domain::{AccountSid, Label, ProfileType, Resource, Status, Timestamp},
    profiles::{ProfileFilter, ProfileOrder, ProfileQuery, SortField},
    text::parse_duration,
};

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Only profiles with this status; may be repeated
    #[arg(long = "status", value_name = "STATUS", value_parser = label::<Status>())]
    statuses: Vec<Status>,
    /// Only profiles of this account; may be repeated
    #[arg(long = "account", value_name = "SID", value_parser = AccountSid::parse)]
    accounts: Vec<AccountSid>,
    /// Only profiles of this kind; may be repeated
    #[arg(long = "resource", value_name = "KIND", value_parser = label::<Resource>())]
    resources: Vec<Resource>,
    /// Only profiles of this type, which reconciliation learns from Trust Hub; may be repeated
    #[arg(long = "type", value_name = "TYPE", value_parser = label::<ProfileType>())]
    types: Vec<ProfileType>,
    /// Only profiles that were rejected with this error code; may be repeated
    #[arg(long = "code", value_name = "CODE")]
    codes: Vec<u32>,
    /// Only profiles that have had their present status for at least this time, such as 36h or 5d
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    older_than: Option<Duration>,
    /// Only approved profiles whose approval expires within this time, such as 30d, or has expired
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    expiring_within: Option<Duration>,
    /// What to sort by: the time since when a profile has had its status, the time of its last event, its name, its status,
    /// or the time when its approval expires. The earliest time comes first
    #[arg(long, value_name = "FIELD", default_value = "since", value_parser = label::<SortField>())]
    sort: SortField,
    /// Reverse the order. Profiles without the field stay last
    #[arg(long)]
    reverse: bool,
    /// List at most this many profiles
    #[arg(long, value_name = "NUMBER")]
    limit: Option<usize>,
    /// Print each state as the topic has it, as a JSON line
    #[arg(long)]
    pub(super) json: bool,
    /// Exit with code 3 if a profile matches
    #[arg(long)]
    pub(super) exit_code: bool,
}

impl Arguments {
    /// The query at this time.
    pub(super) fn query(&self, now: Timestamp) -> ProfileQuery {
        ProfileQuery {
            filter: ProfileFilter {
                statuses: self.statuses.clone(),
                accounts: self.accounts.clone(),
                resources: self.resources.clone(),
                types: self.types.clone(),
                codes: self.codes.clone(),
                since_at_latest: self.older_than.map(|age| now.before(age)),
                expires_at_latest: self.expiring_within.map(|time| now.after(time)),
            },
            order: ProfileOrder { field: self.sort, is_reversed: self.reverse },
            limit: self.limit,
        }
    }
}

/// Parses the name of a value, and lists all names in the help.
fn label<L: Label + Send + Sync>() -> impl TypedValueParser<Value = L> {
    let names = L::ALL.iter().map(|value| value.as_str());
    PossibleValuesParser::new(names).try_map(|name| L::named(&name).ok_or("unknown value"))
}
