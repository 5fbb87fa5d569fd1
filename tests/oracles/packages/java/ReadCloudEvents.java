import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.cloudevents.kafka.CloudEventDeserializer;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import org.apache.kafka.common.header.internals.RecordHeaders;

/**
 * Reads records with the Java SDK of CloudEvents: those of packages/testdata/records.json on stdin become a list of what it reads.
 */
class ReadCloudEvents {
    private static final DateTimeFormatter TIME =
        DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSSX").withZone(ZoneOffset.UTC);

    public static void main(String[] arguments) throws Exception {
        var json = new ObjectMapper();
        var read = json.createArrayNode();
        var deserializer = new CloudEventDeserializer();
        for (JsonNode record : json.readTree(System.in)) {
            var headers = new RecordHeaders();
            for (JsonNode header : record.get("headers")) {
                headers.add(header.get(0).asText(), header.get(1).binaryValue());
            }
            var event = deserializer.deserialize("topic", headers, record.get("value").binaryValue());
            read.addObject().put("id", event.getId()).put("type", event.getType())
                .put("source", event.getSource().toString()).put("subject", event.getSubject())
                .put("time", TIME.format(event.getTime())).set("data", json.readTree(event.getData().toBytes()));
        }
        System.out.println(json.writeValueAsString(read));
    }
}
