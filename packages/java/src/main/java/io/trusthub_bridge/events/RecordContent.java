package io.trusthub_bridge.events;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;

/**
 * The attributes of the CloudEvent in a record, each of which may be null, and its data, which may still be encoded.
 *
 * @param data JSON, or Avro if there is a {@code schemaId}; null for a tombstone. A value that cannot be read is here as it is.
 * @param parsed The data if it had to be parsed to find the attributes; then {@code data} is the whole value.
 * @param schemaId The id of the Avro schema of the writer; null if the data is not Avro.
 */
record RecordContent(
    String id, String type, String source, String subject, String time, byte[] data, Object parsed, Integer schemaId
) {
    private static final String STRUCTURED = "application/cloudevents+json";
    private static final String AVRO = "application/avro";
    // Confluent's wire format: a zero, and the id of the schema in four bytes; in front of the value, or in this header.
    private static final String SCHEMA_ID_HEADER = "__value_schema_id";
    private static final int PREFIX_BYTES = 5;

    /** Takes a record apart, whatever its format. */
    static RecordContent of(EventRecord record) {
        byte[] value = record.value();
        RecordContent content = ofHeaders(record, value, null);
        if (value == null) {
            return content;
        }
        String mediaType = mediaType(record);
        if (EventType.of(content.type()) != null) {
            byte[] prefix = record.header(SCHEMA_ID_HEADER);
            boolean isPrefix = prefix != null && prefix.length == PREFIX_BYTES && prefix[0] == 0;
            if (mediaType.equals(AVRO) && isPrefix) {
                return ofHeaders(record, value, schemaId(prefix));
            }
            if (value.length >= PREFIX_BYTES && value[0] == 0) {
                byte[] encoded = Arrays.copyOfRange(value, PREFIX_BYTES, value.length);
                return ofHeaders(record, encoded, schemaId(value));
            }
        }
        // Something between the bridge and this consumer may have dropped the headers.
        boolean isStructured = mediaType.equals(STRUCTURED) || (content.type() == null && beginsObject(value));
        RecordContent structured = isStructured ? structured(value) : null;
        return structured == null ? content : structured;
    }

    private static RecordContent ofHeaders(EventRecord record, byte[] data, Integer schemaId) {
        return new RecordContent(
            text(record, "ce_id"), text(record, "ce_type"), text(record, "ce_source"), text(record, "ce_subject"),
            text(record, "ce_time"), data, null, schemaId);
    }

    /** A header as text; null if it is absent or not UTF-8. */
    private static String text(EventRecord record, String name) {
        byte[] value = record.header(name);
        try {
            return value == null ? null : Read.utf8(value);
        } catch (CharacterCodingException error) {
            return null;
        }
    }

    private static String mediaType(EventRecord record) {
        String contentType = text(record, "content-type");
        return contentType == null ? "" : contentType.split(";", 2)[0].trim().toLowerCase(Locale.ROOT);
    }

    private static int schemaId(byte[] prefix) {
        return ByteBuffer.wrap(prefix).getInt(1);
    }

    private static boolean beginsObject(byte[] value) {
        for (byte each : value) {
            if (each != ' ' && each != '\t' && each != '\n' && each != '\r') {
                return each == '{';
            }
        }
        return false;
    }

    /** The content of a value in the structured mode; null if it is none. */
    private static RecordContent structured(byte[] value) {
        try {
            Map<?, ?> event = Read.fields(Read.json(value));
            Read.required(event, "specversion", Read::text);
            Object data = event.get("data");
            return new RecordContent(
                Read.required(event, "id", Read::text), Read.required(event, "type", Read::text),
                Read.optional(event, "source", Read::text), Read.optional(event, "subject", Read::text),
                // Without data it is a tombstone.
                Read.optional(event, "time", Read::text), data == null ? null : value, data, null);
        } catch (UnusableRecordException error) {
            return null;
        }
    }
}
