package io.trusthub_bridge.events;

import java.util.ArrayList;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/** Records of Kafka's own client, which Spring Kafka uses as well. */
public final class KafkaRecords {
    private KafkaRecords() {}

    /** The record of a consumer that reads values with {@code ByteArrayDeserializer}. */
    public static EventRecord of(ConsumerRecord<?, byte[]> record) {
        var headers = new ArrayList<EventRecord.Header>();
        record.headers().forEach(header -> headers.add(new EventRecord.Header(header.key(), header.value())));
        return new EventRecord(headers, record.value());
    }
}
