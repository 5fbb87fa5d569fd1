//! Asks the brokers to which topics the user of a client may write.

#![expect(unsafe_code, reason = "the rdkafka crate does not expose the description of topics")]

use std::{
    ffi::{CStr, CString, c_char, c_int},
    ptr::{self, NonNull},
    slice,
    time::Duration,
};

use rdkafka::{
    bindings::{
        rd_kafka_AclOperation_t, rd_kafka_AdminOptions_destroy, rd_kafka_AdminOptions_new,
        rd_kafka_AdminOptions_set_broker, rd_kafka_AdminOptions_set_include_authorized_operations,
        rd_kafka_AdminOptions_set_request_timeout, rd_kafka_DescribeTopics, rd_kafka_DescribeTopics_result_topics,
        rd_kafka_TopicCollection_destroy, rd_kafka_TopicCollection_of_topic_names,
        rd_kafka_TopicDescription_authorized_operations, rd_kafka_TopicDescription_error,
        rd_kafka_TopicDescription_name, rd_kafka_TopicDescription_t, rd_kafka_admin_op_t, rd_kafka_error_code,
        rd_kafka_event_DescribeTopics_result, rd_kafka_event_destroy, rd_kafka_event_error, rd_kafka_event_t,
        rd_kafka_queue_destroy, rd_kafka_queue_new, rd_kafka_queue_poll, rd_kafka_resp_err_t,
    },
    client::{Client, ClientContext},
    error::{KafkaError, RDKafkaErrorCode},
};

/// The longest timeout. librdkafka rejects one of more than an hour.
const MAX_TIMEOUT: Duration = Duration::from_secs(60);
/// How much later than its timeout librdkafka may report that it is over.
const GRACE_MILLIS: c_int = 500;

/// Whether the user of a client may write to a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteAccess {
    /// The brokers say that the user may.
    Granted,
    /// The brokers say that the user may not, or may not even know whether the topic exists.
    Denied,
    /// The brokers do not say it: the topic does not exist, or they do not report permissions.
    Unknown,
}

/// Asks a broker whether the user of the client may write to each of the topics, in their order. Blocks until it answers, and at
/// most half a second longer than the timeout.
///
/// The broker is named by its id, because librdkafka would otherwise ask the controller of the cluster, which not every service
/// that speaks Kafka's protocol has. A broker without an authorizer grants everything.
///
/// # Errors
/// When the broker does not answer in time, or the name of a topic contains a null byte.
pub fn write_access<C: ClientContext>(
    client: &Client<C>,
    broker: i32,
    topics: &[&str],
    timeout: Duration,
) -> Result<Vec<WriteAccess>, KafkaError> {
    let names: Vec<CString> = topics.iter().map(|topic| CString::new(*topic)).collect::<Result<_, _>>()?;
    let event = describe(client, broker, &names, timeout)?;
    let described = read(&event)?;
    let access = |name: &CString| described.iter().find(|(found, _)| found == name).map(|(_, access)| *access);
    Ok(names.iter().map(|name| access(name).unwrap_or(WriteAccess::Unknown)).collect())
}

/// What librdkafka allocated. Destroyed when this is dropped.
struct Owned<T> {
    pointer: NonNull<T>,
    destroy: unsafe extern "C" fn(*mut T),
}

impl<T> Owned<T> {
    /// `None` for a null pointer.
    ///
    /// # Safety
    /// Another pointer must be valid until this function has destroyed it, which nothing else may do.
    unsafe fn new(pointer: *mut T, destroy: unsafe extern "C" fn(*mut T)) -> Option<Self> {
        NonNull::new(pointer).map(|pointer| Self { pointer, destroy })
    }

    fn as_ptr(&self) -> *mut T {
        self.pointer.as_ptr()
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: the pointer is valid, and nothing else destroys it, as `new` requires.
        unsafe { (self.destroy)(self.pointer.as_ptr()) }
    }
}

