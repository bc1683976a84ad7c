package authkeys

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const rotation = 24 * time.Hour

var begin = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

// life is a Secret through time.
type life struct {
	data map[string][]byte
	made int
}

func (l *life) step(now time.Time) (changed bool, due time.Time) {
	next, due, _ := Step(l.data, now, rotation, func() ([]byte, error) {
		l.made++
		return fmt.Appendf(nil, "key %d", l.made), nil
	})
	if next != nil {
		l.data = next
	}
	return next != nil, due
}

func (l *life) ids() []string {
	var list []string
	for name := range l.data {
		if id, ok := strings.CutSuffix(name, suffix); ok {
			list = append(list, id)
		}
	}
	return slices.Sorted(slices.Values(list))
}

// TestRotation follows a ring for a day: each change, at the time that the step before named.
func TestRotation(t *testing.T) {
	l := &life{}
	var told []string
	now := begin
	for range 6 {
		changed, due := l.step(now)
		told = append(told, fmt.Sprintf("%s changed=%v signs=%s has=%v", now.Format("02 15:04"), changed, l.data[keySigning], l.ids()))
		if changed, _ := l.step(now); changed {
			t.Fatalf("a second step at %s changed something again", now)
		}
		now = due
	}
	want := []string{
		"21 10:00 changed=true signs=k20261121t100000z has=[k20261121t100000z]",
		"22 10:00 changed=true signs=k20261121t100000z has=[k20261121t100000z k20261122t100000z]",
		"22 10:10 changed=true signs=k20261122t100000z has=[k20261121t100000z k20261122t100000z]",
		"22 10:40 changed=true signs=k20261122t100000z has=[k20261122t100000z]",
		"23 10:00 changed=true signs=k20261122t100000z has=[k20261122t100000z k20261123t100000z]",
		"23 10:10 changed=true signs=k20261123t100000z has=[k20261122t100000z k20261123t100000z]",
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("rotation (-want +got):\n%s", diff)
	}
}

// TestMended: whatever a person did to the Secret, a key signs that is there.
func TestMended(t *testing.T) {
	for name, data := range map[string]map[string][]byte{
		"emptied":                    {},
		"signing names no key":       {"type": []byte(Type), "signing": []byte("gone"), "k20261121t090000z.pem": []byte("p")},
		"type lost":                  {"signing": []byte("k20261121t090000z"), "k20261121t090000z.pem": []byte("p")},
		"a key of another name":      {"type": []byte(Type), "signing": []byte("mine"), "mine.pem": []byte("p")},
		"a key that is empty":        {"type": []byte(Type), "signing": []byte("k20261121t090000z"), "k20261121t090000z.pem": nil},
		"a newline from an editor":   {"type": []byte(Type), "signing": []byte("k20261121t090000z\n"), "k20261121t090000z.pem": []byte("p")},
		"something of another sort":  {"type": []byte(Type), "signing": []byte("k20261121t090000z"), "k20261121t090000z.pem": []byte("p"), "note": []byte("x")},
		"a key of a time that comes": {"type": []byte(Type), "signing": []byte("k20991121t090000z"), "k20991121t090000z.pem": []byte("p")},
	} {
		t.Run(name, func(t *testing.T) {
			l := &life{data: data}
			l.step(begin)
			if got := string(l.data[keyType]); got != Type {
				t.Errorf("type = %q, want %q", got, Type)
			}
			if signing := string(l.data[keySigning]); len(l.data[signing+suffix]) == 0 {
				t.Errorf("signing = %q, and its key is not there: %v", signing, l.ids())
			}
		})
	}
}

// TestNoTokenIsOrphaned: at any times of looking, a key that signs was published for long enough, and stays for as long
// as a token of it may be alive.
func TestNoTokenIsOrphaned(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &life{}
		now := begin
		l.step(now)
		lastSigned := map[string]time.Time{}
		firstSeen := map[string]time.Time{}
		for _, minutes := range rapid.SliceOfN(rapid.IntRange(1, 2000), 1, 60).Draw(t, "minutes between looks") {
			for _, id := range l.ids() {
				if _, ok := firstSeen[id]; !ok {
					firstSeen[id] = now
				}
			}
			before := string(l.data[keySigning])
			lastSigned[before] = now.Add(time.Duration(minutes) * time.Minute)
			now = now.Add(time.Duration(minutes) * time.Minute)
			l.step(now)
			signing := string(l.data[keySigning])
			if signing != before && now.Sub(firstSeen[signing]) < published {
				t.Fatalf("%s signs %s after it was published, want %s", signing, now.Sub(firstSeen[signing]), published)
			}
			for id, signed := range lastSigned {
				if !slices.Contains(l.ids(), id) && now.Sub(signed) < 20*time.Minute && id != signing {
					t.Fatalf("%s is gone %s after it signed last, when its tokens may be alive", id, now.Sub(signed))
				}
			}
		}
	})
}

func TestGenerateFails(t *testing.T) {
	failed := errors.New("no entropy")
	next, _, err := Step(nil, begin, rotation, func() ([]byte, error) { return nil, failed })
	if next != nil || !errors.Is(err, failed) {
		t.Errorf("Step = %v, %v, want nothing and %v", slices.Sorted(maps.Keys(next)), err, failed)
	}
}
