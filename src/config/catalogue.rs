//! The catalogue of all environment variables, with their defaults and meanings. `docs/configuration.md` lists the same.

/// The [`Variable::default`] of a variable that must be set.
pub(super) const REQUIRED: &str = "required";
/// The [`Variable::default`] of a variable without a default value.
pub(super) const ABSENT: &str = "–";

const SECRET: bool = true;
const OPEN: bool = false;

/// An environment variable that the program reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// The exact name.
    pub name: &'static str,
    /// The value if the variable is not set; `required` or `–` if there is none.
    pub default: &'static str,
    /// The meaning, as text for the reference.
    pub meaning: &'static str,
    /// Whether the value must never be printed.
    pub secret: bool,
}

impl Variable {
    /// Returns the default value, if there is one.
    pub(super) fn default_value(&self) -> Option<&'static str> {
        (self.default != REQUIRED && self.default != ABSENT).then_some(self.default)
    }
}

macro_rules! variables {
    ($($name:ident: $secret:expr, $default:expr, $meaning:expr;)*) => {
        $(pub(super) const $name: Variable =
            Variable { name: stringify!($name), default: $default, meaning: $meaning, secret: $secret };)*

        /// All variables, in the order of the reference and of [`Config::describe`](super::Config::describe).
        pub const VARIABLES: &[Variable] = &[$($name),*];
    };
}

