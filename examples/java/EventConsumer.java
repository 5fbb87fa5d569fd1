import com.fasterxml.jackson.databind.ObjectMapper;
import io.trusthub_bridge.events.Decision;
import io.trusthub_bridge.events.KafkaRecords;
import io.trusthub_bridge.events.View;
import io.trusthub_bridge.events.WriterSchema;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Keeps the latest status of every profile and prints its decision about each record. README.md says how to run it. */
class EventConsumer {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Duration REGISTRY_TIMEOUT = Duration.ofSeconds(10);

    public static void main(String[] arguments) throws Exception {
        var environment = System.getenv();
        Map<String, Object> settings = Map.of(
            "bootstrap.servers", environment.get("KAFKA_BOOTSTRAP_SERVERS"),
            "group.id", environment.get("KAFKA_GROUP_ID"),
            "enable.auto.commit", false,
            // A crash repeats at most as many.
            "max.poll.records", 100,
            // A new group reads the whole history, from which the view is built.
            "auto.offset.reset", "earliest",
            "key.deserializer", StringDeserializer.class,
            // The package reads every format from the bytes.
            "value.deserializer", ByteArrayDeserializer.class);
        // In memory, and so empty at each start: docs/consume/offsets.md says where a real consumer keeps it. Without a registry,
        // a record in Avro ends the program, which continues there at its next start.
        var view = new View(writerSchema(environment.get("SCHEMA_REGISTRY_URL")));
        var isClosed = new CountDownLatch(1);
        try (var consumer = new KafkaConsumer<String, byte[]>(settings)) {
            Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(consumer, isClosed)));
            consumer.subscribe(List.of(environment.getOrDefault("KAFKA_TOPIC", "trusthub.profile-status-changed")));
            while (true) {
                for (var record : consumer.poll(Duration.ofSeconds(1))) {
                    report(record, view.apply(KafkaRecords.of(record)));
                }
                // Only after the records are applied: otherwise a crash would lose them. If this commit is lost, they are read
                // again, and a view that has them recognizes their ce_id.
                consumer.commitSync();
            }
        } catch (WakeupException stopped) {
            // The consumer has left its group.
        } finally {
            isClosed.countDown();
        }
    }

    /** Prints one JSON line for every record, and one line to stderr for a record that an operator should check. */
    private static void report(ConsumerRecord<String, byte[]> record, Decision decision) throws Exception {
        System.out.println(JSON.writeValueAsString(decision.outcome()));
        if (decision instanceof Decision.Skipped skipped && skipped.problem() != null) {
            System.err.printf("skipped: the record at %s[%d]@%d %s%n",
                record.topic(), record.partition(), record.offset(), skipped.problem());
        }
    }

    /** Asks the schema registry for the schemas of records in Avro, each once; null without a registry. */
    private static WriterSchema writerSchema(String registry) {
        if (registry == null || registry.isEmpty()) {
            return null;
        }
        var known = new ConcurrentHashMap<Integer, String>();
        return id -> known.computeIfAbsent(id, absent -> fetch(
            URI.create(registry.replaceAll("/+$", "") + "/schemas/ids/" + Integer.toUnsignedString(id))));
    }

    private static String fetch(URI schema) {
        HttpRequest request = HttpRequest.newBuilder(schema).timeout(REGISTRY_TIMEOUT).build();
        try {
            HttpResponse<byte[]> response = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofByteArray());
            if (response.statusCode() != HttpURLConnection.HTTP_OK) {
                throw new IOException("it answers " + response.statusCode());
            }
            return JSON.readTree(response.body()).path("schema").textValue();
        } catch (IOException error) {
            throw new UncheckedIOException("the schema registry is not available: " + error, error);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while asking the schema registry", interrupted);
        }
    }

    /** Waits until the consumer has left its group. */
    private static void stop(KafkaConsumer<?, ?> consumer, CountDownLatch isClosed) {
        consumer.wakeup();
        try {
            isClosed.await();
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
