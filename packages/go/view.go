package trusthubevents

import (
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// How much later than its first record a repeat of an event may have been received. Twilio repeats a callback within minutes;
// the rest allows for differences between clocks.
const repeatsWithin = time.Hour

const testEventType = "io.trusthub-bridge.test.v1"

// Decision says how to treat a record. As JSON it is a line for the consumer's log.
type Decision struct {
	// Event is the event that was applied, so that its profile has a new status; nil if the record was skipped. Then there is
	// nothing to do, and the offset is still committed, or the partition would be blocked.
	Event *Event
	// Change is the data of the event.
	Change *ProfileStatusChanged
	// Reason says why the record was skipped; empty if it was applied.
	Reason Reason
	// Problem is what an operator should check; empty for a repeat, an older event, and another type that this package knows.
	Problem string
	// ID is the ce_id of the record; nil if it has none.
	ID *string
}

// Status is the new status, or StatusUnknown for one that this version of the package does not know.
func (d Decision) Status() Status {
	if d.Change == nil {
		return ""
	}
	return KnownStatus(d.Change.Status)
}

// MarshalJSON writes the decision without personal data.
func (d Decision) MarshalJSON() ([]byte, error) {
	if d.Event == nil {
		return json.Marshal(map[string]any{"applied": false, "reason": d.Reason, "ce_id": d.ID})
	}
	return json.Marshal(map[string]any{
		"applied": true, "account_sid": d.Change.AccountSID, "profile_sid": d.Change.ProfileSID, "status": d.Status(),
		"ce_id": d.ID,
	})
}

// ProfileKey names a profile as the account that an event names sees it.
type ProfileKey struct {
	AccountSID, ProfileSID string
}

// View has the latest status of every profile. Its zero value is empty.
//
// It is in memory, and one goroutine at a time uses it. A real consumer keeps it in its database and updates a profile in one
// transaction; then it may also stop between applying an event and committing its offset.
type View struct {
	// WriterSchema is that of a Decoder.
	WriterSchema WriterSchema
	// BundledSchemas is that of a Decoder.
	BundledSchemas bool
	profiles       map[ProfileKey]*profile
}

type profile struct {
	// The last event that was applied.
	latest Event
	// The time of each id whose repeat could still be newer than the latest event.
	recent map[string]time.Time
}

// Apply applies one record to the view. Records of a partition must be applied in order. An error is about the schema of a
// record in Avro, see Decode, and the record was not applied.
func (v *View) Apply(record Record) (Decision, error) {
	found := contentOf(record)
	decoder := Decoder{
		Types: []string{ProfileStatusChangedType}, WriterSchema: v.WriterSchema, BundledSchemas: v.BundledSchemas,
	}
	event, err := decoder.decode(found)
	var unusable *UnusableError
	if errors.As(err, &unusable) {
		decision := Decision{Reason: unusable.Reason, Problem: unusable.Problem, ID: found.id}
		if unusable.Reason == UnknownType && isOtherType(orEmpty(found.eventType)) {
			decision.Problem = ""
		}
		return decision, nil
	}
	if err != nil {
		return Decision{}, err
	}
	return v.applyEvent(event), nil
}

// isOtherType says whether the bridge also writes this type, and it says nothing about the status of a profile: test events, and the
// other data.
func isOtherType(eventType string) bool {
	_, known := dataTypes[eventType]
	return eventType == testEventType || known && eventType != ProfileStatusChangedType
}

// Latest returns the last event that was applied to a profile.
func (v *View) Latest(key ProfileKey) (Event, bool) {
	known, ok := v.profiles[key]
	if !ok {
		return Event{}, false
	}
	return known.latest, true
}

func (v *View) applyEvent(event Event) Decision {
	// The decoder returns no other data for this type.
	change, _ := event.Data.(ProfileStatusChanged)
	// An event of one account must not change what is known about a profile of another account.
	key := ProfileKey{change.AccountSID, change.ProfileSID}
	known, ok := v.profiles[key]
	if !ok {
		known = &profile{latest: event, recent: map[string]time.Time{}}
		if v.profiles == nil {
			v.profiles = map[ProfileKey]*profile{}
		}
		v.profiles[key] = known
	}
	if _, ok := known.recent[event.ID]; ok {
		return Decision{Reason: Repeat, ID: &event.ID}
	}
	// Equal times are no reason to skip: within one millisecond the partition's order decides.
	if event.Time.Before(known.latest.Time) {
		known.remember(event)
		return Decision{Reason: Older, ID: &event.ID}
	}
	known.latest = event
	known.remember(event)
	return Decision{Event: &event, Change: &change, ID: &event.ID}
}

// remember keeps an event, and forgets events whose repeats would all be older than the latest one.
func (p *profile) remember(event Event) {
	p.recent[event.ID] = event.Time
	for id, at := range p.recent {
		if p.latest.Time.Sub(at) > repeatsWithin {
			delete(p.recent, id)
		}
	}
}

// KnownStatus returns the status, or StatusUnknown for one that this version of the package does not know.
func KnownStatus(status Status) Status {
	if slices.Contains(knownStatuses, status) {
		return status
	}
	return StatusUnknown
}
