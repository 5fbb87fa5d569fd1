package io.trusthub_bridge.events;

import static io.trusthub_bridge.events.UnusableRecordException.unreadable;

import java.time.Instant;
import java.util.EnumSet;
import java.util.Set;

/** Reads the event in a record: JSON or Avro, with the attributes of CloudEvents in headers or in the value. */
public final class EventDecoder {
    private final Set<EventType> types;
    private final WriterSchema writerSchema;

    /** Reads every type in JSON. Avro needs a {@link WriterSchema}. */
    public EventDecoder() {
        this(EnumSet.allOf(EventType.class), null);
    }

    /**
     * Reads these types.
     *
     * @param types The types that the consumer handles. The value of a record of another type is not read.
     * @param writerSchema Null if there is no Avro.
     */
    public EventDecoder(Set<EventType> types, WriterSchema writerSchema) {
        this.types = Set.copyOf(types);
        this.writerSchema = writerSchema;
    }

    /**
     * Reads a record.
     *
     * @throws UnusableRecordException if the record cannot be used. A tombstone has no value and is unreadable: in the topic of
     *     states, check for it first.
     * @throws IllegalStateException if the record is Avro, and there is no {@link WriterSchema}. It must be read again, and not be
     *     skipped.
     * @throws IllegalArgumentException if the schema is that of something else. The record must be read again, too.
     */
    public Event<EventData> decode(EventRecord record) throws UnusableRecordException {
        return decode(RecordContent.of(record));
    }

    Event<EventData> decode(RecordContent content) throws UnusableRecordException {
        if (content.data() == null) {
            throw unreadable("has no value");
        }
        EventType type = EventType.of(content.type());
        if (type == null || !types.contains(type)) {
            String name = content.type() == null ? "" : content.type();
            throw new UnusableRecordException(Reason.UNKNOWN_TYPE, "is of the type \"" + name + "\"");
        }
        if (content.id() == null) {
            throw unreadable("has no ce_id");
        }
        if (content.time() == null) {
            throw unreadable("has no ce_time");
        }
        Instant time = time(content.time());
        // Outside the try, because what a registry throws is passed on.
        String writer = content.schemaId() == null ? null : schema(content.schemaId());
        try {
            EventData data = type.reader.read(value(content, type, writer));
            return new Event<>(content.id(), type, time, content.source(), content.subject(), data);
        } catch (UnusableRecordException error) {
            throw unreadable("has a value that is not an event: " + error.getMessage());
        }
    }

    /** The schema with this id; null for that of this package. */
    private String schema(int id) {
        if (writerSchema == null) {
            throw new IllegalStateException("the record is Avro with the schema " + Integer.toUnsignedString(id)
                + ": pass a WriterSchema, which asks the schema registry for it, or WriterSchema.BUNDLED if the bridge has the version"
                + " of this package");
        }
        if (writerSchema == WriterSchema.BUNDLED) {
            return null;
        }
        String schema = writerSchema.of(id);
        return schema == null ? "" : schema;
    }

    private static Instant time(String text) throws UnusableRecordException {
        try {
            return Read.parseTime(text);
        } catch (UnusableRecordException error) {
            throw unreadable("has an invalid ce_time");
        }
    }

    private static Object value(RecordContent content, EventType type, String writer) throws UnusableRecordException {
        if (content.parsed() != null) {
            return content.parsed();
        }
        if (content.schemaId() == null) {
            return Read.json(content.data());
        }
        return AvroReader.read(content.data(), writer, type);
    }
}
