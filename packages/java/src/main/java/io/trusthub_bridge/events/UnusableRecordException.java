package io.trusthub_bridge.events;

/**
 * A record cannot be used. Its offset is committed nevertheless, or the partition would be blocked. The message names the field and
 * never contains its value, which may be personal data.
 */
public final class UnusableRecordException extends Exception {
    private static final long serialVersionUID = 1;

    private final Reason reason;

    UnusableRecordException(Reason reason, String problem) {
        super(problem);
        this.reason = reason;
    }

    static UnusableRecordException unreadable(String problem) {
        return new UnusableRecordException(Reason.UNREADABLE, problem);
    }

    /** {@link Reason#UNKNOWN_TYPE} or {@link Reason#UNREADABLE}. */
    public Reason reason() {
        return reason;
    }
}
