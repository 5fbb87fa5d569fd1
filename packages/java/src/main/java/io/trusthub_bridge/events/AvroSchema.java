package io.trusthub_bridge.events;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** A parsed Avro schema. */
final class AvroSchema {
    private static final Set<String> PRIMITIVES =
        Set.of("null", "boolean", "int", "long", "float", "double", "bytes", "string");
    private static final int MAX_DEPTH = 64;
    private static final int MAX_SCHEMAS = 256;

    private static final Map<String, AvroSchema> PARSED = new ConcurrentHashMap<>();
    private static final Map<EventType, AvroSchema> BUNDLED = new ConcurrentHashMap<>();

    final String kind;
    /** Of a type with a name, with its namespace. */
    String name;
    final List<Field> fields = new ArrayList<>();
    final List<AvroSchema> branches = new ArrayList<>();
    final List<String> symbols = new ArrayList<>();
    AvroSchema items;
    long size;

    record Field(String name, AvroSchema schema, Object defaultValue, boolean hasDefault) {}

    private AvroSchema(String kind) {
        this.kind = kind;
    }

    /** The schema of this package. */
    static AvroSchema bundled(EventType type) {
        return BUNDLED.computeIfAbsent(type, absent -> {
            try (InputStream file = AvroSchema.class.getResourceAsStream(type.schema)) {
                return parse(Read.json(file.readAllBytes()), new HashMap<>(), 0);
            } catch (IOException | UnusableRecordException error) {
                throw new IllegalStateException("the package has no readable " + type.schema, error);
            }
        });
    }

    /**
     * Parses the schema of a writer once.
     *
     * @throws IllegalArgumentException if it is none of this record, which is no property of the value to read.
     */
    static AvroSchema ofWriter(String text, String recordName) {
        try {
            AvroSchema writer = parsed(text);
            if (writer.kind.equals("record") && recordName.equals(writer.name)) {
                return writer;
            }
        } catch (IllegalArgumentException notASchema) {
            // The same error as for another schema.
        }
        throw new IllegalArgumentException("the schema of the writer is not an Avro schema of " + recordName
            + "; check that the registry is that of the topic");
    }

    private static AvroSchema parsed(String text) {
        if (PARSED.size() >= MAX_SCHEMAS) {
            PARSED.clear();
        }
        return PARSED.computeIfAbsent(text, absent -> {
            try {
                return parse(Read.json(text.getBytes(StandardCharsets.UTF_8)), new HashMap<>(), 0);
            } catch (UnusableRecordException error) {
                throw notASchema();
            }
        });
    }

    /** This record, or that of this union. */
    AvroSchema asRecord() {
        return branches.stream().filter(branch -> branch.kind.equals("record")).findFirst().orElse(this);
    }

    private static AvroSchema parse(Object value, Map<String, AvroSchema> names, int depth) {
        if (depth > MAX_DEPTH) {
            throw notASchema();
        }
        if (value instanceof String name) {
            AvroSchema named = names.get(name);
            if (named == null && !PRIMITIVES.contains(name)) {
                throw notASchema();
            }
            return named == null ? new AvroSchema(name) : named;
        }
        if (value instanceof List<?> branches) {
            var union = new AvroSchema("union");
            branches.forEach(branch -> union.branches.add(parse(branch, names, depth + 1)));
            return union;
        }
        if (value instanceof Map<?, ?> object) {
            return parseObject(object, names, depth);
        }
        throw notASchema();
    }

    private static AvroSchema parseObject(Map<?, ?> object, Map<String, AvroSchema> names, int depth) {
        if (!(object.get("type") instanceof String kind) || PRIMITIVES.contains(kind)) {
            // A type with annotations, such as a logical type.
            return parse(object.get("type"), names, depth + 1);
        }
        var schema = new AvroSchema(kind);
        if (object.get("name") instanceof String name) {
            // A name with a dot has its namespace already.
            boolean isFull = name.contains(".") || !(object.get("namespace") instanceof String);
            schema.name = isFull ? name : object.get("namespace") + "." + name;
            names.put(name, schema);
            names.put(schema.name, schema);
        }
        switch (kind) {
            case "record" -> schema.addFields(object, names, depth);
            case "enum" -> schema.symbols.addAll(texts(object.get("symbols")));
            case "fixed" -> schema.size = object.get("size") instanceof Number size ? size.longValue() : 0;
            case "array" -> schema.items = parse(object.get("items"), names, depth + 1);
            case "map" -> schema.items = parse(object.get("values"), names, depth + 1);
            default -> {
                return parse(kind, names, depth + 1);
            }
        }
        return schema;
    }

    private void addFields(Map<?, ?> object, Map<String, AvroSchema> names, int depth) {
        if (!(object.get("fields") instanceof List<?> all)) {
            throw notASchema();
        }
        for (Object each : all) {
            if (!(each instanceof Map<?, ?> field) || !(field.get("name") instanceof String name)) {
                throw notASchema();
            }
            AvroSchema type = parse(field.get("type"), names, depth + 1);
            fields.add(new Field(name, type, field.get("default"), field.containsKey("default")));
        }
    }

    private static List<String> texts(Object value) {
        if (value instanceof List<?> items && items.stream().allMatch(String.class::isInstance)) {
            return items.stream().map(String.class::cast).toList();
        }
        throw notASchema();
    }

    private static IllegalArgumentException notASchema() {
        return new IllegalArgumentException("it is not an Avro schema");
    }
}
