//! A broker that clients log in to as to Amazon MSK by IAM.

use std::{fs, process::Command, sync::LazyLock, time::Duration};

use super::{
    broker::{Broker, unique_topic},
    node::{ADMIN_CLIENT, Node, class_path},
};
use crate::{
    aws::{REGION, SECRET_ACCESS_KEY},
    executable::{project_root, temporary_folder},
};

/// After this time, the broker ends a connection unless the client logs in again. It is that of no real cluster.
pub const MSK_SESSION: Duration = Duration::from_secs(6);

/// The broker that tests share, each with its own topics. Its administrator uses it with a password.
pub fn msk_broker() -> &'static Broker {
    static SHARED: LazyLock<Broker> = LazyLock::new(start);
    &SHARED
}

fn start() -> Broker {
    let classes = temporary_folder().join(unique_topic("msk-classes"));
    fs::create_dir_all(&classes).expect("the folder for temporary files is writable");
    let source = project_root().join("tests/kafka/MskIamValidator.java");
    let mut javac = Command::new("javac");
    javac.args(["-encoding", "UTF-8", "-cp", class_path(), "-d"]).arg(&classes).arg(source);
    let output = javac.output().unwrap_or_else(|error| panic!("{javac:?} does not start: {error}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let login = "org.apache.kafka.common.security.plain.PlainLoginModule required username=admin \
                 password=admin-secret user_admin=admin-secret;";
    let session = MSK_SESSION.as_millis().to_string();
    let properties = [
        ("listener.security.protocol.map", "CLIENT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT"),
        ("sasl.enabled.mechanisms", "PLAIN,OAUTHBEARER"),
        ("sasl.mechanism.inter.broker.protocol", "PLAIN"),
        ("listener.name.client.plain.sasl.jaas.config", login),
        (
            "listener.name.client.oauthbearer.sasl.jaas.config",
            "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;",
        ),
        ("listener.name.client.oauthbearer.sasl.server.callback.handler.class", "MskIamValidator"),
        ("listener.name.client.oauthbearer.connections.max.reauth.ms", &session),
    ];
    let options = [format!("-Dmsk.region={REGION}"), format!("-Dmsk.secret={SECRET_ACCESS_KEY}")];
    let options: Vec<_> = options.iter().map(String::as_str).collect();
    let mut node = Node::prepare_with_classes(&unique_topic("msk"), &properties, &options, &classes);
    node.start();
    Broker::ready(node.bootstrap(), &ADMIN_CLIENT, Some(node))
}