variables! {
    HTTP_BIND: OPEN, "0.0.0.0:8080",
        "address and port of the public listener, which receives only callbacks";
    HTTP_MAX_BODY_BYTES: OPEN, "65536",
        "maximum size of a request body, 1 to 1048576; a larger one is answered 413";
    HTTP_REQUEST_TIMEOUT_MS: OPEN, "10000",
        "time limit for a whole request, including a slow body, 100 to 14000, because Twilio waits 15 s";
    HTTP_MAX_IN_FLIGHT: OPEN, "4096",
        "callbacks in progress at the same time, 1 to 65536; further ones are answered 503. The service keeps up to a quarter more connections open than this; beyond that, a new connection evicts the one that has been idle longest";
    HTTP_KEEP_ALIVE_SECS: OPEN, "75",
        "time after which an idle connection is closed, 1 to 3600; longer than in the proxy, so above 600 behind Google's load balancers";
    ADMIN_BIND: OPEN, "0.0.0.0:9090",
        "address and port of the listener for probes and metrics; never expose it to the internet";
    CONSOLE_BIND: OPEN, ABSENT,
        "address and port of the [web console](console.md), such as `127.0.0.1:9091`; by default there is none. Other machines can only reach it with a password, so an address other than loopback requires one";
    CONSOLE_PASSWORD: SECRET, ABSENT,
        "password of the console, at least 12 characters, which browsers ask for together with any user name";
    CONSOLE_PASSWORD_FILE: OPEN, ABSENT,
        "path of a file with the value of `CONSOLE_PASSWORD`; read again when it changes";
    PUBLIC_URL: OPEN, REQUIRED,
        "base URL as Twilio calls it, such as `https://hooks.example.com`, with its port and path prefix if it has them, and `user:password@` if the callback URL at Twilio has them (nothing shows them); a comma-separated list while you move to another URL";
    TWILIO_AUTH_TOKEN: SECRET, REQUIRED,
        "auth token that signs the callbacks, unless `TWILIO_AUTH_TOKEN_FILE`, `TWILIO_ACCOUNTS_FILE` or `TWILIO_SHARED_KEYS` is set; a comma-separated list during rotation, the current one first";
    TWILIO_AUTH_TOKEN_FILE: OPEN, ABSENT,
        "path of a file with the value of `TWILIO_AUTH_TOKEN`; read again when it changes";
    TWILIO_SHARED_KEYS: SECRET, ABSENT,
        "keys of Twilio's Webhooks API that sign callbacks instead of an auth token, a comma-separated list of `webhooks_sharedkey_…=secret`, or `webhooks_sharedkey_…:HMAC_SHA256=secret` for a key that signs with this algorithm only; not with an accounts file, which has `shared_keys` of its own";
    TWILIO_SHARED_KEYS_FILE: OPEN, ABSENT,
        "path of a file with the value of `TWILIO_SHARED_KEYS`; read again when it changes";
    TWILIO_ACCOUNT_SID: OPEN, ABSENT,
        "account that the tokens and SharedKeys belong to (`AC…`); callbacks of other accounts are rejected";
    TWILIO_ACCOUNTS_FILE: OPEN, ABSENT,
        "path of a JSON file with the keys of many accounts, `{\"AC…\": [\"token\", …], …}`; read again when it changes; callbacks without `AccountSid` or of an account that is not listed are rejected";
    SIGNATURE_MODE: OPEN, "enforce",
        "`enforce`, or `report-only` for the first days: within limits, a callback whose signature does not match is answered 204 and published to the dead-letter topic, but never as an event";
    DEDUP_WINDOW_SECS: OPEN, "600",
        "time during which a repeated callback is recognized and not published again, 0 (never) to 86400; at most 100000 callbacks are remembered";
    KAFKA_BOOTSTRAP_SERVERS: OPEN, REQUIRED,
        "initial brokers, a comma-separated list of `host:port`";
    KAFKA_TOPIC: OPEN, "trusthub.profile-status-changed",
        "topic of the events";
    KAFKA_DEAD_LETTER_TOPIC: OPEN, "trusthub.callbacks-unprocessable",
        "topic of dead letters: callbacks that cannot become an event";
    KAFKA_PROFILES_TOPIC: OPEN, "trusthub.profiles",
        "compacted topic with the present state of each profile, derived from the events; set it to an empty value to turn that off";
    KAFKA_PROFILES_FAILURE_TEXT: OPEN, "true",
        "`true` or `false`: whether the state of a profile has the reason for a rejection in Twilio's words, which can contain personal data";
    KAFKA_CREATE_TOPICS: OPEN, "true",
        "`true` or `false`: whether the service creates missing topics";
    KAFKA_TOPIC_PARTITIONS: OPEN, "6",
        "number of partitions of a topic that the service creates, 1 to 10000";
    KAFKA_TOPIC_REPLICATION: OPEN, ABSENT,
        "replication factor of a topic that the service creates, 1 to 32; by default the broker's default";
    KAFKA_VALUE_FORMAT: OPEN, "json",
        "`json` or `avro`: the format of the values of events and states; `avro` is the wire format of Confluent's clients and requires `SCHEMA_REGISTRY_URL`. Dead letters are always JSON";
    KAFKA_SECURITY_PROTOCOL: OPEN, "plaintext",
        "`plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`";
    KAFKA_SASL_MECHANISM: OPEN, ABSENT,
        "`PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512`, `OAUTHBEARER` or `AWS_MSK_IAM`; required by the SASL protocols";
    KAFKA_SASL_USERNAME: OPEN, ABSENT,
        "user name; required by `PLAIN` and `SCRAM`";
    KAFKA_SASL_PASSWORD: SECRET, ABSENT,
        "password; required by `PLAIN` and `SCRAM`, unless `KAFKA_SASL_PASSWORD_FILE` is set";
    KAFKA_SASL_PASSWORD_FILE: OPEN, ABSENT,
        "path of a file with the value of `KAFKA_SASL_PASSWORD`";
    KAFKA_OAUTH_TOKEN_URL: OPEN, ABSENT,
        "URL of the identity provider's token endpoint; required by `OAUTHBEARER`, unless `KAFKA_OAUTH_TOKEN_FILE` is set";
    KAFKA_OAUTH_CLIENT_ID: OPEN, ABSENT,
        "client id of the service at the identity provider; required with `KAFKA_OAUTH_TOKEN_URL`";
    KAFKA_OAUTH_CLIENT_SECRET: SECRET, ABSENT,
        "secret of that client; required with `KAFKA_OAUTH_TOKEN_URL`, unless `KAFKA_OAUTH_CLIENT_SECRET_FILE` is set";
    KAFKA_OAUTH_CLIENT_SECRET_FILE: OPEN, ABSENT,
        "path of a file with the value of `KAFKA_OAUTH_CLIENT_SECRET`";
    KAFKA_OAUTH_SCOPE: OPEN, ABSENT,
        "scopes to request, separated by spaces";
    KAFKA_OAUTH_EXTENSIONS: OPEN, ABSENT,
        "extensions that are sent to the broker with each token, `name=value,name=value`, such as `logicalCluster` and `identityPoolId` of Confluent Cloud";
    KAFKA_OAUTH_CA_LOCATION: OPEN, ABSENT,
        "file or folder of certificate authorities (PEM) trusted for the token endpoint, or `probe` for those of the system; by default those of `KAFKA_SSL_CA_LOCATION`";
    KAFKA_OAUTH_TOKEN_FILE: OPEN, ABSENT,
        "path of a file in which another program keeps a current token, such as a projected service account token of Kubernetes; a JSON Web Token with `exp` and `sub`; read again before the token expires";
    AWS_REGION: OPEN, ABSENT,
        "region of the Amazon MSK cluster, such as `eu-central-1`; required by `AWS_MSK_IAM`, unless `AWS_DEFAULT_REGION` is set";
    AWS_DEFAULT_REGION: OPEN, ABSENT,
        "region, if `AWS_REGION` is not set";
    AWS_ACCESS_KEY_ID: OPEN, ABSENT,
        "id of an access key; if it is set, the credentials are those of the environment";
    AWS_SECRET_ACCESS_KEY: SECRET, ABSENT,
        "secret of that key; required with `AWS_ACCESS_KEY_ID`";
    AWS_SESSION_TOKEN: SECRET, ABSENT,
        "session token of a temporary key";
    AWS_ROLE_ARN: OPEN, ABSENT,
        "role whose credentials AWS STS issues for a token, as Amazon EKS sets it for a service account with a role";
    AWS_WEB_IDENTITY_TOKEN_FILE: OPEN, ABSENT,
        "path of the file with that token; required with `AWS_ROLE_ARN`, and read for each request";
    AWS_ROLE_SESSION_NAME: OPEN, ABSENT,
        "name of the session in AWS's audit log; by default `trusthub-bridge`";
    AWS_ENDPOINT_URL_STS: OPEN, ABSENT,
        "base URL of AWS STS; by default that of the region";
    AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: OPEN, ABSENT,
        "path of the credentials at the agent of Amazon ECS, which sets it";
    AWS_CONTAINER_CREDENTIALS_FULL_URI: OPEN, ABSENT,
        "URL of the agent that has the credentials, as EKS Pod Identity sets it; without TLS only on this machine or at the agent of Amazon ECS or EKS";
    AWS_CONTAINER_AUTHORIZATION_TOKEN: SECRET, ABSENT,
        "what that agent requires in the header `Authorization`";
    AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: OPEN, ABSENT,
        "path of a file with the same, which is read for each request and takes precedence";
    AWS_EC2_METADATA_SERVICE_ENDPOINT: OPEN, ABSENT,
        "base URL of the instance metadata service, which has the credentials if no other variable names a source; by default `http://169.254.169.254`";
    AWS_EC2_METADATA_DISABLED: OPEN, ABSENT,
        "`true` or `false`: whether the instance metadata service is never asked";
    KAFKA_SSL_CA_LOCATION: OPEN, "probe",
        "file or folder of trusted certificate authorities (PEM) for the TLS protocols; `probe` uses those of the system";
    KAFKA_SSL_CERTIFICATE_LOCATION: OPEN, ABSENT,
        "file of the client certificate (PEM) for mutual TLS; requires `KAFKA_SSL_KEY_LOCATION`";
    KAFKA_SSL_KEY_LOCATION: OPEN, ABSENT,
        "file of the client's private key (PEM, without a passphrase); requires `KAFKA_SSL_CERTIFICATE_LOCATION`";
    KAFKA_PROPERTIES: OPEN, ABSENT,
        "additional librdkafka properties, `key=value;key=value`; those that would break a guarantee of the service cannot be set";
    KAFKA_ACK_TIMEOUT_MS: OPEN, "5000",
        "time limit for Kafka's acknowledgement, from the handover of a record to the Kafka client, 100 to 14000, because Twilio waits 15 s; after it, the event goes to the spool";
    CE_MODE: OPEN, "binary",
        "`binary` or `structured`: whether the CloudEvents attributes of an event are headers, or are in the value with the data, for consumers that lose headers; `structured` requires `KAFKA_VALUE_FORMAT=json`";
    SCHEMA_REGISTRY_URL: OPEN, ABSENT,
        "base URL of a schema registry with Confluent's API, such as `https://registry.example.com`; values in JSON then carry the id of their schema in the header `__value_schema_id`";
    SCHEMA_REGISTRY_USERNAME: OPEN, ABSENT,
        "user name for the schema registry (HTTP Basic); requires a password";
    SCHEMA_REGISTRY_PASSWORD: SECRET, ABSENT,
        "password of that user";
    SCHEMA_REGISTRY_PASSWORD_FILE: OPEN, ABSENT,
        "path of a file with the value of `SCHEMA_REGISTRY_PASSWORD`";
    SCHEMA_REGISTRY_AUTO_REGISTER: OPEN, "true",
        "`true` or `false`: whether the service registers its schemas, or only looks up those that are registered already";
    SPOOL_DIR: OPEN, "./spool",
        "folder of the durable queue on disk, in which records wait while Kafka does not accept them; each process needs its own";
    SPOOL_MAX_BYTES: OPEN, "1073741824",
        "maximum size of all records in the spool in bytes, 1024 to 2^50; beyond it, callbacks are answered 503";
    SPOOL_MIN_FREE_BYTES: OPEN, "67108864",
        "bytes that the spool leaves free on its disk, 0 to 2^50; below it, callbacks are answered 503";
    TRUSTHUB_BASE_URL: OPEN, "https://trusthub.twilio.com",
        "base URL of Trust Hub's REST API, which receives the credentials of the accounts; `http://` is for simulators";
    RECONCILE_INTERVAL_SECS: OPEN, "0",
        "time from one reconciliation of Trust Hub and the topic to the next, 1 to 604800, or 0 to turn it off; requires an account, from `TWILIO_ACCOUNT_SID` or `TWILIO_ACCOUNTS_FILE`";
    RECONCILE_GRACE_SECS: OPEN, "120",
        "how long reconciliation ignores a change, because its callback may still arrive, 0 to 86400; 0 is for tests with a simulator";
    OTEL_EXPORTER_OTLP_ENDPOINT: OPEN, ABSENT,
        "base URL of an OTLP receiver for HTTP, such as `http://otel-collector:4318`, to which [traces](tracing.md) of callbacks are sent, at `/v1/traces`; by default there are no traces";
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: OPEN, ABSENT,
        "complete URL for traces, instead of the one below that base URL";
    OTEL_EXPORTER_OTLP_PROTOCOL: OPEN, "http/protobuf",
        "`http/protobuf` or `http/json`: the encoding of traces; there is no `grpc`";
    OTEL_EXPORTER_OTLP_HEADERS: SECRET, ABSENT,
        "headers of each request to the receiver, such as its credentials, `name=value,name=value`, with percent-encoded values";
    OTEL_EXPORTER_OTLP_HEADERS_FILE: OPEN, ABSENT,
        "path of a file with the value of `OTEL_EXPORTER_OTLP_HEADERS`";
    OTEL_EXPORTER_OTLP_CERTIFICATE: OPEN, ABSENT,
        "file of certificate authorities (PEM) trusted for the receiver, instead of those of the system";
    OTEL_EXPORTER_OTLP_TIMEOUT: OPEN, "10000",
        "time limit for the export of a batch of spans in milliseconds, with its repetitions, 1 to 60000; no callback waits for it";
    OTEL_SERVICE_NAME: OPEN, "trusthub-bridge",
        "name of the service in traces";
    OTEL_RESOURCE_ATTRIBUTES: OPEN, ABSENT,
        "attributes of the process in traces, `key=value,key=value`, with percent-encoded values, such as `deployment.environment.name=production`";
    OTEL_TRACES_SAMPLER: OPEN, "parentbased_always_on",
        "which traces are recorded: `always_on`, `always_off`, `traceidratio`, or one of them after `parentbased_`, which does as the caller does if there is one";
    OTEL_TRACES_SAMPLER_ARG: OPEN, ABSENT,
        "share of the traces that a sampler by ratio records, 0 to 1; by default all";
    OTEL_BSP_MAX_QUEUE_SIZE: OPEN, "2048",
        "spans that wait for their export at most, 3 to 65536; further ones are dropped and counted";
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE: OPEN, "512",
        "spans in one request at most, 1 to 8192";
    OTEL_BSP_SCHEDULE_DELAY: OPEN, "5000",
        "time after which a batch is sent that is not full in milliseconds, 1 to 60000";
    OTEL_TRACES_EXPORTER: OPEN, "otlp",
        "`otlp` or `none`; `none` turns traces off";
    OTEL_SDK_DISABLED: OPEN, "false",
        "`true` or `false`; `true` turns traces off";
    TRACE_CONTEXT: OPEN, "trust",
        "`trust` or `ignore`: whether the trace that the headers `traceparent` and `tracestate` of a callback name is continued in spans and records; `ignore` if callers other than your proxy can set them";
    SHUTDOWN_DELAY_SECS: OPEN, "5",
        "time after SIGTERM during which the service is not ready but still accepts callbacks, 0 to 600";
    SHUTDOWN_TIMEOUT_SECS: OPEN, "20",
        "time after that delay to finish the callbacks in progress, 1 to 600";
    SIMULATOR_BIND: OPEN, "127.0.0.1:8090",
        "address and port of the Trust Hub simulator of `simulate` and `dev`; anyone who can connect to it can decide reviews";
    SIMULATOR_STATE: OPEN, ABSENT,
        "file in which the simulator stores its profiles; by default they are lost when it exits";
    LOG_FORMAT: OPEN, ABSENT,
        "`json` or `pretty`; by default `pretty` on a terminal and `json` elsewhere";
    RUST_LOG: OPEN, "info,actix_server=warn,actix_http=off",
        "log filter: a level, or directives such as `info,trusthub_bridge=debug`; the spool logs as `durable_spool`, the client of Trust Hub as `trusthub_client`";
}

/// The variables whose empty value turns something off. For all others, an empty value counts as not set.
pub(super) const OFF_IF_EMPTY: &[Variable] = &[KAFKA_PROFILES_TOPIC];

/// The former name of [`HTTP_MAX_IN_FLIGHT`].
pub(super) const HTTP_MAX_CONNECTIONS: Variable = Variable { name: "HTTP_MAX_CONNECTIONS", ..HTTP_MAX_IN_FLIGHT };

/// A variable that is still read under its former name.
pub(super) struct Renamed {
    /// The former name.
    pub(super) former: &'static Variable,
    /// The name that replaces it.
    pub(super) current: &'static Variable,
}

/// Every former name that is still read. Each use gets a warning.
pub(super) const RENAMED: &[Renamed] = &[Renamed { former: &HTTP_MAX_CONNECTIONS, current: &HTTP_MAX_IN_FLIGHT }];
