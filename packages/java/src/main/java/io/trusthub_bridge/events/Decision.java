package io.trusthub_bridge.events;

import java.util.LinkedHashMap;
import java.util.Map;

/** How to treat a record. */
public sealed interface Decision {
    /** The decision for the consumer's log, without personal data. */
    Map<String, Object> outcome();

    /**
     * The profile has a new status; act on it.
     *
     * @param event The event.
     */
    record Applied(Event<ProfileStatusChanged> event) implements Decision {
        /** The status; {@link Status#UNKNOWN} for one that this version of the package does not know. */
        public String status() {
            String status = event.data().status();
            return Status.KNOWN.contains(status) ? status : Status.UNKNOWN;
        }

        @Override
        public Map<String, Object> outcome() {
            var outcome = new LinkedHashMap<String, Object>();
            outcome.put("applied", true);
            outcome.put("account_sid", event.data().accountSid());
            outcome.put("profile_sid", event.data().profileSid());
            outcome.put("status", status());
            outcome.put("ce_id", event.id());
            return outcome;
        }
    }

    /**
     * There is nothing to do; the offset is still committed, or the partition would be blocked.
     *
     * @param reason The reason.
     * @param id The ce_id of the record; null if it has none.
     * @param problem What an operator should check; null for a repeat, an older event, and another type that this package knows.
     */
    record Skipped(Reason reason, String id, String problem) implements Decision {
        @Override
        public Map<String, Object> outcome() {
            var outcome = new LinkedHashMap<String, Object>();
            outcome.put("applied", false);
            outcome.put("reason", reason.value());
            outcome.put("ce_id", id);
            return outcome;
        }
    }
}
