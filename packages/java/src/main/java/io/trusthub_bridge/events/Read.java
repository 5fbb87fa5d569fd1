package io.trusthub_bridge.events;

import static io.trusthub_bridge.events.UnusableRecordException.unreadable;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;

/** Reads parts of parsed JSON. */
final class Read {
    private static final ObjectMapper JSON =
        new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);
    private static final Pattern ACCOUNT_SID = Pattern.compile("AC[0-9a-fA-F]{32}");
    private static final Pattern PROFILE_SID = Pattern.compile("BU[0-9a-fA-F]{32}");
    private static final Pattern TIME = Pattern.compile(
        "\\d{4}-\\d{2}-\\d{2}[Tt]\\d{2}:\\d{2}:\\d{2}(\\.\\d+)?([Zz]|[+-]\\d{2}:\\d{2})");

    private Read() {}

    /** How to read a value. */
    @FunctionalInterface
    interface Reader<T> {
        T read(Object value) throws UnusableRecordException;
    }

    /** Parses JSON in UTF-8: into maps, lists, strings, numbers and booleans. */
    static Object json(byte[] bytes) throws UnusableRecordException {
        try {
            return JSON.readValue(utf8(bytes), Object.class);
        } catch (CharacterCodingException | JsonProcessingException error) {
            throw unreadable("it is not JSON");
        }
    }

    /** Unlike {@code new String}, this replaces nothing. */
    static String utf8(byte[] bytes) throws CharacterCodingException {
        return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    }

    /** The time of an RFC 3339 text. One without an offset could not be compared with the others. */
    static Instant parseTime(String text) throws UnusableRecordException {
        if (TIME.matcher(text).matches()) {
            try {
                return OffsetDateTime.parse(text.toUpperCase(Locale.ROOT)).toInstant();
            } catch (DateTimeException error) {
                // Such as a thirteenth month.
            }
        }
        throw unreadable("must be an RFC 3339 time with an offset");
    }

    static Map<?, ?> fields(Object value) throws UnusableRecordException {
        if (value instanceof Map<?, ?> fields) {
            return fields;
        }
        throw unreadable("must be an object");
    }

    static <T> T required(Map<?, ?> fields, String name, Reader<T> reader) throws UnusableRecordException {
        if (!fields.containsKey(name)) {
            throw unreadable(name + " is missing");
        }
        return named(name, reader, fields.get(name));
    }

    /** A field that may be null, or missing, which is the same. */
    static <T> T optional(Map<?, ?> fields, String name, Reader<T> reader) throws UnusableRecordException {
        Object value = fields.get(name);
        return value == null ? null : named(name, reader, value);
    }

    static String text(Object value) throws UnusableRecordException {
        if (value instanceof String text) {
            return text;
        }
        throw unreadable("must be a string");
    }

    static String accountSid(Object value) throws UnusableRecordException {
        return sid(ACCOUNT_SID, value);
    }

    static String profileSid(Object value) throws UnusableRecordException {
        return sid(PROFILE_SID, value);
    }

    /** An RFC 3339 time, as the text that it was. */
    static String time(Object value) throws UnusableRecordException {
        parseTime(text(value));
        return text(value);
    }

    static Reader<Long> number(long maximum) {
        return value -> {
            if (value instanceof Integer || value instanceof Long) {
                long number = ((Number) value).longValue();
                if (number >= 0 && number <= maximum) {
                    return number;
                }
            }
            throw unreadable("must be a whole number from 0 to " + maximum);
        };
    }

    static <T> Reader<List<T>> list(Reader<T> reader) {
        return value -> {
            if (!(value instanceof List<?> items)) {
                throw unreadable("must be a list");
            }
            var found = new ArrayList<T>(items.size());
            for (Object item : items) {
                found.add(named("[" + found.size() + "]", reader, item));
            }
            return Collections.unmodifiableList(found);
        };
    }

    static <T> Reader<Map<String, T>> map(Reader<T> reader) {
        return value -> {
            var found = new LinkedHashMap<String, T>();
            for (var entry : fields(value).entrySet()) {
                // The names come from outside, so errors do not have them.
                found.put((String) entry.getKey(), named("a value", reader, entry.getValue()));
            }
            return Collections.unmodifiableMap(found);
        };
    }

    private static String sid(Pattern pattern, Object value) throws UnusableRecordException {
        String sid = text(value);
        if (!pattern.matcher(sid).matches()) {
            throw unreadable("must be " + pattern.pattern().substring(0, 2) + " and 32 hexadecimal digits");
        }
        return sid.substring(0, 2) + sid.substring(2).toLowerCase(Locale.ROOT);
    }

    private static <T> T named(String name, Reader<T> reader, Object value) throws UnusableRecordException {
        try {
            return reader.read(value);
        } catch (UnusableRecordException error) {
            throw unreadable(name + " " + error.getMessage());
        }
    }
}
