import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.trusthub_bridge.events.EventRecord;
import io.trusthub_bridge.events.View;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Applies the rules of the Java package to records without Kafka: for every line on stdin, a JSON array of the records of one
 * partition, it prints one line: the array of decisions.
 */
class Feed {
    public static void main(String[] arguments) throws Exception {
        var json = new ObjectMapper();
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        var printed = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            var view = new View();
            var outcomes = new ArrayList<Map<String, Object>>();
            for (JsonNode fields : json.readTree(line)) {
                outcomes.add(view.apply(record(fields)).outcome());
            }
            printed.print(json.writeValueAsString(outcomes) + "\n");
            printed.flush();
        }
    }

    private static EventRecord record(JsonNode fields) {
        var headers = new ArrayList<EventRecord.Header>();
        for (String name : List.of("ce_type", "ce_id", "ce_time")) {
            headers.add(new EventRecord.Header(name, bytes(fields.get(name))));
        }
        return new EventRecord(headers, bytes(fields.get("value")));
    }

    private static byte[] bytes(JsonNode text) {
        return text.isNull() ? null : text.asText().getBytes(StandardCharsets.UTF_8);
    }
}
