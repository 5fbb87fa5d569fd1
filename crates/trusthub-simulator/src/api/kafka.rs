//! The control requests about the Kafka that runs beside the simulator.

use actix_web::{HttpResponse, web::Data};
use serde_json::json;

use super::error::{ApiError, ApiResult};
use crate::{embedded_kafka::KafkaControl, instance::Simulator};

/// `GET /simulator/kafka`
pub(super) async fn state(simulator: Data<Simulator>) -> ApiResult {
    control(&simulator).map(rendered)
}

/// `POST /simulator/kafka/down`: stops Kafka, which keeps its records
pub(super) async fn stop(simulator: Data<Simulator>) -> ApiResult {
    set_up(&simulator, false).await
}

/// `POST /simulator/kafka/up`: starts Kafka again
pub(super) async fn start(simulator: Data<Simulator>) -> ApiResult {
    set_up(&simulator, true).await
}

async fn set_up(simulator: &Simulator, is_up: bool) -> ApiResult {
    let kafka = control(simulator)?;
    kafka.set_up(is_up).await.map_err(|error| ApiError::invalid(format!("Kafka: {error}")))?;
    Ok(rendered(kafka))
}

fn control(simulator: &Simulator) -> Result<&KafkaControl, ApiError> {
    let missing = || ApiError::invalid("This simulator runs without a Kafka; trusthub-bridge dev has one");
    simulator.kafka().ok_or_else(missing)
}

fn rendered(kafka: &KafkaControl) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "state": if kafka.is_up() { "up" } else { "down" } }))
}
