package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"movieexample.com/fleet/services/internal/events"
	"movieexample.com/fleet/services/internal/validate"
	ratingv1 "movieexample.com/fleet/services/proto/rating/v1"
	"movieexample.com/fleet/services/rating/internal/model"
)

// Version is the newest version: the one that is written.
const Version = 2

// What a user did.
const (
	Put    = "put"
	Delete = "delete"
)

// maxID is the longest that ids of events and providers may be, in bytes.
const maxID = 128

// Event is one thing that a user did at some provider.
type Event struct {
	ID         string // "" in version 1
	Type       string // Put or Delete
	ProviderID string // may be empty
	UserID     string
	RecordType string
	RecordID   string
	Value      int // 0 if Type is Delete
	// OccurredAt is zero where an event of version 1 does not tell: it occurred when it came to Kafka.
	OccurredAt time.Time
}

// Why an event is refused, as headers of dead letters and metrics name it.
const (
	CauseUnparsable         = "unparsable"
	CauseInvalid            = "invalid"
	CauseUnknownType        = "unknown_type"
	CauseUnsupportedVersion = "unsupported_version"
)

// Refusal is the error of an event that can never be taken.
type Refusal struct {
	Cause string
	err   error
}

func (r *Refusal) Error() string { return r.err.Error() }

func (r *Refusal) Unwrap() error { return r.err }

func refuse(cause, format string, args ...any) error {
	return &Refusal{Cause: cause, err: fmt.Errorf(format, args...)}
}

// wire is an event as it travels.
type wire struct {
	Version    int             `json:"version,omitempty"`
	ID         string          `json:"eventId,omitempty"`
	Type       string          `json:"eventType"`
	ProviderID string          `json:"providerId,omitempty"`
	UserID     string          `json:"userId"`
	RecordID   string          `json:"recordId"`
	RecordType json.RawMessage `json:"recordType"`
	Value      int             `json:"value,omitempty"`
	OccurredAt time.Time       `json:"occurredAt,omitzero"`
}

// Parse reads an event of any version and holds it to the rules that do not depend on settings or on the clock, which are
// those of the API. An event that breaks one is a [Refusal].
func Parse(text []byte) (Event, error) {
	var w wire
	if err := json.Unmarshal(text, &w); err != nil {
		return Event{}, refuse(CauseUnparsable, "is no event in JSON: %w", err)
	}
	if w.Version < 0 || w.Version > Version {
		return Event{}, refuse(CauseUnsupportedVersion, "has version %d, want at most %d", w.Version, Version)
	}
	recordType, err := recordType(w)
	if err != nil {
		return Event{}, err
	}
	e := Event{
		ID: w.ID, Type: w.Type, ProviderID: w.ProviderID, UserID: w.UserID, RecordType: recordType, RecordID: w.RecordID,
		Value: w.Value, OccurredAt: w.OccurredAt,
	}
	if e.Type == Delete {
		e.Value = 0 // a deletion has none, whatever it says
	}
	return e, check(e, w.Version)
}

// recordType is a string; version 1 knows the number 1 too, which is a movie.
func recordType(w wire) (string, error) {
	if w.Version <= 1 && bytes.Equal(w.RecordType, []byte("1")) {
		return "movie", nil
	}
	var name string
	if err := json.Unmarshal(w.RecordType, &name); err != nil {
		return "", refuse(CauseInvalid, "recordType is %s, want a string", orNothing(w.RecordType))
	}
	return name, nil
}

func orNothing(text []byte) string {
	if len(text) == 0 {
		return "missing"
	}
	return string(text)
}

func check(e Event, version int) error {
	switch {
	case e.Type != Put && e.Type != Delete:
		return refuse(CauseUnknownType, "eventType is %q, want %s or %s", e.Type, Put, Delete)
	case version >= 2 && e.ID == "":
		return refuse(CauseInvalid, "eventId is missing, which version 2 wants")
	case len(e.ID) > maxID || len(e.ProviderID) > maxID:
		return refuse(CauseInvalid, "eventId or providerId is longer than %d bytes", maxID)
	case version >= 2 && e.OccurredAt.IsZero():
		return refuse(CauseInvalid, "occurredAt is missing, which version 2 wants")
	}
	if err := validate.Message(e.request()); err != nil {
		return &Refusal{Cause: CauseInvalid, err: err}
	}
	return nil
}

// request is what the API would have been asked: its rules are the events' rules.
func (e Event) request() proto.Message {
	if e.Type == Delete {
		return &ratingv1.DeleteRatingRequest{
			RecordType: e.RecordType, RecordId: e.RecordID, UserId: e.UserID, OccurredAt: timestamppb.New(e.OccurredAt),
		}
	}
	return &ratingv1.PutRatingRequest{
		RecordType: e.RecordType, RecordId: e.RecordID, UserId: e.UserID, OccurredAt: timestamppb.New(e.OccurredAt),
		Value: int32(max(-1, min(e.Value, 1000))), // what lies outside is refused as well
	}
}

// Encode is the event in the newest version, which wants an ID and a time.
func (e Event) Encode() ([]byte, error) {
	if e.ID == "" || e.OccurredAt.IsZero() {
		return nil, errors.New("encode event: it wants an id and a time")
	}
	recordType, err := json.Marshal(e.RecordType)
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	text, err := json.Marshal(wire{
		Version: Version, ID: e.ID, Type: e.Type, ProviderID: e.ProviderID, UserID: e.UserID, RecordID: e.RecordID,
		RecordType: recordType, Value: e.Value, OccurredAt: e.OccurredAt.UTC(),
	})
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	return text, nil
}

// Key is the record, so that its events stay in order.
func (e Event) Key() []byte { return []byte(events.Record(e.RecordType, e.RecordID)) }

// Write is what the event does to the stored ratings.
func (e Event) Write() model.Write {
	return model.Write{
		Key:     model.Key{Record: model.Record{Type: e.RecordType, ID: e.RecordID}, UserID: e.UserID},
		Deleted: e.Type == Delete, Value: e.Value, OccurredAt: e.OccurredAt.UTC().Truncate(time.Microsecond),
	}
}
