package example;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.trusthub_bridge.events.WriterSchema;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.concurrent.ConcurrentHashMap;

/** The schema registry of the topic. */
final class SchemaRegistry {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Duration REGISTRY_TIMEOUT = Duration.ofSeconds(10);

    private SchemaRegistry() {}

    /** Asks the schema registry for the schemas of records in Avro, each once; null without a registry. */
    static WriterSchema writerSchema(String registry) {
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
}
