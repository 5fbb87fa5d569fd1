//! A broker configured like a managed Kafka: it accepts only TLS, and only clients that log in.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use trusthub_events::Timestamp;

use crate::{executable::temporary_folder, wait_for};

use super::{
    broker::{Broker, unique_topic},
    credential_folder::CredentialFolder,
    node::{Node, USER, USER_PASSWORD},
};

/// The user of [`SecureBroker::renewable_variables`], whose password is not that of the broker itself.
const RENEWABLE_USER: &str = "carol";
const RENEWABLE_PASSWORD: &str = "carol-secret";

/// A day.
const DAY: Duration = Duration::from_secs(86_400);

/// What `openssl ca` requires.
const ISSUER: &str = "\
[ca]
default_ca = issuer
[issuer]
database = issued
new_certs_dir = .
unique_subject = no
rand_serial = yes
default_md = sha256
policy = names
[names]
commonName = supplied
";

/// How clients authenticate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication {
    /// SASL/SCRAM over TLS.
    Scram,
    /// SASL/PLAIN over TLS.
    Plain,
    /// Mutual TLS.
    MutualTls,
}

impl Authentication {
    fn mechanism(self) -> Option<&'static str> {
        match self {
            Self::Scram => Some("SCRAM-SHA-512"),
            Self::Plain => Some("PLAIN"),
            Self::MutualTls => None,
        }
    }
}

/// The host of the broker's certificate and its validity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    /// Valid for two days.
    Valid,
    /// Valid for ten days.
    Renewed,
    /// Valid for this time.
    ValidFor(Duration),
    /// Issued for another host.
    WrongHost,
}

/// The broker and the folder of its certificates, which is removed when this is dropped.
pub struct SecureBroker {
    /// The broker, as its administrator uses it.
    pub broker: Broker,
    folder: PathBuf,
    authentication: Authentication,
}

impl SecureBroker {
    /// Starts a broker with a valid certificate.
    pub fn start(authentication: Authentication) -> Self {
        Self::start_with(authentication, &[])
    }

    /// Starts a broker that requires client certificates, and permits everything to that of
    /// [`renewable_variables`](Self::renewable_variables), and nothing to [`other_client`](Self::other_client).
    pub fn start_with_permissions() -> Self {
        let properties = [
            ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
            // The broker calls the controller anonymously, on a separate listener.
            ("super.users", "User:CN=broker;User:CN=client;User:ANONYMOUS"),
        ];
        Self::start_with(Authentication::MutualTls, &properties)
    }

    fn start_with(authentication: Authentication, more: &[(&str, &str)]) -> Self {
        let folder = temporary_folder().join(unique_topic("certificates"));
        fs::create_dir_all(&folder).unwrap();
        make_authority(&folder, "authority");
        certify(&folder, "broker", Certificate::Valid);
        certify(&folder, "client", Certificate::Valid);
        let properties = properties(authentication, &folder);
        let properties = properties.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let properties: Vec<_> = properties.chain(more.iter().copied()).collect();
        let user = format!("SCRAM-SHA-512=[name={USER},password={USER_PASSWORD}]");
        let renewable = format!("SCRAM-SHA-512=[name={RENEWABLE_USER},password={RENEWABLE_PASSWORD}]");
        let users = ["--add-scram", &user, "--add-scram", &renewable];
        let mut node = Node::prepare_with(&unique_topic("secure"), &properties, &users);
        node.start();
        let login: Vec<_> =
            login(authentication, &folder).into_iter().map(|(name, value)| (property(name), value)).collect();
        let login: Vec<_> = login.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        Self { broker: Broker::ready(node.bootstrap(), &login, Some(node)), folder, authentication }
    }

