package io.trusthub_bridge.events;

import java.time.Instant;

/**
 * A CloudEvent of the bridge.
 *
 * @param id Equal for repeats.
 * @param type The type.
 * @param time When the callback arrived, or when Trust Hub was asked.
 * @param source The account in Trust Hub; may be null.
 * @param subject The profile; may be null.
 * @param data The data.
 */
public record Event<T extends EventData>(
    String id, EventType type, Instant time, String source, String subject, T data
) {}
