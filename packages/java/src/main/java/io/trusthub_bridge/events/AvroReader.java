package io.trusthub_bridge.events;

import static io.trusthub_bridge.events.UnusableRecordException.unreadable;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reads Avro: https://avro.apache.org/docs/1.12.0/specification/#binary-encoding. */
final class AvroReader {
    // Limits for values that claim to be larger or deeper than any record of the bridge.
    private static final int MAX_DEPTH = 64;
    private static final int MAX_VALUES = 1 << 20;

    private final ByteBuffer rest;
    private int values;

    private AvroReader(byte[] encoded) {
        rest = ByteBuffer.wrap(encoded).order(ByteOrder.LITTLE_ENDIAN);
    }

    /**
     * Returns the value as parsed JSON has it. A field that the writer did not have gets its default.
     *
     * @param writer The schema of the writer; null for that of this package.
     */
    static Object read(byte[] encoded, String writer, EventType type) throws UnusableRecordException {
        AvroSchema reader = AvroSchema.bundled(type);
        var avro = new AvroReader(encoded);
        Object value = avro.read(writer == null ? reader : AvroSchema.ofWriter(writer, reader.name), 0);
        if (avro.rest.hasRemaining()) {
            throw invalid();
        }
        fillDefaults(reader, value);
        return value;
    }

    @SuppressWarnings("unchecked")
    private static void fillDefaults(AvroSchema reader, Object value) {
        if (value instanceof List<?> items && reader.items != null) {
            items.forEach(item -> fillDefaults(reader.items, item));
        } else if (value instanceof Map<?, ?> map) {
            var fields = (Map<String, Object>) map;
            for (AvroSchema.Field field : reader.asRecord().fields) {
                if (fields.containsKey(field.name())) {
                    fillDefaults(field.schema(), fields.get(field.name()));
                } else if (field.hasDefault()) {
                    fields.put(field.name(), field.defaultValue());
                }
            }
        }
    }

    private Object read(AvroSchema schema, int depth) throws UnusableRecordException {
        values++;
        if (depth > MAX_DEPTH || values > MAX_VALUES) {
            throw invalid();
        }
        switch (schema.kind) {
            case "null":
                return null;
            case "boolean":
                byte value = has(1).get();
                if (value != 0 && value != 1) {
                    throw invalid();
                }
                return value == 1;
            case "int", "long":
                return number();
            case "float":
                return has(Float.BYTES).getFloat();
            case "double":
                return has(Double.BYTES).getDouble();
            case "string", "bytes":
                return text(number());
            case "fixed":
                return text(schema.size);
            case "enum":
                return item(schema.symbols);
            case "union":
                return read(item(schema.branches), depth + 1);
            case "array":
                var list = new ArrayList<Object>();
                items(() -> list.add(read(schema.items, depth + 1)));
                return list;
            case "map":
                var map = new LinkedHashMap<String, Object>();
                items(() -> map.put(text(number()), read(schema.items, depth + 1)));
                return map;
            default:
                var fields = new LinkedHashMap<String, Object>();
                for (AvroSchema.Field field : schema.fields) {
                    fields.put(field.name(), read(field.schema(), depth + 1));
                }
                return fields;
        }
    }

    private interface Item {
        void read() throws UnusableRecordException;
    }

    /** Reads the items of all blocks. A negative count is followed by the size of the block in bytes. */
    private void items(Item item) throws UnusableRecordException {
        for (long count = number(); count != 0; count = number()) {
            if (count < 0) {
                number();
                count = -count;
            }
            for (long each = 0; each < count; each++) {
                item.read();
            }
        }
    }

    private long number() throws UnusableRecordException {
        long number = 0;
        for (int shift = 0; shift < 70; shift += 7) {
            byte each = has(1).get();
            number |= (long) (each & 0x7f) << shift;
            if (each >= 0) {
                return (number >>> 1) ^ -(number & 1);
            }
        }
        throw invalid();
    }

    private String text(long size) throws UnusableRecordException {
        has(size);
        var bytes = new byte[(int) size];
        rest.get(bytes);
        try {
            return Read.utf8(bytes);
        } catch (CharacterCodingException error) {
            throw invalid();
        }
    }

    private <T> T item(List<T> items) throws UnusableRecordException {
        long index = number();
        if (index < 0 || index >= items.size()) {
            throw invalid();
        }
        return items.get((int) index);
    }

    /** The rest, if it has as many bytes. */
    private ByteBuffer has(long size) throws UnusableRecordException {
        if (size < 0 || size > rest.remaining()) {
            throw invalid();
        }
        return rest;
    }

    private static UnusableRecordException invalid() {
        return unreadable("it is not Avro of its schema");
    }
}
