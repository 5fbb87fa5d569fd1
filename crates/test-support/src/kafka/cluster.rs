//! A cluster of several brokers, reached through proxies that inject network faults.

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
    broker::{Broker, SHORT_SESSION, START_DEADLINE, unique_topic},
    node::{self, Node, free_port},
    records,
};
use crate::{
    proxy::{Fault, TcpProxy},
    wait_for,
};

/// Brokers that each keep a copy of everything. With three brokers, a record needs two copies to be acknowledged.
pub struct Cluster {
    nodes: Vec<Node>,
    /// The brokers that do not run.
    stopped: BTreeSet<usize>,
    fault_proxies: Mutex<Vec<FaultProxy>>,
    direct: Broker,
}

/// A set of proxies to all brokers of a cluster, for a client that knows no other addresses.
pub struct FaultProxy {
    proxies: Vec<TcpProxy>,
}

impl FaultProxy {
    /// The value for `KAFKA_BOOTSTRAP_SERVERS`.
    pub fn bootstrap(&self) -> String {
        let addresses: Vec<_> = self.proxies.iter().map(|proxy| proxy.address().to_string()).collect();
        addresses.join(",")
    }

    /// The port at which the client reaches one broker.
    pub fn port(&self, broker: usize) -> u16 {
        self.proxies[broker].address().port()
    }

    /// Sets the fault of the network to every broker.
    pub fn set(&self, fault: Fault) {
        self.proxies.iter().for_each(|proxy| proxy.set(fault));
    }

    /// The same for one broker.
    pub fn set_one(&self, broker: usize, fault: Fault) {
        self.proxies[broker].set(fault);
    }

    /// The number of produce requests that were sent to any broker.
    pub fn produce_count(&self) -> usize {
        self.proxies.iter().map(TcpProxy::produce_count).sum()
    }

    /// Whether there is a broker whose connections have carried no data for this time.
    pub fn has_idle_broker(&self, duration: Duration) -> bool {
        self.proxies.iter().any(|proxy| proxy.is_idle_for(duration))
    }
}

/// The ports of one broker.
struct Ports {
    client: u16,
    controller: u16,
    fault_proxies: Vec<u16>,
}

impl Cluster {
    /// Starts this many brokers with this many fault proxies, and waits until all are up.
    pub fn start(name: &str, brokers: usize, fault_proxies: usize) -> Self {
        Self::start_with(name, brokers, fault_proxies, &[])
    }

    /// The same with these properties in addition to the usual ones.
    pub fn start_with(name: &str, brokers: usize, fault_proxies: usize, more: &[(&str, &str)]) -> Self {
        let ports = || Ports { client: free_port(), controller: free_port(), fault_proxies: free_ports(fault_proxies) };
        let ports: Vec<_> = (0..brokers).map(|_| ports()).collect();
        let fault_proxy = |fault_proxy: usize| {
            ports.iter().map(|broker| TcpProxy::before(local(broker.fault_proxies[fault_proxy]))).collect()
        };
        let fault_proxies: Vec<_> =
            (0..fault_proxies).map(|number| FaultProxy { proxies: fault_proxy(number) }).collect();
        let nodes = thread::scope(|scope| {
            let launch = |broker| {
                let properties = properties(broker, &ports, &fault_proxies);
                let name = unique_topic(&format!("{name}-{broker}"));
                scope.spawn(move || Node::launch(&name, &[&borrowed(&properties), more].concat()))
            };
            let launched: Vec<_> = (0..brokers).map(launch).collect();
            launched.into_iter().map(|node| node.join().unwrap()).collect()
        });
        let direct: Vec<_> = ports.iter().map(|ports| local(ports.client).to_string()).collect();
        let direct = Broker::of(direct.join(","), &[], None);
        let cluster = Self { nodes, stopped: BTreeSet::new(), fault_proxies: Mutex::new(fault_proxies), direct };
        cluster.wait_until_complete();
        cluster
    }

    /// A fault proxy that no other test uses; panics when all are taken.
    pub fn take_fault_proxy(&self) -> FaultProxy {
        self.fault_proxies.lock().unwrap().pop().expect("the cluster has a fault proxy for each test")
    }

    /// The cluster without proxies.
    pub fn direct(&self) -> &Broker {
        &self.direct
    }

    /// The number of brokers.
    pub fn size(&self) -> usize {
        self.nodes.len()
    }

