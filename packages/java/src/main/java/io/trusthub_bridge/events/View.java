package io.trusthub_bridge.events;

import java.time.Duration;
import java.time.Instant;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.Map;

/**
 * The latest status of every profile.
 *
 * <p>This view is in memory and starts empty. A real consumer keeps it in its database and updates a profile in one transaction; then
 * it may also stop between applying an event and committing its offset. Its methods are synchronized.
 */
public final class View {
    /**
     * How much later than its first record a repeat of an event may have been received. Twilio repeats a callback within minutes; the
     * rest allows for differences between clocks.
     */
    private static final Duration REPEATS_WITHIN = Duration.ofHours(1);

    private static final String TEST_TYPE = "io.trusthub-bridge.test.v1";

    private final EventDecoder decoder;
    private final Map<ProfileKey, Profile> profiles = new HashMap<>();

    private record ProfileKey(String accountSid, String profileSid) {}

    /** The state of one profile. */
    private static final class Profile {
        /** The last event that was applied. */
        private Event<ProfileStatusChanged> latest;
        /** The time of each id whose repeat could still be newer than the latest event. */
        private final Map<String, Instant> recent = new HashMap<>();

        /** Remembers an event, and forgets events whose repeats would all be older than the latest one. */
        private void remember(Event<ProfileStatusChanged> event) {
            recent.put(event.id(), event.time());
            recent.values().removeIf(time -> Duration.between(time, latest.time()).compareTo(REPEATS_WITHIN) > 0);
        }
    }

    /** An empty view that reads JSON. */
    public View() {
        this(null);
    }

    /** An empty view that also reads Avro, with the schemas of a registry or with {@link WriterSchema#BUNDLED}. */
    public View(WriterSchema writerSchema) {
        decoder = new EventDecoder(EnumSet.of(EventType.PROFILE_STATUS_CHANGED), writerSchema);
    }

    /**
     * Applies one record to the view. Records of a partition must be applied in order. An unchecked exception is about the schema of
     * a record in Avro, see {@link EventDecoder#decode}, and the record was not applied.
     */
    public synchronized Decision apply(EventRecord record) {
        RecordContent content = RecordContent.of(record);
        try {
            Event<EventData> event = decoder.decode(content);
            if (event.data() instanceof ProfileStatusChanged change) {
                return apply(new Event<>(
                    event.id(), event.type(), event.time(), event.source(), event.subject(), change));
            }
            throw new IllegalStateException("the decoder returned another type than it was asked for");
        } catch (UnusableRecordException error) {
            boolean isNormal = error.reason() == Reason.UNKNOWN_TYPE && isOtherType(content.type());
            return new Decision.Skipped(error.reason(), content.id(), isNormal ? null : error.getMessage());
        }
    }

    /** Whether the bridge also writes this type, and it says nothing about the status of a profile: test events, and the other data. */
    private static boolean isOtherType(String type) {
        EventType known = EventType.of(type);
        return TEST_TYPE.equals(type) || (known != null && known != EventType.PROFILE_STATUS_CHANGED);
    }

    /** The last event that was applied to a profile, as the account that the event names sees it; null if there is none. */
    public synchronized Event<ProfileStatusChanged> latest(String accountSid, String profileSid) {
        Profile profile = profiles.get(new ProfileKey(accountSid, profileSid));
        return profile == null ? null : profile.latest;
    }

    private Decision apply(Event<ProfileStatusChanged> event) {
        // An event of one account must not change what is known about a profile of another account.
        var key = new ProfileKey(event.data().accountSid(), event.data().profileSid());
        Profile profile = profiles.computeIfAbsent(key, absent -> new Profile());
        if (profile.recent.containsKey(event.id())) {
            return new Decision.Skipped(Reason.REPEAT, event.id(), null);
        }
        // Equal times are no reason to skip: within one millisecond the partition's order decides.
        if (profile.latest != null && event.time().isBefore(profile.latest.time())) {
            profile.remember(event);
            return new Decision.Skipped(Reason.OLDER, event.id(), null);
        }
        profile.latest = event;
        profile.remember(event);
        return new Decision.Applied(event);
    }
}