    /// The variables with which the program can log in.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let more = [
            ("KAFKA_BOOTSTRAP_SERVERS", self.broker.bootstrap().to_owned()),
            // Also the time for a login, whose failure must be the cause that is reported.
            ("KAFKA_ACK_TIMEOUT_MS", "10000".to_owned()),
        ];
        more.into_iter().chain(login(self.authentication, &self.folder)).collect()
    }

    /// The variables with which the program can log in by files of its own in this folder, where this writes them: `ca.pem`,
    /// and `client.pem` with `client-key.pem` or `password`.
    pub fn renewable_variables(&self, files: &CredentialFolder) -> Vec<(&'static str, String)> {
        let path = |name: &str| files.file(name);
        let copy = |from: &str, to: &str| fs::copy(self.folder.join(from), files.path().join(to)).unwrap();
        copy("authority.pem", "ca.pem");
        let mut variables = self.variables();
        let replaced = ["KAFKA_SASL_PASSWORD", "KAFKA_SASL_USERNAME", "KAFKA_ACK_TIMEOUT_MS"];
        variables.retain(|(name, _)| !replaced.contains(name));
        // No test of a renewal is about a slow broker, and on a busy machine every broker is.
        variables.push(("KAFKA_ACK_TIMEOUT_MS", "12000".to_owned()));
        variables.push(("KAFKA_SSL_CA_LOCATION", path("ca.pem")));
        if self.authentication == Authentication::MutualTls {
            copy("client.pem", "client.pem");
            copy("client-key.pem", "client-key.pem");
            variables.push(("KAFKA_SSL_CERTIFICATE_LOCATION", path("client.pem")));
            variables.push(("KAFKA_SSL_KEY_LOCATION", path("client-key.pem")));
        } else {
            files.replace("password", RENEWABLE_PASSWORD);
            variables.push(("KAFKA_SASL_USERNAME", RENEWABLE_USER.to_owned()));
            variables.push(("KAFKA_SASL_PASSWORD_FILE", path("password")));
        }
        variables
    }

    /// A new client certificate and its key.
    pub fn renew_client(&self, certificate: Certificate) -> [String; 2] {
        self.issue("client", certificate)
    }

    /// The certificate of another user, and its key.
    pub fn other_client(&self) -> [String; 2] {
        self.issue("other", Certificate::Renewed)
    }

    fn issue(&self, user: &str, certificate: Certificate) -> [String; 2] {
        certify(&self.folder, user, certificate);
        ["", "-key"].map(|suffix| fs::read_to_string(self.folder.join(format!("{user}{suffix}.pem"))).unwrap())
    }

    /// Grants [`other_client`](Self::other_client) an operation on these topics.
    pub fn permit_other_client(&self, operation: &str, topics: &[&str]) {
        let [truststore, keystore] =
            ["authority.pem", "client-store.pem"].map(|name| self.folder.join(name).display().to_string());
        let settings = [
            ("security.protocol", "SSL"),
            ("ssl.truststore.type", "PEM"),
            ("ssl.truststore.location", &*truststore),
            ("ssl.keystore.type", "PEM"),
            ("ssl.keystore.location", &*keystore),
        ];
        let topics: Vec<_> = topics.iter().flat_map(|topic| ["--topic", topic]).collect();
        self.broker.node().grant_as(&settings, "CN=other", &[operation], &topics);
    }

    /// Changes the password of the user of [`renewable_variables`](Self::renewable_variables) at the broker.
    pub fn change_password(&self, password: &str) {
        let truststore = self.folder.join("authority.pem").display().to_string();
        let login = format!(
            "org.apache.kafka.common.security.scram.ScramLoginModule required username={USER} password={USER_PASSWORD};"
        );
        let settings = [
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanism", "SCRAM-SHA-512"),
            ("sasl.jaas.config", &*login),
            ("ssl.truststore.type", "PEM"),
            ("ssl.truststore.location", &*truststore),
        ];
        self.broker.node().set_scram_password(&settings, RENEWABLE_USER, password);
    }

    /// Restarts the broker with the certificate of a new authority, and returns that authority. Certificates of clients stay
    /// valid.
    pub fn restart_with_new_authority(&mut self) -> String {
        self.broker.stop();
        let former = fs::read(self.folder.join("authority.pem")).unwrap();
        make_authority(&self.folder, &unique_topic("authority"));
        certify(&self.folder, "broker", Certificate::Valid);
        let authority = fs::read_to_string(self.folder.join("authority.pem")).unwrap();
        fs::write(self.folder.join("authority.pem"), [authority.as_bytes(), &former].concat()).unwrap();
        self.broker.node.as_mut().expect("this broker was started here").start();
        self.broker.wait_until_ready();
        authority
    }

    /// Restarts the broker with this certificate; clients may reject it.
    pub fn restart_with(&mut self, certificate: Certificate) {
        self.broker.stop();
        certify(&self.folder, "broker", certificate);
        self.broker.node.as_mut().expect("this broker was started here").start();
        match certificate {
            Certificate::Valid | Certificate::Renewed | Certificate::ValidFor(_) => self.broker.wait_until_ready(),
            Certificate::WrongHost => {
                wait_for("the broker listens", || TcpStream::connect(self.broker.bootstrap()).ok());
            }
        }
    }
}

