//! The one list of variables: which are ours, what they default to, what they mean.

/// Stands in [`Variable::default`] where a value must be given.
pub(super) const REQUIRED: &str = "required";
/// Stands in [`Variable::default`] where no value is a meaning of its own.
pub(super) const ABSENT: &str = "–";

const SECRET: bool = true;
const OPEN: bool = false;

/// An environment variable that this service reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// The name, exactly as it is read.
    pub name: &'static str,
    /// The value that holds when the variable is not set; `required` or `–` where there is none.
    pub default: &'static str,
    /// What it means, in a sentence for the reference.
    pub meaning: &'static str,
    /// Whether the value must never be shown.
    pub secret: bool,
}

impl Variable {
    /// The value that holds when the variable is not set.
    pub(super) fn fallback(&self) -> Option<&'static str> {
        (self.default != REQUIRED && self.default != ABSENT).then_some(self.default)
    }
}

macro_rules! variables {
    ($($name:ident: $secret:expr, $default:expr, $meaning:expr;)*) => {
        $(pub(super) const $name: Variable =
            Variable { name: stringify!($name), default: $default, meaning: $meaning, secret: $secret };)*

        /// Every variable that is read, in the order of the reference and of `describe`.
        pub const VARIABLES: &[Variable] = &[$($name),*];
    };
}

