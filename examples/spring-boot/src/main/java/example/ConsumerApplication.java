package example;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.trusthub_bridge.events.Decision;
import io.trusthub_bridge.events.KafkaRecords;
import io.trusthub_bridge.events.View;
import java.io.IOException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.kafka.listener.CommonErrorHandler;
import org.springframework.kafka.listener.DefaultErrorHandler;
import org.springframework.util.backoff.FixedBackOff;

/**
 * A consumer of the events: keeps the latest status of every profile and prints its decision about each record.
 *
 * <p>README.md says how to run it. The package trusthub-events has the rules; this file only passes records from Kafka to them.
 */
@SpringBootApplication
public class ConsumerApplication {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final long RETRY_EACH_MILLIS = 1_000;

    /**
     * In memory, and so empty at each start: docs/consume/offsets.md says where a real consumer keeps it. Without a registry, it waits
     * at a record in Avro.
     */
    private final View view = new View(SchemaRegistry.writerSchema(System.getenv("SCHEMA_REGISTRY_URL")));

    public static void main(String[] arguments) {
        SpringApplication.run(ConsumerApplication.class, arguments);
    }

    /** Applies a record and reports the decision. Its offset is committed when this method returns. */
    @KafkaListener(topics = "${topic}")
    void receive(ConsumerRecord<String, byte[]> record) throws IOException {
        Decision decision = view.apply(KafkaRecords.of(record));
        System.out.println(JSON.writeValueAsString(decision.outcome()));
        if (decision instanceof Decision.Skipped skipped && skipped.problem() != null) {
            System.err.printf("skipped: the record at %s[%d]@%d %s%n",
                record.topic(), record.partition(), record.offset(), skipped.problem());
        }
    }

    /**
     * Without it, Spring Kafka gives a record up after ten attempts, and commits its offset. An exception here means that a database
     * or a registry is unavailable, and not that the record is bad, so the consumer has to wait.
     */
    @Bean
    CommonErrorHandler retryUntilItSucceeds() {
        var handler = new DefaultErrorHandler(new FixedBackOff(RETRY_EACH_MILLIS, FixedBackOff.UNLIMITED_ATTEMPTS));
        // Spring Kafka itself logs a retry below the level of a warning.
        handler.setRetryListeners((record, error, attempt) -> System.err.printf("waiting at the record at %s[%d]@%d: %s%n",
            record.topic(), record.partition(), record.offset(), error.getCause() == null ? error : error.getCause()));
        return handler;
    }
}
