//! Another process takes over while this one is suspended.

use super::run_error::RunError;

/// A process that was suspended finds that its deadlines have passed, and fails for that reason, before it learns that
/// another process has taken over meanwhile and does the rest of the work.
pub(super) async fn result_after_takeover<T>(
    result: Result<T, RunError>,
    is_taken_over: impl AsyncFnOnce() -> bool,
) -> Result<T, RunError> {
    match result {
        Err(error) if error.may_follow_from_a_suspension() && is_taken_over().await => {
            tracing::warn!(%error, "another process has taken over the reconciliation, and does the rest of this run");
            Err(RunError::TakenOver)
        }
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::DeliveryError;

    fn not_durable() -> Result<(), RunError> {
        Err(RunError::NotDurable(DeliveryError::SpoolFailed))
    }

    #[tokio::test]
    async fn failure_after_a_takeover_is_a_takeover() {
        assert!(matches!(result_after_takeover(not_durable(), async || true).await, Err(RunError::TakenOver)));
        assert!(matches!(result_after_takeover(not_durable(), async || false).await, Err(RunError::NotDurable(_))));
    }

    #[tokio::test]
    async fn success_does_not_wait_for_a_takeover() {
        let never = async || std::future::pending().await;
        assert!(result_after_takeover(Ok(()), never).await.is_ok());
    }
}
