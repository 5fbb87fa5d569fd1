// Twilio's official Java library as a signature oracle, with the same protocol as ../python/oracle.py, for validation only.

import com.google.gson.Gson;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.twilio.security.RequestValidator;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.URISyntaxException;
import java.net.URLDecoder;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;

final class Oracle {
    public static void main(String[] arguments) throws IOException {
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        var answers = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        var gson = new Gson();
        for (var line = lines.readLine(); line != null; line = lines.readLine()) {
            var results = new JsonArray();
            for (JsonElement request : gson.fromJson(line, JsonArray.class)) {
                results.add(answer(request.getAsJsonObject()));
            }
            answers.println(gson.toJson(results));
            answers.flush();
        }
    }

    private static JsonObject answer(JsonObject request) {
        var answer = new JsonObject();
        try {
            answer.addProperty("valid", validate(request));
        } catch (Exception error) { // an exception of the library is a result for the test and must not end the oracle
            answer.addProperty("error", error.toString());
        }
        return answer;
    }

    private static boolean validate(JsonObject request) throws CharacterCodingException, URISyntaxException {
        var validator = new RequestValidator(text(request, "token"));
        var url = text(request, "url");
        var signature = text(request, "signature");
        if (request.has("form")) {
            return validator.validate(url, firstValues(bytes(request, "form")), signature);
        }
        return validator.validate(url, decoded(bytes(request, "body")), signature);
    }

    // The first value of each field, as in Twilio's guide for servlets. A servlet reads bytes that are not UTF-8 as U+FFFD.
    private static Map<String, String> firstValues(byte[] form) {
        var params = new HashMap<String, String>();
        for (var field : new String(form, StandardCharsets.ISO_8859_1).split("&")) {
            if (!field.isEmpty()) {
                var parts = field.split("=", 2);
                params.putIfAbsent(unescaped(parts[0]), parts.length == 2 ? unescaped(parts[1]) : "");
            }
        }
        return params;
    }

    private static String unescaped(String text) {
        // First to bytes and then to characters, because bytes of a character may be escaped or not.
        var bytes = URLDecoder.decode(text, StandardCharsets.ISO_8859_1).getBytes(StandardCharsets.ISO_8859_1);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    // A raw body as a string, as the library requires. Bytes that are not UTF-8 are rejected, not signed as U+FFFD.
    private static String decoded(byte[] body) throws CharacterCodingException {
        return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(body)).toString();
    }

    private static String text(JsonObject request, String field) {
        return request.get(field).getAsString();
    }

    private static byte[] bytes(JsonObject request, String field) {
        return Base64.getDecoder().decode(text(request, field));
    }
}