variables! {
    HTTP_BIND: OPEN, "0.0.0.0:8080",
        "address and port of the public listener, which takes callbacks only";
    HTTP_MAX_BODY_BYTES: OPEN, "65536",
        "largest request body, 1 to 1048576; a larger one is answered 413";
    HTTP_REQUEST_TIMEOUT_MS: OPEN, "10000",
        "time for a whole request including a slow body, 100 to 14000, since Twilio waits 15 s";
    HTTP_MAX_CONNECTIONS: OPEN, "4096",
        "callbacks worked on at the same time, 1 to 65536, more are answered 503; a quarter more connections are held, and the one that has waited longest makes room for a new one";
    HTTP_KEEP_ALIVE_SECS: OPEN, "75",
        "time after which an idle connection is closed, 1 to 3600; longer than the proxy keeps it, so above 600 behind Google's load balancers";
    ADMIN_BIND: OPEN, "0.0.0.0:9090",
        "address and port of the listener for probes and metrics; never route it to the outside";
    PUBLIC_URL: OPEN, REQUIRED,
        "base URL as Twilio calls it, such as `https://hooks.example.com`, with port and path prefix if it has them; a comma list while moving";
    TWILIO_AUTH_TOKEN: SECRET, REQUIRED,
        "auth token that signs the callbacks, unless `TWILIO_AUTH_TOKEN_FILE` or `TWILIO_ACCOUNTS_FILE` is set; a comma list during rotation, the current one first";
    TWILIO_AUTH_TOKEN_FILE: OPEN, ABSENT,
        "path of a file that holds what `TWILIO_AUTH_TOKEN` would; read again when it changes";
    TWILIO_ACCOUNT_SID: OPEN, ABSENT,
        "account that the token belongs to (`AC…`); callbacks of other accounts are refused";
    TWILIO_ACCOUNTS_FILE: OPEN, ABSENT,
        "path of a JSON file with the tokens of many accounts, `{\"AC…\": [\"token\", …], …}`; read again when it changes; callbacks without `AccountSid` and of accounts not listed are refused";
    SIGNATURE_MODE: OPEN, "enforce",
        "`enforce`, or `report-only` for the first days: a callback whose signature does not match is then answered 204 and kept in the dead-letter topic, within limits, never as an event";
    DEDUP_WINDOW_SECS: OPEN, "600",
        "time in which a callback that comes again is recognised and not published again, 0 (never) to 86400; at most 100000 are remembered";
    KAFKA_BOOTSTRAP_SERVERS: OPEN, REQUIRED,
        "brokers to begin with, a comma list of `host:port`";
    KAFKA_TOPIC: OPEN, "trusthub.profile-status-changed",
        "topic of the events";
    KAFKA_DEAD_LETTER_TOPIC: OPEN, "trusthub.callbacks-unprocessable",
        "topic of callbacks that Twilio signed but that are not understood";
    KAFKA_CREATE_TOPICS: OPEN, "true",
        "`true` or `false`: whether missing topics are created";
    KAFKA_TOPIC_PARTITIONS: OPEN, "6",
        "partitions of a topic that is created, 1 to 10000";
    KAFKA_TOPIC_REPLICATION: OPEN, ABSENT,
        "replication of a topic that is created, 1 to 32; not set, the broker's default holds";
    KAFKA_SECURITY_PROTOCOL: OPEN, "plaintext",
        "`plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`";
    KAFKA_SASL_MECHANISM: OPEN, ABSENT,
        "`PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`; required by the SASL protocols";
    KAFKA_SASL_USERNAME: OPEN, ABSENT,
        "user name; required by the SASL protocols";
    KAFKA_SASL_PASSWORD: SECRET, ABSENT,
        "password; required by the SASL protocols, unless `KAFKA_SASL_PASSWORD_FILE` is set";
    KAFKA_SASL_PASSWORD_FILE: OPEN, ABSENT,
        "path of a file that holds what `KAFKA_SASL_PASSWORD` would";
    KAFKA_SSL_CA_LOCATION: OPEN, "probe",
        "file or folder of the certificate authorities (PEM) that the TLS protocols trust; `probe` finds the system's";
    KAFKA_SSL_CERTIFICATE_LOCATION: OPEN, ABSENT,
        "file of the client certificate (PEM) for mutual TLS; needs `KAFKA_SSL_KEY_LOCATION`";
    KAFKA_SSL_KEY_LOCATION: OPEN, ABSENT,
        "file of the client's private key (PEM, without passphrase); needs `KAFKA_SSL_CERTIFICATE_LOCATION`";
    KAFKA_PROPERTIES: OPEN, ABSENT,
        "more librdkafka properties, `key=value;key=value`; those that would break a promise are refused";
    KAFKA_ACK_TIMEOUT_MS: OPEN, "5000",
        "time from the hand-over of a record to Kafka's acknowledgement, 100 to 14000, since Twilio waits 15 s; after it the event goes to the spool";
    SPOOL_DIR: OPEN, "./spool",
        "folder of the durable queue on disk in which events wait while Kafka does not take them; one for each process";
    SPOOL_MAX_BYTES: OPEN, "1073741824",
        "bytes of records in the spool, 1024 to 2^50; beyond it callbacks are answered 503";
    SPOOL_MIN_FREE_BYTES: OPEN, "67108864",
        "bytes that the spool leaves free on its disk, 0 to 2^50; below it callbacks are answered 503";
    TRUSTHUB_BASE_URL: OPEN, "https://trusthub.twilio.com",
        "address of Trust Hub's REST API, to which the credentials of the accounts are sent; `http://` is for simulators";
    RECONCILE_INTERVAL_SECS: OPEN, "0",
        "time from one comparison of Trust Hub with the topic to the next, 1 to 604800, or 0 for none; needs an account, from `TWILIO_ACCOUNT_SID` or `TWILIO_ACCOUNTS_FILE`";
    SHUTDOWN_DELAY_SECS: OPEN, "5",
        "time after SIGTERM in which the service is not ready but still serves in full, 0 to 600";
    SHUTDOWN_TIMEOUT_SECS: OPEN, "20",
        "time after that delay to finish what was received, 1 to 600";
    SIMULATOR_BIND: OPEN, "127.0.0.1:8090",
        "address and port of the Trust Hub simulator, `simulate` and `dev`; whoever reaches it may decide reviews";
    SIMULATOR_STATE: OPEN, ABSENT,
        "file in which the simulator keeps its profiles; not set, they are gone when it ends";
    LOG_FORMAT: OPEN, ABSENT,
        "`json` or `pretty`; not set, `pretty` on a terminal and `json` elsewhere";
    RUST_LOG: OPEN, "info,actix_server=warn,actix_http=off",
        "what is logged: a level, or directives such as `info,trusthub_bridge=debug`";
}
