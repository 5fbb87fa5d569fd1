package io.trusthub_bridge.events;

/** Why a record is skipped. */
public enum Reason {
    /** Its ce_id was seen before. */
    REPEAT("repeat"),
    /** A later event of its profile has already been applied. */
    OLDER("older"),
    /** Another type, or a version of it, that this consumer does not support. */
    UNKNOWN_TYPE("unknown_type"),
    /** It violates the contract of its type; an operator should check the record. */
    UNREADABLE("unreadable");

    private final String value;

    Reason(String value) {
        this.value = value;
    }

    /** A stable name in snake case, for logs and metrics. */
    public String value() {
        return value;
    }
}
