package io.trusthub_bridge.events;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Every record of testdata/records.json is read as it says there, and every decision of decisions.json is made. */
class RecordsTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final DateTimeFormatter TIME =
        DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSSX").withZone(ZoneOffset.UTC);

    private static List<JsonNode> testdata(String name) {
        try {
            JsonNode all = JSON.readTree(Path.of("..", "testdata", name).toFile());
            return StreamSupport.stream(all.spliterator(), false).toList();
        } catch (IOException error) {
            throw new IllegalStateException(error);
        }
    }

    private static JsonNode named(String suffix) {
        var found = testdata("records.json").stream().filter(each -> each.get("name").asText().endsWith(suffix));
        return found.findFirst().orElseThrow();
    }

    private static EventRecord record(JsonNode given) {
        // As a record of Kafka's client, so that the test covers KafkaRecords.
        try {
            var value = given.get("value").isNull() ? null : given.get("value").binaryValue();
            var record = new ConsumerRecord<String, byte[]>("topic", 0, 0, null, value);
            for (JsonNode header : given.get("headers")) {
                record.headers().add(header.get(0).asText(), header.get(1).binaryValue());
            }
            return KafkaRecords.of(record);
        } catch (IOException error) {
            throw new IllegalStateException(error);
        }
    }

    private static WriterSchema writerSchema(JsonNode given) {
        if (!given.has("writer_schema")) {
            return WriterSchema.BUNDLED;
        }
        if (given.get("writer_schema").isNull()) {
            return null;
        }
        return id -> {
            assertEquals(given.get("schema_id").asInt(), id);
            return given.get("writer_schema").asText();
        };
    }

    private static JsonNode decoded(JsonNode given) {
        ObjectNode decoded = JSON.createObjectNode();
        try {
            var event = new EventDecoder(Set.of(EventType.values()), writerSchema(given)).decode(record(given));
            decoded.put("id", event.id()).put("type", event.type().value()).put("source", event.source());
            decoded.put("subject", event.subject()).put("time", TIME.format(event.time()));
            // Numbers as they are in parsed JSON.
            return decoded.set("data", JSON.readTree(JSON.writeValueAsBytes(event.data())));
        } catch (UnusableRecordException error) {
            return decoded.put("error", error.reason().value());
        } catch (IllegalStateException | IllegalArgumentException error) {
            return decoded.put("error", "read again");
        } catch (IOException error) {
            throw new IllegalStateException(error);
        }
    }

    @TestFactory
    Stream<DynamicTest> recordIsReadAsTheEventThatItIs() {
        List<JsonNode> records = testdata("records.json");
        assertTrue(records.size() > 60);
        return records.stream().map(given -> DynamicTest.dynamicTest(
            given.get("name").asText(), () -> assertEquals(given.get("expected"), decoded(given))));
    }

    @TestFactory
    Stream<DynamicTest> viewDecidesAsEveryOtherView() {
        List<JsonNode> cases = testdata("decisions.json");
        assertTrue(cases.size() > 10);
        return cases.stream().map(given -> DynamicTest.dynamicTest(given.get("name").asText(), () -> {
            var view = new View();
            for (int index = 0; index < given.get("records").size(); index++) {
                JsonNode fields = given.get("records").get(index);
                var headers = new ArrayList<EventRecord.Header>();
                for (String name : List.of("ce_type", "ce_id", "ce_time")) {
                    headers.add(new EventRecord.Header(name, bytes(fields.get(name))));
                    // Of several headers with one name, the first one counts.
                    headers.add(new EventRecord.Header(name, "second".getBytes(StandardCharsets.UTF_8)));
                }
                Decision decision = view.apply(new EventRecord(headers, bytes(fields.get("value"))));
                JsonNode expected = given.get("decisions").get(index);
                assertEquals(expected, JSON.valueToTree(decision.outcome()), () -> decision.toString());
                boolean hasProblem = decision instanceof Decision.Skipped skipped && skipped.problem() != null;
                assertEquals(given.get("problems").get(index).asBoolean(), hasProblem, () -> decision.toString());
            }
        }));
    }

    private static byte[] bytes(JsonNode text) {
        return text.isNull() ? null : text.asText().getBytes(StandardCharsets.UTF_8);
    }

    @Test
    void viewHasTheLatestEventOfAProfile() {
        var view = new View();
        var applied = assertInstanceOf(Decision.Applied.class, view.apply(record(named(", JSON"))));
        var data = applied.event().data();
        assertSame(applied.event(), view.latest(data.accountSid(), data.profileSid()));
        assertNull(view.latest(data.accountSid(), ""));
    }

    @Test
    void unavailableRegistryIsNoReasonToSkip() {
        var unavailable = new View(id -> {
            throw new IllegalStateException("the registry is unavailable");
        });
        assertThrows(IllegalStateException.class, () -> unavailable.apply(record(named(", Avro"))));
        var wrong = new View(id -> "\"no schema\"");
        assertThrows(IllegalArgumentException.class, () -> wrong.apply(record(named(", Avro"))));
        var none = assertThrows(IllegalStateException.class, () -> new View().apply(record(named(", Avro"))));
        assertTrue(none.getMessage().contains("WriterSchema.BUNDLED"), none.getMessage());
        assertInstanceOf(Decision.Applied.class, new View(WriterSchema.BUNDLED).apply(record(named(", Avro"))));
    }

    @Test
    void errorsNameTheFieldAndNotTheValue() throws IOException {
        EventRecord good = record(named(", JSON"));
        var value = (ObjectNode) JSON.readTree(good.value());
        value.putArray("errors").addObject().put("code", "private");
        var broken = new EventRecord(good.headers(), JSON.writeValueAsBytes(value));
        var error = assertThrows(UnusableRecordException.class, () -> new EventDecoder().decode(broken));
        assertTrue(error.getMessage().contains("errors [0] code must be a whole number"), error.getMessage());
        assertFalse(error.getMessage().contains("private"));
    }

    @Test
    void booleanHasTwoValues() throws UnusableRecordException {
        JsonNode given = named("Avro of another version");
        String text = given.get("writer_schema").asText()
            .replaceFirst("\"fields\": \\[", "\"fields\": [{\"name\": \"flag\", \"type\": \"boolean\"}, ");
        var decoder = new EventDecoder(Set.of(EventType.values()), id -> text);
        EventRecord record = record(given);
        for (int flag : new int[] {0, 1, 2, 255}) {
            var value = new byte[record.value().length + 1];
            System.arraycopy(record.value(), 0, value, 0, 5);
            value[5] = (byte) flag;
            System.arraycopy(record.value(), 5, value, 6, record.value().length - 5);
            var changed = new EventRecord(record.headers(), value);
            if (flag <= 1) {
                assertEquals(EventType.PROFILE_STATUS_CHANGED, decoder.decode(changed).type());
            } else {
                assertThrows(UnusableRecordException.class, () -> decoder.decode(changed));
            }
        }
    }

    /** From a seed, so that a failure can be repeated. */
    @Test
    void changedAvroIsReadOrUnreadable() {
        var random = new Random(1);
        EventRecord good = record(named("form-rejected, Avro"));
        for (int round = 0; round < 50_000; round++) {
            byte[] value = Arrays.copyOf(good.value(), 5 + random.nextInt(good.value().length - 5));
            for (int change = random.nextInt(4); change > 0 && value.length > 5; change--) {
                value[5 + random.nextInt(value.length - 5)] = (byte) random.nextInt(256);
            }
            // Throws nothing else.
            new View(WriterSchema.BUNDLED).apply(new EventRecord(good.headers(), value));
        }
    }
}
