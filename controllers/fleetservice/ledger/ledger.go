package ledger

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/revision"
)

// Name is the name of a service's ledger.
func Name(service string) string { return "fleet-ledger-" + service }

// A ConfigMap holds 1 MiB. These bounds keep the ledger under 900 KiB, whatever messages say: JSON writes one byte as six
// at worst.
const (
	// maxEntries are the verdicts that are kept, the latest.
	maxEntries = 20
	// maxMessage bounds the message of a verdict, in bytes.
	maxMessage = 1 << 10
	// maxSignals are the signals that a verdict keeps the numbers of.
	maxSignals = 8
	// maxSnapshot bounds the encoded snapshot, in bytes.
	maxSnapshot = 700 << 10
)

// keepDeleted is how long a ledger is kept after its resource was deleted.
const keepDeleted = 30 * 24 * time.Hour

// Outcome is what was decided about a revision.
type Outcome string

// The outcomes.
const (
	Promoted    Outcome = "Promoted"
	Quarantined Outcome = "Quarantined"
)

// Entry is a verdict about one revision.
type Entry struct {
	Hash    string  `json:"hash"`
	Image   string  `json:"image"`
	Outcome Outcome `json:"outcome"`
	// Reason and Message say why, of a quarantine. A long message is cut.
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
	// At is when it was decided, in whole seconds.
	At time.Time `json:"at"`
	// Signals are the counts and the evidence at that time.
	Signals []v1alpha1.SignalStatus `json:"signals,omitempty"`
}

// Release is the revision that was promoted last, with what it is made from.
type Release struct {
	Hash  string    `json:"hash"`
	Image string    `json:"image"`
	At    time.Time `json:"at"`
	// Snapshot is nil where it was too large to be kept; Omitted says so in words.
	Snapshot *revision.Snapshot `json:"snapshot,omitempty"`
	Omitted  string             `json:"omitted,omitempty"`
}

// Ledger is what is known of a service's revisions. Its methods change nothing and return what is new.
type Ledger struct {
	// Entries are the latest verdicts, one for each revision, oldest first.
	Entries []Entry
	// Promoted is the revision promoted last; nil before the first.
	Promoted *Release
	// DeletedAt is when the resource was deleted; zero while it is there.
	DeletedAt time.Time
}

// Quarantined is the entry of a revision that is not to be tried again.
func (l Ledger) Quarantined(hash string) (Entry, bool) {
	i := slices.IndexFunc(l.Entries, func(e Entry) bool { return e.Hash == hash && e.Outcome == Quarantined })
	if i < 0 {
		return Entry{}, false
	}
	return l.Entries[i], true
}

// WithQuarantine adds a revision that is not to be tried again. One that a later verdict speaks of stays as it is.
func (l Ledger) WithQuarantine(e Entry) Ledger {
	e.Outcome = Quarantined
	return l.with(e)
}

// WithPromoted notes the revision that was promoted last. A snapshot that does not fit is left out, and Omitted says so.
func (l Ledger) WithPromoted(hash, image string, at time.Time, snapshot *revision.Snapshot) Ledger {
	l = l.with(Entry{Hash: hash, Image: image, Outcome: Promoted, At: at})
	l.Promoted = &Release{Hash: hash, Image: image, At: seconds(at)}
	l.Promoted.Snapshot, l.Promoted.Omitted = fitting(snapshot)
	return l
}

// fitting is the snapshot, or why it cannot be kept.
func fitting(snapshot *revision.Snapshot) (kept *revision.Snapshot, omitted string) {
	if snapshot == nil {
		return nil, "there was no snapshot of it"
	}
	raw, err := json.Marshal(snapshot)
	if err != nil {
		return nil, fmt.Sprintf("its snapshot cannot be encoded: %v", err)
	}
	if len(raw) > maxSnapshot {
		return nil, fmt.Sprintf("its snapshot has %d KiB, at most %d are kept", len(raw)>>10, maxSnapshot>>10)
	}
	return snapshot, ""
}

// with puts an entry in the place of an older one of its revision. Of two in one second the quarantine holds.
func (l Ledger) with(e Entry) Ledger {
	e.At, e.Message = seconds(e.At), cut(e.Message)
	e.Signals = e.Signals[:min(len(e.Signals), maxSignals)]
	i := slices.IndexFunc(l.Entries, func(o Entry) bool { return o.Hash == e.Hash })
	if i >= 0 && !outdoes(e, l.Entries[i]) {
		return l
	}
	l = l.Forgive(e.Hash)
	l.Entries = append(l.Entries, e)
	slices.SortStableFunc(l.Entries, func(a, b Entry) int { return a.At.Compare(b.At) })
	l.Entries = l.Entries[max(0, len(l.Entries)-maxEntries):]
	return l
}

func outdoes(e, old Entry) bool {
	if e.At.Equal(old.At) {
		return e.Outcome == Quarantined && old.Outcome == Promoted
	}
	return e.At.After(old.At)
}

// Forgive drops what is known of a revision, so that it may be tried anew.
func (l Ledger) Forgive(hash string) Ledger {
	l.Entries = slices.DeleteFunc(slices.Clone(l.Entries), func(e Entry) bool { return e.Hash == hash })
	return l
}

// WithDeleted notes that the resource was deleted; a zero time that it is there. The first deletion counts: a finalizer
// that is called again changes nothing.
func (l Ledger) WithDeleted(at time.Time) Ledger {
	switch {
	case at.IsZero():
		l.DeletedAt = time.Time{}
	case l.DeletedAt.IsZero():
		l.DeletedAt = seconds(at)
	}
	return l
}

// Expired is true when the resource was deleted so long ago that the ledger may go.
func (l Ledger) Expired(now time.Time) bool {
	return !l.DeletedAt.IsZero() && now.Sub(l.DeletedAt) >= keepDeleted
}

// Equal tells whether two ledgers say the same, so that nothing needs to be written. A revision has one snapshot only.
func (l Ledger) Equal(o Ledger) bool {
	if (l.Promoted == nil) != (o.Promoted == nil) || !l.DeletedAt.Equal(o.DeletedAt) {
		return false
	}
	return slices.EqualFunc(l.Entries, o.Entries, equal) && (l.Promoted == nil || l.Promoted.Hash == o.Promoted.Hash)
}

func equal(a, b Entry) bool {
	return a.Hash == b.Hash && a.Image == b.Image && a.Outcome == b.Outcome && a.Reason == b.Reason && a.Message == b.Message &&
		a.At.Equal(b.At) && slices.Equal(a.Signals, b.Signals)
}

// cut keeps the beginning of a message, in whole characters.
func cut(message string) string {
	message = strings.ToValidUTF8(message, "?")
	if len(message) <= maxMessage {
		return message
	}
	return strings.ToValidUTF8(message[:maxMessage-len("…")], "") + "…"
}

func seconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