impl Drop for SecureBroker {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn properties(authentication: Authentication, folder: &Path) -> Vec<(String, String)> {
    let file = |name: &str| folder.join(name).display().to_string();
    let protocol = if authentication == Authentication::MutualTls { "SSL" } else { "SASL_SSL" };
    let mut properties = vec![
        ("listener.security.protocol.map".to_owned(), format!("CLIENT:{protocol},CONTROLLER:PLAINTEXT")),
        ("ssl.keystore.type".to_owned(), "PEM".to_owned()),
        ("ssl.keystore.location".to_owned(), file("broker-store.pem")),
        ("ssl.truststore.type".to_owned(), "PEM".to_owned()),
        ("ssl.truststore.location".to_owned(), file("authority.pem")),
        // For a client whose clock is days ahead.
        ("log.message.timestamp.after.max.ms".to_owned(), i64::MAX.to_string()),
    ];
    match authentication.mechanism() {
        Some(mechanism) => {
            let module = match authentication {
                Authentication::Plain => "plain.PlainLoginModule",
                _ => "scram.ScramLoginModule",
            };
            let users = if authentication == Authentication::Plain {
                format!(" user_{USER}={USER_PASSWORD}")
            } else {
                String::new()
            };
            let login = format!(
                "org.apache.kafka.common.security.{module} required username={USER} password={USER_PASSWORD}{users};"
            );
            let listener = format!("listener.name.client.{}.sasl.jaas.config", mechanism.to_lowercase());
            properties.extend([
                ("sasl.enabled.mechanisms".to_owned(), mechanism.to_owned()),
                ("sasl.mechanism.inter.broker.protocol".to_owned(), mechanism.to_owned()),
                (listener, login),
            ]);
        }
        None => properties.push(("ssl.client.auth".to_owned(), "required".to_owned())),
    }
    properties
}

/// The variables of a login.
fn login(authentication: Authentication, folder: &Path) -> Vec<(&'static str, String)> {
    let file = |name: &str| folder.join(name).display().to_string();
    let mut login = vec![("KAFKA_SSL_CA_LOCATION", file("authority.pem"))];
    match authentication.mechanism() {
        Some(mechanism) => login.extend([
            ("KAFKA_SECURITY_PROTOCOL", "sasl_ssl".to_owned()),
            ("KAFKA_SASL_MECHANISM", mechanism.to_owned()),
            ("KAFKA_SASL_USERNAME", USER.to_owned()),
            ("KAFKA_SASL_PASSWORD", USER_PASSWORD.to_owned()),
        ]),
        None => login.extend([
            ("KAFKA_SECURITY_PROTOCOL", "ssl".to_owned()),
            ("KAFKA_SSL_CERTIFICATE_LOCATION", file("client.pem")),
            ("KAFKA_SSL_KEY_LOCATION", file("client-key.pem")),
        ]),
    }
    login
}

/// librdkafka's name for a variable.
fn property(variable: &str) -> String {
    variable.trim_start_matches("KAFKA_").to_lowercase().replace('_', ".")
}

/// OpenSSL does not try a second authority of the same name.
fn make_authority(folder: &Path, name: &str) {
    fs::write(folder.join("issued"), "").unwrap();
    fs::write(folder.join("issuer.cnf"), ISSUER).unwrap();
    openssl(
        folder,
        &format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN={name} \
             -keyout authority-key.pem -out authority.pem"
        ),
    );
}

/// Creates `NAME.pem` and `NAME-key.pem`, and `NAME-store.pem` with both, the format that Kafka requires.
fn certify(folder: &Path, name: &str, certificate: Certificate) {
    let (names, lifetime) = match certificate {
        Certificate::Valid => ("IP:127.0.0.1", 2 * DAY),
        Certificate::Renewed => ("IP:127.0.0.1", 10 * DAY),
        Certificate::ValidFor(lifetime) => ("IP:127.0.0.1", lifetime),
        Certificate::WrongHost => ("DNS:elsewhere.example", 2 * DAY),
    };
    fs::write(folder.join("names.cnf"), format!("subjectAltName={names}\n")).unwrap();
    openssl(
        folder,
        &format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN={name} -keyout {name}-key.pem \
             -out {name}-request.pem"
        ),
    );
    // Only this command issues certificates that are valid for less than a day.
    let end = Timestamp::from(SystemTime::now() + lifetime).to_string();
    let end: String = end.split('.').next().unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
    openssl(
        folder,
        &format!(
            "ca -batch -notext -config issuer.cnf -cert authority.pem -keyfile authority-key.pem \
             -extfile names.cnf -enddate {end}Z -in {name}-request.pem -out {name}.pem"
        ),
    );
    let parts = ["{}-key.pem", "{}.pem"].map(|part| fs::read(folder.join(part.replace("{}", name))).unwrap());
    fs::write(folder.join(format!("{name}-store.pem")), parts.concat()).unwrap();
}

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl").args(arguments.split_whitespace()).current_dir(folder).output();
    let output = output.expect("openssl starts; scripts/setup installs it");
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}
