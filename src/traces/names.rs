//! The names of attributes: those of the OpenTelemetry semantic conventions in the version of [`SCHEMA_URL`], and our own.

/// The semantic conventions that all names here follow. `docs/tracing.md` names the version as well.
pub(super) const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.45.0";

pub(super) const SERVICE_VERSION: &str = "service.version";
pub(super) const SERVICE_INSTANCE_ID: &str = "service.instance.id";
pub(super) const SDK_NAME: &str = "telemetry.sdk.name";
pub(super) const SDK_LANGUAGE: &str = "telemetry.sdk.language";
pub(super) const SDK_VERSION: &str = "telemetry.sdk.version";

pub(super) const ERROR_TYPE: &str = "error.type";

pub(super) const HTTP_METHOD: &str = "http.request.method";
pub(super) const HTTP_ROUTE: &str = "http.route";
pub(super) const HTTP_STATUS: &str = "http.response.status_code";
pub(super) const URL_PATH: &str = "url.path";
pub(super) const URL_SCHEME: &str = "url.scheme";
pub(super) const SERVER_ADDRESS: &str = "server.address";
pub(super) const SERVER_PORT: &str = "server.port";

pub(super) const MESSAGING_SYSTEM: &str = "messaging.system.name";
pub(super) const MESSAGING_OPERATION_NAME: &str = "messaging.operation.name";
pub(super) const MESSAGING_OPERATION_TYPE: &str = "messaging.operation.type";
pub(super) const MESSAGING_DESTINATION: &str = "messaging.destination.name";
pub(super) const MESSAGING_PARTITION: &str = "messaging.destination.partition.id";
pub(super) const KAFKA_OFFSET: &str = "kafka.offset";
pub(super) const KAFKA_KEY: &str = "kafka.message.key";

pub(super) const EVENT_ID: &str = "cloudevents.event_id";

pub(super) const OUTCOME: &str = "trusthub.outcome";
pub(super) const REASON: &str = "trusthub.reason";
pub(super) const RESOURCE: &str = "trusthub.resource";
pub(super) const STATUS: &str = "trusthub.status";
pub(super) const PROFILE: &str = "trusthub.profile_sid";
pub(super) const CONSTRUCTION: &str = "trusthub.signature.construction";
pub(super) const KEY: &str = "trusthub.signature.key";
pub(super) const ALGORITHM: &str = "trusthub.signature.algorithm";
/// Whether the record came from the spool, or went there.
pub(super) const SPOOLED: &str = "trusthub.spooled";
