//! Several brokers, and doors to them: what goes through a door meets what its network does.

use std::{
    collections::BTreeSet,
    mem,
    net::SocketAddr,
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use rdkafka::consumer::Consumer as _;

use super::{
    Broker, SHORT_SESSION, START_DEADLINE,
    node::{Node, free_port},
    records, unique_topic,
};
use crate::support::{
    proxy::{Fault, Proxy},
    wait_for,
};

/// Brokers that keep a copy of everything each, and acknowledge what is in two copies when there are three.
pub(crate) struct Cluster {
    nodes: Vec<Node>,
    /// Which brokers do not run.
    away: BTreeSet<usize>,
    doors: Mutex<Vec<Door>>,
    direct: Broker,
}

/// A way to all brokers of a cluster through proxies, for clients that know no other.
pub(crate) struct Door {
    proxies: Vec<Proxy>,
}

impl Door {
    /// What goes into `KAFKA_BOOTSTRAP_SERVERS`.
    pub(crate) fn bootstrap(&self) -> String {
        let addresses: Vec<_> = self.proxies.iter().map(|proxy| proxy.address().to_string()).collect();
        addresses.join(",")
    }

    /// The port that the client knows of one broker.
    pub(crate) fn port(&self, broker: usize) -> u16 {
        self.proxies[broker].address().port()
    }

    /// From now on the network does this, towards every broker.
    pub(crate) fn set(&self, fault: Fault) {
        self.proxies.iter().for_each(|proxy| proxy.set(fault));
    }

    /// The same towards one of them.
    pub(crate) fn set_one(&self, broker: usize, fault: Fault) {
        self.proxies[broker].set(fault);
    }

    /// Whether there is a broker to which no connection has carried anything for so long.
    pub(crate) fn has_idle_broker(&self, duration: Duration) -> bool {
        self.proxies.iter().any(|proxy| proxy.is_idle_for(duration))
    }
}

/// The addresses of one broker.
struct Ports {
    client: u16,
    controller: u16,
    doors: Vec<u16>,
}

impl Cluster {
    /// So many brokers with so many doors, all up.
    pub(crate) fn start(name: &str, brokers: usize, doors: usize) -> Self {
        let ports = || Ports { client: free_port(), controller: free_port(), doors: free_ports(doors) };
        let ports: Vec<_> = (0..brokers).map(|_| ports()).collect();
        let door = |door: usize| ports.iter().map(|broker| Proxy::before(local(broker.doors[door]))).collect();
        let doors: Vec<_> = (0..doors).map(|number| Door { proxies: door(number) }).collect();
        let nodes = thread::scope(|scope| {
            let launch = |broker| {
                let properties = properties(broker, &ports, &doors);
                let name = unique_topic(&format!("{name}-{broker}"));
                scope.spawn(move || Node::launch(&name, &borrowed(&properties)))
            };
            let launched: Vec<_> = (0..brokers).map(launch).collect();
            launched.into_iter().map(|node| node.join().unwrap()).collect()
        });
        let direct: Vec<_> = ports.iter().map(|ports| local(ports.client).to_string()).collect();
        let direct = Broker::of(direct.join(","), &[], None);
        let cluster = Self { nodes, away: BTreeSet::new(), doors: Mutex::new(doors), direct };
        cluster.wait_until_whole();
        cluster
    }

    /// A door that nobody else goes through, as long as there is one.
    pub(crate) fn take_door(&self) -> Door {
        self.doors.lock().unwrap().pop().expect("the cluster has a door for everybody")
    }

    /// The cluster past all doors.
    pub(crate) fn direct(&self) -> &Broker {
        &self.direct
    }

    pub(crate) fn size(&self) -> usize {
        self.nodes.len()
    }

    /// Shuts a broker down in good order; its leaders move before it goes.
    pub(crate) fn stop(&mut self, broker: usize) {
        if self.away.insert(broker) {
            self.nodes[broker].stop();
        }
    }

    /// Ends a broker as a crash would.
    pub(crate) fn kill(&mut self, broker: usize) {
        if self.away.insert(broker) {
            self.nodes[broker].kill();
        }
    }

    /// Starts the brokers that do not run, and waits until the cluster is whole.
    pub(crate) fn bring_back(&mut self) {
        for broker in mem::take(&mut self.away) {
            self.nodes[broker].start();
        }
        self.wait_until_whole();
    }

    /// Waits until every broker is a member.
    fn wait_until_whole(&self) {
        let consumer = self.direct.consumer();
        let deadline = Instant::now() + START_DEADLINE;
        let members = || consumer.fetch_metadata(None, Duration::from_secs(1)).map(|all| all.brokers().len());
        while members().ok() != Some(self.size()) {
            assert!(Instant::now() < deadline, "the cluster is not whole\n{}", self.logs().join("\n\n"));
            // Nothing is assigned: this only lets the next question wait a moment.
            consumer.poll(Duration::from_millis(50));
        }
    }

    /// Waits until every broker has all of the topic.
    pub(crate) fn wait_until_in_sync(&self, topic: &str) {
        let consumer = self.direct.consumer();
        wait_for("every broker has all of the topic", || {
            let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(1)).ok()?;
            let partitions = metadata.topics()[0].partitions();
            let whole = partitions.iter().all(|partition| partition.isr().len() == self.size());
            (whole && !partitions.is_empty()).then_some(())
        });
    }

    /// The broker that leads the first partition of the topic, once there is one.
    pub(crate) fn leader(&self, topic: &str) -> usize {
        let consumer = self.direct.consumer();
        records::partitions(&consumer, topic, Instant::now() + START_DEADLINE);
        wait_for("a leader", || {
            let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(1)).ok()?;
            let leader = metadata.topics()[0].partitions().first()?.leader();
            usize::try_from(leader - 1).ok()
        })
    }

    /// What each broker said last.
    pub(crate) fn logs(&self) -> Vec<String> {
        self.nodes.iter().map(Node::end_of_log).collect()
    }
}

