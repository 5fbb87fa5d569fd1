//! A broker that records which permissions its user exercises.

use std::collections::BTreeSet;

use super::{
    broker::{Broker, unique_topic},
    node::{ADMIN_CLIENT, Node, USER},
};

/// An operation on a resource, spelled as `kafka-acls.sh` does but in lower case and without separators: `describeconfigs` on
/// `transactionalid` `x`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    /// `read`, `describeconfigs` and so on.
    pub operation: String,
    /// `topic`, `group`, `transactionalid` or `cluster`.
    pub kind: String,
    /// The whole name, or its beginning.
    pub name: String,
}

impl Permission {
    /// From names in any case, with or without separators.
    pub fn new(operation: &str, kind: &str, name: &str) -> Self {
        let plain = |text: &str| text.replace(['_', '-'], "").to_lowercase();
        Self { operation: plain(operation), kind: plain(kind), name: name.to_owned() }
    }
}

/// A restricted broker that logs each decision about [`USER`].
pub struct AuditedBroker(Broker);

impl AuditedBroker {
    /// Starts a broker where the user has no permission.
    pub fn start(name: &str) -> Self {
        let node = Node::launch_restricted(&unique_topic(name), &["-Dauthorizer.level=debug"]);
        Self(Broker::restricted(node, &ADMIN_CLIENT))
    }

    /// The broker, whose methods act as its administrator.
    pub fn broker(&self) -> &Broker {
        &self.0
    }

    /// Permits the user these operations on a `topic`, a `group` or a `transactional-id` with this name, or with this
    /// beginning if the pattern is `prefixed`.
    pub fn grant(&self, operations: &[&str], kind: &str, name: &str, pattern: &str) {
        self.0.node().grant(operations, kind, name, pattern);
    }

    /// What the user was permitted to do, and what not.
    pub fn decisions(&self) -> (BTreeSet<Permission>, BTreeSet<Permission>) {
        let log = self.0.node().log();
        let about_user = format!("Principal = User:{USER} is ");
        let decisions =
            log.lines().filter_map(|line| line.split_once(&about_user)).filter_map(|(_, decision)| parse(decision));
        let (allowed, denied): (Vec<_>, Vec<_>) = decisions.partition(|(is_allowed, _)| *is_allowed);
        [allowed, denied].map(|decisions| decisions.into_iter().map(|(_, permission)| permission).collect()).into()
    }
}

/// A decision such as `Allowed operation = READ from host = 127.0.0.1 on resource = Topic:LITERAL:events for request = …`.
fn parse(decision: &str) -> Option<(bool, Permission)> {
    let (verdict, rest) = decision.split_once(" operation = ")?;
    let (operation, rest) = rest.split_once(" from host = ")?;
    let (_, resource) = rest.split_once(" on resource = ")?;
    let (resource, _) = resource.split_once(" for request = ")?;
    let [kind, _, name] = resource.splitn(3, ':').collect::<Vec<_>>()[..] else { return None };
    Some((verdict == "Allowed", Permission::new(operation, kind, name)))
}
