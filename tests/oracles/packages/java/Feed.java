import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.trusthub_bridge.events.EventRecord;
import io.trusthub_bridge.events.View;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Map;

/**
 * Applies the rules of the Java package to records without Kafka: for every line on stdin, a JSON array of the records of one
 * partition, it prints one line: the array of decisions. Headers and values are in base64. The variable SCHEMAS has the Avro schemas
 * of the writers, by id.
 */
class Feed {
    public static void main(String[] arguments) throws Exception {
        var json = new ObjectMapper();
        JsonNode schemas = json.readTree(System.getenv("SCHEMAS"));
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        var printed = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            var view = new View(id -> schemas.get(Integer.toString(id)).asText());
            var outcomes = new ArrayList<Map<String, Object>>();
            for (JsonNode fields : json.readTree(line)) {
                outcomes.add(view.apply(record(fields)).outcome());
            }
            printed.print(json.writeValueAsString(outcomes) + "\n");
            printed.flush();
        }
    }

    private static EventRecord record(JsonNode fields) throws IOException {
        var headers = new ArrayList<EventRecord.Header>();
        for (JsonNode header : fields.get("headers")) {
            headers.add(new EventRecord.Header(header.get(0).asText(), header.get(1).binaryValue()));
        }
        // Null stays null.
        return new EventRecord(headers, fields.get("value").binaryValue());
    }
}
