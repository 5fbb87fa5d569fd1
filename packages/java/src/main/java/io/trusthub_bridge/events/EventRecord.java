package io.trusthub_bridge.events;

import java.util.List;

/**
 * The parts of a Kafka record on which the decision depends. {@link KafkaRecords} makes it of a record of Kafka's own client.
 *
 * @param headers The headers in their order; of several with one name, the first one counts.
 * @param value The value; null for a tombstone.
 */
public record EventRecord(List<Header> headers, byte[] value) {
    /**
     * A header.
     *
     * @param name Its name.
     * @param value Its value; may be null.
     */
    public record Header(String name, byte[] value) {}

    byte[] header(String name) {
        for (Header header : headers) {
            if (header.name().equals(name)) {
                return header.value();
            }
        }
        return null;
    }
}
