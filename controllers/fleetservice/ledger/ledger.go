package ledger

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/revision"
)

// Name is the name of a service's ledger.
func Name(service string) string { return "fleet-ledger-" + service }

const (
	// maxEntries are the verdicts that are kept, the latest.
	maxEntries = 20
	// maxSnapshot bounds the snapshot in bytes, so that the ledger always fits into a ConfigMap.
	maxSnapshot = 600 << 10
	// keepDeleted is how long a ledger is kept after its resource was deleted.
	keepDeleted = 30 * 24 * time.Hour

	keyVerdicts  = "verdicts.json"
	keyPromoted  = "promoted.json"
	keyDeletedAt = "deletedAt"
)

// Outcome is what was decided about a revision.
type Outcome string

// The outcomes.
const (
	Promoted    Outcome = "Promoted"
	Quarantined Outcome = "Quarantined"
)

// Entry is a verdict about one revision.
type Entry struct {
	Hash    string    `json:"hash"`
	Image   string    `json:"image"`
	Outcome Outcome   `json:"outcome"`
	Reason  string    `json:"reason,omitempty"`
	Message string    `json:"message,omitempty"`
	At      time.Time `json:"at"`
}

// Release is the revision that was promoted last, with what it is made from.
type Release struct {
	Hash  string    `json:"hash"`
	Image string    `json:"image"`
	At    time.Time `json:"at"`
	// Snapshot is nil where it was too large to be kept.
	Snapshot *revision.Snapshot `json:"snapshot,omitempty"`
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

// Parse reads a ledger. The error is about one that somebody has damaged; it is never taken for an empty one.
func Parse(cm *corev1.ConfigMap) (Ledger, error) {
	var l Ledger
	if raw := cm.Data[keyVerdicts]; raw != "" {
		if err := json.Unmarshal([]byte(raw), &l.Entries); err != nil {
			return Ledger{}, damaged(keyVerdicts, err)
		}
	}
	if raw := cm.Data[keyPromoted]; raw != "" {
		if err := json.Unmarshal([]byte(raw), &l.Promoted); err != nil {
			return Ledger{}, damaged(keyPromoted, err)
		}
	}
	if raw := cm.Data[keyDeletedAt]; raw != "" {
		at, err := time.Parse(time.RFC3339, raw)
		if err != nil {
			return Ledger{}, damaged(keyDeletedAt, err)
		}
		l.DeletedAt = at.UTC()
	}
	return l, nil
}

func damaged(key string, err error) error {
	return fmt.Errorf("the ledger's key %s is damaged: %w: mend it, or delete the ConfigMap to forget every quarantine", key, err)
}

// Quarantined is the entry of a revision that is not to be tried again.
func (l Ledger) Quarantined(hash string) (Entry, bool) {
	i := slices.IndexFunc(l.Entries, func(e Entry) bool { return e.Hash == hash && e.Outcome == Quarantined })
	if i < 0 {
		return Entry{}, false
	}
	return l.Entries[i], true
}

// WithQuarantine adds a revision that is not to be tried again. One that is there already stays as it is.
func (l Ledger) WithQuarantine(e Entry) Ledger {
	e.Outcome = Quarantined
	return l.with(e)
}

// WithPromoted notes the revision that was promoted last.
func (l Ledger) WithPromoted(hash, image string, at time.Time, snapshot *revision.Snapshot) Ledger {
	l = l.with(Entry{Hash: hash, Image: image, Outcome: Promoted, At: at})
	l.Promoted = &Release{Hash: hash, Image: image, At: seconds(at), Snapshot: snapshot}
	return l
}

// with puts an entry in the place of an older one of its revision.
func (l Ledger) with(e Entry) Ledger {
	e.At = seconds(e.At)
	if i := slices.IndexFunc(l.Entries, func(o Entry) bool { return o.Hash == e.Hash }); i >= 0 && !l.Entries[i].At.Before(e.At) {
		return l
	}
	l = l.Forgive(e.Hash)
	l.Entries = append(l.Entries, e)
	l.Entries = l.Entries[max(0, len(l.Entries)-maxEntries):]
	return l
}

// Forgive drops what is known of a revision, so that it may be tried anew.
func (l Ledger) Forgive(hash string) Ledger {
	l.Entries = slices.DeleteFunc(slices.Clone(l.Entries), func(e Entry) bool { return e.Hash == hash })
	return l
}

// WithDeleted notes that the resource was deleted; a zero time that it is there.
func (l Ledger) WithDeleted(at time.Time) Ledger {
	l.DeletedAt = at
	if !at.IsZero() {
		l.DeletedAt = seconds(at)
	}
	return l
}

// Expired is true when the resource was deleted so long ago that the ledger may go.
func (l Ledger) Expired(now time.Time) bool {
	return !l.DeletedAt.IsZero() && now.Sub(l.DeletedAt) >= keepDeleted
}

// Equal tells whether two ledgers say the same.
func (l Ledger) Equal(o Ledger) bool {
	same := func(a, b Entry) bool {
		return a.Hash == b.Hash && a.Outcome == b.Outcome && a.Reason == b.Reason && a.Message == b.Message && a.At.Equal(b.At)
	}
	if (l.Promoted == nil) != (o.Promoted == nil) || !l.DeletedAt.Equal(o.DeletedAt) {
		return false
	}
	return slices.EqualFunc(l.Entries, o.Entries, same) && (l.Promoted == nil || l.Promoted.Hash == o.Promoted.Hash)
}

// Render is the ledger as it is stored: without an owner, so that it outlives the resource.
func (l Ledger) Render(fs *v1alpha1.FleetService) (*corev1.ConfigMap, error) {
	cm := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Name: Name(fs.Name), Namespace: fs.Namespace, Labels: map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue},
		},
		Data: map[string]string{},
	}
	verdicts, err := json.Marshal(l.Entries)
	if err != nil {
		return nil, fmt.Errorf("encode the verdicts: %w", err)
	}
	cm.Data[keyVerdicts] = string(verdicts)
	if l.Promoted != nil {
		promoted, err := l.Promoted.encode()
		if err != nil {
			return nil, err
		}
		cm.Data[keyPromoted] = promoted
	}
	if !l.DeletedAt.IsZero() {
		cm.Data[keyDeletedAt] = l.DeletedAt.UTC().Format(time.RFC3339)
	}
	return cm, nil
}

// encode leaves out a snapshot that a ConfigMap could not hold.
func (r Release) encode() (string, error) {
	raw, err := json.Marshal(r)
	if err == nil && len(raw) > maxSnapshot {
		r.Snapshot = nil
		raw, err = json.Marshal(r)
	}
	if err != nil {
		return "", fmt.Errorf("encode the revision promoted last: %w", err)
	}
	return string(raw), nil
}

func seconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