/// What makes a broker of its own a member of the cluster.
fn properties(broker: usize, all: &[Ports], doors: &[Door]) -> Vec<(String, String)> {
    let voter = |(id, ports): (usize, &Ports)| format!("{id}@{}", local(ports.controller));
    let voters: Vec<_> = (1..).zip(all).map(voter).collect();
    let own = &all[broker];
    let client = format!("CLIENT://{}", local(own.client));
    let (mut listeners, mut advertised) = (vec![client.clone()], vec![client]);
    let mut protocols = "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned();
    for (number, (port, door)) in own.doors.iter().zip(doors).enumerate() {
        listeners.push(format!("DOOR{number}://{}", local(*port)));
        advertised.push(format!("DOOR{number}://{}", door.proxies[broker].address()));
        protocols.push_str(&format!(",DOOR{number}:PLAINTEXT"));
    }
    listeners.push(format!("CONTROLLER://{}", local(own.controller)));
    let size = all.len().to_string();
    let own = [
        ("node.id", (broker + 1).to_string()),
        ("controller.quorum.voters", voters.join(",")),
        ("listeners", listeners.join(",")),
        ("advertised.listeners", advertised.join(",")),
        ("listener.security.protocol.map", protocols),
        ("default.replication.factor", size.clone()),
        ("offsets.topic.replication.factor", size),
        ("min.insync.replicas", all.len().min(2).to_string()),
        ("num.network.threads", "1".to_owned()),
        // Leaders go back to where they were soon after a broker is back.
        ("leader.imbalance.check.interval.seconds", "2".to_owned()),
        ("leader.imbalance.per.broker.percentage", "0".to_owned()),
    ];
    let short = SHORT_SESSION.map(|(name, value)| (name, value.to_owned()));
    own.into_iter().chain(short).map(|(name, value)| (name.to_owned(), value)).collect()
}

fn borrowed(properties: &[(String, String)]) -> Vec<(&str, &str)> {
    properties.iter().map(|(name, value)| (&name[..], &value[..])).collect()
}

fn free_ports(count: usize) -> Vec<u16> {
    (0..count).map(|_| free_port()).collect()
}

fn local(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}