/// Sends the request, and waits for its result.
fn describe<C: ClientContext>(
    client: &Client<C>,
    broker: i32,
    names: &[CString],
    timeout: Duration,
) -> Result<Owned<rd_kafka_event_t>, KafkaError> {
    const OPERATION: rd_kafka_admin_op_t = rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
    let failed = || KafkaError::MetadataFetch(RDKafkaErrorCode::Fail);
    let mut names: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let millis = c_int::try_from(timeout.min(MAX_TIMEOUT).as_millis()).unwrap_or(c_int::MAX).max(1);
    // SAFETY: `client` is borrowed during the calls, so its handle is valid, and librdkafka may be called from any thread. The
    // names end with a null byte and outlive the call that copies them. Each `Owned` has the function that destroys what the
    // other one created; the request does not need them any more when they are dropped, because librdkafka copies its options
    // and counts the references of its queue. An error text of no length is not written. The last option is a valid one of this
    // request, so that setting it gives no error to destroy.
    let event = unsafe {
        let client = client.native_ptr();
        let queue = Owned::new(rd_kafka_queue_new(client), rd_kafka_queue_destroy).ok_or_else(failed)?;
        let options = rd_kafka_AdminOptions_new(client, OPERATION);
        let options = Owned::new(options, rd_kafka_AdminOptions_destroy).ok_or_else(failed)?;
        let topics = rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        let topics = Owned::new(topics, rd_kafka_TopicCollection_destroy).ok_or_else(failed)?;
        rd_kafka_AdminOptions_set_request_timeout(options.as_ptr(), millis, ptr::null_mut(), 0);
        rd_kafka_AdminOptions_set_broker(options.as_ptr(), broker, ptr::null_mut(), 0);
        rd_kafka_AdminOptions_set_include_authorized_operations(options.as_ptr(), 1);
        rd_kafka_DescribeTopics(client, topics.as_ptr(), options.as_ptr(), queue.as_ptr());
        Owned::new(rd_kafka_queue_poll(queue.as_ptr(), millis + GRACE_MILLIS), rd_kafka_event_destroy)
    };
    event.ok_or(KafkaError::MetadataFetch(RDKafkaErrorCode::OperationTimedOut))
}

/// The topics of the result.
fn read(event: &Owned<rd_kafka_event_t>) -> Result<Vec<(CString, WriteAccess)>, KafkaError> {
    // SAFETY: the event is valid, and so is what it consists of for as long as it is borrowed. The array has as many
    // descriptions as librdkafka says, and is not read if there is none.
    unsafe {
        let code = rd_kafka_event_error(event.as_ptr());
        if code != rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(KafkaError::MetadataFetch(code.into()));
        }
        let result = rd_kafka_event_DescribeTopics_result(event.as_ptr());
        let mut count = 0;
        let descriptions =
            if result.is_null() { ptr::null_mut() } else { rd_kafka_DescribeTopics_result_topics(result, &mut count) };
        if descriptions.is_null() || count == 0 {
            return Err(KafkaError::MetadataFetch(RDKafkaErrorCode::Fail));
        }
        let descriptions = slice::from_raw_parts(descriptions, count);
        Ok(descriptions.iter().map(|description| read_topic(*description)).collect())
    }
}

/// # Safety
/// The description must be part of an event that is valid during the call.
unsafe fn read_topic(description: *const rd_kafka_TopicDescription_t) -> (CString, WriteAccess) {
    // SAFETY: the caller's. The name ends with a null byte. librdkafka gives the error a code in each case, and a null array
    // if the broker did not report operations, and otherwise one of as many as it says. They are numbers here, because another
    // version of librdkafka could know further ones.
    unsafe {
        let name = CStr::from_ptr(rd_kafka_TopicDescription_name(description)).to_owned();
        let code = rd_kafka_error_code(rd_kafka_TopicDescription_error(description));
        let mut count = 0;
        let operations = rd_kafka_TopicDescription_authorized_operations(description, &mut count);
        let access = match (code, NonNull::new(operations.cast_mut().cast::<u32>())) {
            (rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, _) => WriteAccess::Denied,
            (rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR, Some(operations)) => {
                const WRITE: u32 = rd_kafka_AclOperation_t::RD_KAFKA_ACL_OPERATION_WRITE as u32;
                let is_granted = slice::from_raw_parts(operations.as_ptr(), count).contains(&WRITE);
                if is_granted { WriteAccess::Granted } else { WriteAccess::Denied }
            }
            _ => WriteAccess::Unknown,
        };
        (name, access)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use rdkafka::{
        ClientConfig,
        mocking::MockCluster,
        producer::{BaseProducer, Producer as _},
    };

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(20);

    fn producer(bootstrap: &str) -> BaseProducer {
        ClientConfig::new().set("bootstrap.servers", bootstrap).create().unwrap()
    }

    #[test]
    fn access_is_unknown_if_the_broker_does_not_report_it() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("events", 1, 1).unwrap();
        let producer = producer(&cluster.bootstrap_servers());
        let access = write_access(producer.client(), 1, &["events", "missing"], TIMEOUT).unwrap();
        assert_eq!(access, [WriteAccess::Unknown, WriteAccess::Unknown]);
    }

    #[test]
    fn broker_that_does_not_answer_is_an_error_in_time() {
        let (producer, began) = (producer("127.0.0.1:1"), Instant::now());
        let error = write_access(producer.client(), 1, &["events"], Duration::from_millis(100)).unwrap_err();
        assert!(matches!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::OperationTimedOut)), "{error}");
        assert!(began.elapsed() < TIMEOUT);
    }

    #[test]
    fn name_with_a_null_byte_is_an_error() {
        let producer = producer("127.0.0.1:1");
        assert!(matches!(write_access(producer.client(), 1, &["a\0b"], TIMEOUT), Err(KafkaError::Nul(_))));
    }
}
