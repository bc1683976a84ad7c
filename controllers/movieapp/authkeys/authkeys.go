package authkeys

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// The layout of the Secret: type, signing (the id of the key that signs), since when, and <id>.pem for each key.
const (
	Type       = "auth-keys"
	keyType    = "type"
	keySigning = "signing"
	keySince   = "signing-since"
	suffix     = ".pem"
)

const (
	// published is how long a key is known before it signs: every instance of auth has its file by then, and every
	// service has asked for the published keys since.
	published = 10 * time.Minute
	// retired is how long a key is known after another signs: longer than any token lives.
	retired = 30 * time.Minute
)

// ids are the times at which keys were made.
const ids = "k20060102t150405z"

// ring is the Secret's content, understood.
type ring struct {
	pem     map[string][]byte
	signing string
	since   time.Time
}

// Step is what the Secret should hold now, and when to look again; nil data means: what it holds. A key signs for the
// rotation, the next one is published before it takes over, and the one before it goes when no token of it can be alive.
// Generate makes the PEM of a new private key; the error is its.
func Step(data map[string][]byte, now time.Time, rotation time.Duration, generate func() ([]byte, error)) (next map[string][]byte, due time.Time, err error) {
	now = now.UTC().Truncate(time.Second)
	r := read(data)
	if len(r.pem) == 0 || (r.newest() == r.signing && age(r.signing, now) >= rotation) {
		pem, err := generate()
		if err != nil {
			return nil, now, fmt.Errorf("make a key: %w", err)
		}
		r.pem[now.Format(ids)] = pem
	}
	if _, ok := r.pem[r.signing]; !ok || (r.newest() != r.signing && age(r.newest(), now) >= published) {
		r.signing, r.since = r.newest(), now
	}
	if r.since.IsZero() || r.since.After(now) {
		r.since = now // a person changed it
	}
	if now.Sub(r.since) >= retired {
		maps.DeleteFunc(r.pem, func(id string, _ []byte) bool { return made(id).Before(made(r.signing)) })
	}
	due = r.due(rotation)
	if wanted := r.data(); !maps.EqualFunc(data, wanted, bytes.Equal) {
		return wanted, due, nil
	}
	return nil, due, nil
}

func read(data map[string][]byte) ring {
	r := ring{pem: map[string][]byte{}, signing: strings.TrimSpace(string(data[keySigning]))}
	r.since, _ = time.Parse(time.RFC3339, string(data[keySince])) // else it counts from now on
	for name, content := range data {
		if id, ok := strings.CutSuffix(name, suffix); ok && len(content) > 0 {
			r.pem[id] = content
		}
	}
	return r
}

func (r ring) data() map[string][]byte {
	out := map[string][]byte{keyType: []byte(Type), keySigning: []byte(r.signing), keySince: []byte(r.since.Format(time.RFC3339))}
	for id, content := range r.pem {
		out[id+suffix] = content
	}
	return out
}

// newest is the id of the key that was made last.
func (r ring) newest() string {
	list := slices.SortedFunc(maps.Keys(r.pem), func(a, b string) int {
		if c := made(a).Compare(made(b)); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	if len(list) == 0 {
		return ""
	}
	return list[len(list)-1]
}

// due is when something is to be done next.
func (r ring) due(rotation time.Duration) time.Time {
	if newest := r.newest(); newest != r.signing {
		return made(newest).Add(published)
	}
	next := made(r.signing).Add(rotation)
	if gone := r.since.Add(retired); len(r.pem) > 1 && gone.Before(next) {
		return gone
	}
	return next
}

// made is when a key was made. An id that does not tell, of a key that a person put there, is older than all.
func made(id string) time.Time {
	t, err := time.Parse(ids, id)
	if err != nil {
		return time.Time{}
	}
	return t
}

func age(id string, now time.Time) time.Duration { return now.Sub(made(id)) }
