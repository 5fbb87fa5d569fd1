package io.trusthub_bridge.events;

/** Finds the Avro schema with which a record was written. */
@FunctionalInterface
public interface WriterSchema {
    /**
     * Reads Avro with the schemas of this package, and needs no registry. That is right only while the bridge has the version of the
     * package: a record of another version is unreadable, or has texts in the wrong fields.
     */
    WriterSchema BUNDLED = id -> {
        throw new UnsupportedOperationException("a decoder has the schemas of this package by type");
    };

    /**
     * Returns the schema that a registry has under an id, as JSON. What it throws is passed on: the record must be read again later,
     * and not be skipped.
     */
    String of(int id);
}
