-- The tables that sink.py keeps up to date. Needs PostgreSQL 12 or newer, and states in JSON (KAFKA_VALUE_FORMAT=json).

CREATE TABLE trust_hub_profiles (
    sid              text PRIMARY KEY,
    account_sid      text NOT NULL,
    resource         text NOT NULL,
    status           text NOT NULL,
    raw_status       text,
    since            timestamptz NOT NULL,
    previous_status  text,
    valid_until      timestamptz,
    failure_reason   text,
    error_codes      integer[] NOT NULL,
    name             text,
    type             text,
    changes          bigint,
    rejections       bigint,
    updated_at       timestamptz NOT NULL,
    source_partition integer,
    source_offset    bigint NOT NULL,
    written_at       timestamptz NOT NULL,
    state            jsonb NOT NULL
);

COMMENT ON TABLE trust_hub_profiles IS 'The present state of each profile of Twilio Trust Hub. Only sink.py writes to it.';
COMMENT ON COLUMN trust_hub_profiles.resource IS 'customer-profile, trust-product, regulatory-bundle and the like; later versions may have others.';
COMMENT ON COLUMN trust_hub_profiles.status IS 'draft, pending-review, in-review, twilio-rejected, twilio-approved, provisionally-approved or unknown; later versions may have others.';
COMMENT ON COLUMN trust_hub_profiles.raw_status IS 'The status as Twilio wrote it.';
COMMENT ON COLUMN trust_hub_profiles.since IS 'When the present status began.';
COMMENT ON COLUMN trust_hub_profiles.valid_until IS 'When the approval expires. NULL if Twilio named no time; state has the text that Twilio wrote.';
COMMENT ON COLUMN trust_hub_profiles.failure_reason IS 'Why the profile is rejected, in Twilio''s words. Personal data, as is the same field of state.';
COMMENT ON COLUMN trust_hub_profiles.error_codes IS 'The error codes of the present rejection; docs/rejections.md explains them.';
COMMENT ON COLUMN trust_hub_profiles.name IS 'The friendly name of the profile, once reconciliation has asked Trust Hub. May be personal data.';
COMMENT ON COLUMN trust_hub_profiles.type IS 'business, individual and the like, once reconciliation has asked Trust Hub.';
COMMENT ON COLUMN trust_hub_profiles.changes IS 'How many times the status changed.';
COMMENT ON COLUMN trust_hub_profiles.rejections IS 'How many times Twilio rejected the profile.';
COMMENT ON COLUMN trust_hub_profiles.updated_at IS 'The time of the last event about the status.';
COMMENT ON COLUMN trust_hub_profiles.source_partition IS 'The partition of the record of this row. NULL until a rebuild has read the record again.';
COMMENT ON COLUMN trust_hub_profiles.source_offset IS 'The offset of the record of this row.';
COMMENT ON COLUMN trust_hub_profiles.written_at IS 'Kafka''s timestamp of the record of this row.';
COMMENT ON COLUMN trust_hub_profiles.state IS 'The whole state, with fields that have no column. The characters that jsonb cannot store are replaced with U+FFFD.';

-- How many have a status, and which wait longest.
CREATE INDEX trust_hub_profiles_status ON trust_hub_profiles (status, since);
CREATE INDEX trust_hub_profiles_account ON trust_hub_profiles (account_sid);
-- Which expire next.
CREATE INDEX trust_hub_profiles_valid_until ON trust_hub_profiles (valid_until) WHERE valid_until IS NOT NULL;
-- Which were rejected with a code: error_codes @> ARRAY[18602].
CREATE INDEX trust_hub_profiles_error_codes ON trust_hub_profiles USING gin (error_codes);
-- Rows that a rebuild has not read again.
CREATE INDEX trust_hub_profiles_unconfirmed ON trust_hub_profiles (sid) WHERE source_partition IS NULL;

CREATE TABLE trust_hub_offsets (
    partition   integer PRIMARY KEY,
    topic_id    uuid NOT NULL,
    next_offset bigint NOT NULL DEFAULT 0,
    complete    boolean NOT NULL DEFAULT false,
    read_at     timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE trust_hub_offsets IS 'How far the table trust_hub_profiles has read each partition of the state topic.';
COMMENT ON COLUMN trust_hub_offsets.topic_id IS 'The id that Kafka gave the topic. A topic that is deleted and created again has another one.';
COMMENT ON COLUMN trust_hub_offsets.next_offset IS 'The offset at which reading continues. It changes in the transaction that writes the rows.';
COMMENT ON COLUMN trust_hub_offsets.complete IS 'Whether the partition has been read to its end once since the beginning or the last rebuild.';
COMMENT ON COLUMN trust_hub_offsets.read_at IS 'When the partition was last read, or found to be at its end.';
