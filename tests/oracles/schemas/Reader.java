package events;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

/** Reads each line as an event with the generated classes, and writes it as JSON. */
class Reader {
    public static void main(String[] arguments) throws Exception {
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            ProfileStatusChanged event = Converter.fromJsonString(line);
            for (RejectionReason reason : event.getErrors()) {
                if (reason.getCode() <= 0) {
                    throw new IllegalStateException("no code in " + line);
                }
            }
            System.out.write((Converter.toJsonString(event) + "\n").getBytes(StandardCharsets.UTF_8));
        }
        System.out.flush();
    }
}
