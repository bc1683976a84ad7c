package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"movieexample.com/fleet/api/v1alpha1"
)

// The keys of the ConfigMap.
const (
	keyVerdicts  = "verdicts.json"
	keyPromoted  = "promoted.json"
	keyDeletedAt = "deletedAt"
)

// Damaged is the error about a ledger that somebody has damaged.
type Damaged struct {
	// ConfigMap is namespace/name, Key the key that cannot be read.
	ConfigMap, Key string
	Cause          error
}

func (e *Damaged) Error() string {
	return fmt.Sprintf("the ledger in ConfigMap %s cannot be read: key %s is damaged: %v: mend it, or delete the ConfigMap to forget every quarantine",
		e.ConfigMap, e.Key, e.Cause)
}

// Parse reads a ledger. The error is *Damaged: what cannot be read is never taken for an empty ledger.
func Parse(cm *corev1.ConfigMap) (Ledger, error) {
	var l Ledger
	for _, part := range []struct {
		key  string
		read func(raw string) error
	}{
		{keyVerdicts, l.readVerdicts}, {keyPromoted, l.readPromoted}, {keyDeletedAt, l.readDeletedAt},
	} {
		raw, there := cm.Data[part.key]
		if !there && part.key != keyVerdicts {
			continue
		}
		if err := part.read(raw); err != nil {
			return Ledger{}, &Damaged{ConfigMap: cm.Namespace + "/" + cm.Name, Key: part.key, Cause: err}
		}
	}
	return l, nil
}

func (l *Ledger) readVerdicts(raw string) error {
	if raw == "" {
		return errors.New("it is missing or empty; a ledger without verdicts says []")
	}
	if err := json.Unmarshal([]byte(raw), &l.Entries); err != nil {
		return fmt.Errorf("it is no list of verdicts: %w", err)
	}
	for i := range l.Entries {
		e := &l.Entries[i]
		if e.Outcome != Promoted && e.Outcome != Quarantined {
			return fmt.Errorf("the outcome of verdict %d is %q, want %s or %s", i+1, e.Outcome, Promoted, Quarantined)
		}
		if err := identified(e.Hash, &e.At); err != nil {
			return fmt.Errorf("verdict %d: %w", i+1, err)
		}
	}
	return nil
}

func (l *Ledger) readPromoted(raw string) error {
	if err := json.Unmarshal([]byte(raw), &l.Promoted); err != nil {
		return fmt.Errorf("it is no revision: %w", err)
	}
	if l.Promoted == nil {
		return errors.New("it is empty; a ledger without a promoted revision has no such key")
	}
	return identified(l.Promoted.Hash, &l.Promoted.At)
}

func (l *Ledger) readDeletedAt(raw string) error {
	at, err := time.Parse(time.RFC3339, raw)
	if err != nil {
		return fmt.Errorf("it is no time such as 2006-01-02T15:04:05Z: %w", err)
	}
	l.DeletedAt = at
	return dated(&l.DeletedAt)
}

// identified checks that a revision is named, and since when something is known of it.
func identified(hash string, at *time.Time) error {
	if hash == "" {
		return errors.New("it names no revision (hash)")
	}
	return dated(at)
}

// dated brings a time into the form that is kept, and refuses one that nobody can have meant.
func dated(at *time.Time) error {
	*at = seconds(*at)
	if y := at.Year(); y < 1970 || y > 9999 {
		return fmt.Errorf("its time (at) is missing or in the year %d", y)
	}
	return nil
}

// Render is the ledger as it is stored: without an owner, so that it outlives the resource, and without a label by which
// a delivery tool would take it for its own.
func (l Ledger) Render(fs *v1alpha1.FleetService) (*corev1.ConfigMap, error) {
	cm := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Name: Name(fs.Name), Namespace: fs.Namespace,
			Labels: map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedByValue, v1alpha1.LabelService: fs.Name},
		},
		Data: map[string]string{keyVerdicts: "[]"},
	}
	if len(l.Entries) > 0 {
		verdicts, err := json.Marshal(l.Entries)
		if err != nil {
			return nil, fmt.Errorf("encode the verdicts: %w", err)
		}
		cm.Data[keyVerdicts] = string(verdicts)
	}
	if l.Promoted != nil {
		promoted, err := json.Marshal(l.Promoted)
		if err != nil {
			return nil, fmt.Errorf("encode the revision promoted last: %w", err)
		}
		cm.Data[keyPromoted] = string(promoted)
	}
	if !l.DeletedAt.IsZero() {
		cm.Data[keyDeletedAt] = l.DeletedAt.UTC().Format(time.RFC3339)
	}
	return cm, nil
}