    /// Shuts a broker down cleanly; its partitions get new leaders first.
    pub fn stop(&mut self, broker: usize) {
        if self.stopped.insert(broker) {
            self.nodes[broker].stop();
        }
    }

    /// Kills a broker as a crash would.
    pub fn kill(&mut self, broker: usize) {
        if self.stopped.insert(broker) {
            self.nodes[broker].process().kill();
        }
    }

    /// Starts the brokers that do not run, and waits until the cluster is complete.
    pub fn start_stopped(&mut self) {
        for broker in mem::take(&mut self.stopped) {
            self.nodes[broker].start();
        }
        self.wait_until_complete();
    }

    /// Waits until every broker is a member.
    fn wait_until_complete(&self) {
        let consumer = self.direct.consumer();
        let deadline = Instant::now() + START_DEADLINE;
        let members = || consumer.fetch_metadata(None, Duration::from_secs(1)).map(|all| all.brokers().len());
        while members().ok() != Some(self.size()) {
            assert!(Instant::now() < deadline, "the cluster is not complete\n{}", self.logs().join("\n\n"));
            // Nothing is assigned: this only delays the next request.
            consumer.poll(Duration::from_millis(50));
        }
    }

    /// Waits until every broker is in sync for the topic.
    pub fn wait_until_in_sync(&self, topic: &str) {
        let consumer = self.direct.consumer();
        wait_for("every broker is in sync for the topic", || {
            let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(1)).ok()?;
            let partitions = metadata.topics()[0].partitions();
            let whole = partitions.iter().all(|partition| partition.isr().len() == self.size());
            (whole && !partitions.is_empty()).then_some(())
        });
    }

    /// The broker that leads the first partition of the topic, once there is one.
    pub fn leader(&self, topic: &str) -> usize {
        let consumer = self.direct.consumer();
        records::partitions(&consumer, topic, Instant::now() + START_DEADLINE);
        wait_for("a leader", || {
            let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(1)).ok()?;
            let leader = metadata.topics()[0].partitions().first()?.leader();
            usize::try_from(leader - 1).ok()
        })
    }

    /// The number of idempotent producers that the broker knows in the first partition of the topic.
    pub fn producer_count(&self, topic: &str) -> usize {
        node::producer_count(self.direct.bootstrap(), topic)
    }

    /// The end of each broker's log.
    pub fn logs(&self) -> Vec<String> {
        self.nodes.iter().map(Node::end_of_log).collect()
    }
}

/// The properties that make a broker a member of the cluster.
fn properties(broker: usize, all: &[Ports], fault_proxies: &[FaultProxy]) -> Vec<(String, String)> {
    let voter = |(id, ports): (usize, &Ports)| format!("{id}@{}", local(ports.controller));
    let voters: Vec<_> = (1..).zip(all).map(voter).collect();
    let own = &all[broker];
    let client = format!("CLIENT://{}", local(own.client));
    let (mut listeners, mut advertised) = (vec![client.clone()], vec![client]);
    let mut protocols = "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned();
    for (number, (port, fault_proxy)) in own.fault_proxies.iter().zip(fault_proxies).enumerate() {
        listeners.push(format!("PROXY{number}://{}", local(*port)));
        advertised.push(format!("PROXY{number}://{}", fault_proxy.proxies[broker].address()));
        protocols.push_str(&format!(",PROXY{number}:PLAINTEXT"));
    }
    listeners.push(format!("CONTROLLER://{}", local(own.controller)));
    let (size, in_sync) = (all.len().to_string(), all.len().min(2).to_string());
    let own = [
        ("node.id", (broker + 1).to_string()),
        ("controller.quorum.voters", voters.join(",")),
        ("listeners", listeners.join(",")),
        ("advertised.listeners", advertised.join(",")),
        ("listener.security.protocol.map", protocols),
        ("default.replication.factor", size.clone()),
        ("offsets.topic.replication.factor", size.clone()),
        ("transaction.state.log.replication.factor", size),
        ("transaction.state.log.min.isr", in_sync.clone()),
        // The coordinators of several producers are on several brokers.
        ("transaction.state.log.num.partitions", all.len().to_string()),
        ("min.insync.replicas", in_sync),
        ("num.network.threads", "1".to_owned()),
        // Leaders move back soon after a broker restarts.
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
