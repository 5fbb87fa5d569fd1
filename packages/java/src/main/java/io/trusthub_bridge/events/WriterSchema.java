package io.trusthub_bridge.events;

/** Finds the Avro schema with which a record was written. */
@FunctionalInterface
public interface WriterSchema {
    /**
     * Returns the schema that a registry has under an id, as JSON. What it throws is passed on: the record must be read again later,
     * and not be skipped.
     */
    String of(int id);
}
