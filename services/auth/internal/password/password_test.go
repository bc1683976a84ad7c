package password

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// cheap keeps the tests quick: what they are about does not depend on the cost.
func cheap() Params { return Params{Memory: 64, Time: 1, Threads: 1} }

func TestMatches(t *testing.T) {
	h := NewHasher(cheap())
	stored, err := h.Hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	// A test vector of the reference implementation (phc-winner-argon2, src/test.c).
	const reference = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	for name, tc := range map[string]struct {
		password, stored string
		want             bool
	}{
		"right":               {"correct horse", stored, true},
		"wrong":               {"correct house", stored, false},
		"empty":               {"", stored, false},
		"longer":              {"correct horse ", stored, false},
		"another's cost":      {"password", reference, true},
		"wrong, other's cost": {"Password", reference, false},
		"nobody":              {"correct horse", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := h.Matches(t.Context(), tc.password, tc.stored); err != nil || got != tc.want {
				t.Errorf("Matches = %v, %v, want %v", got, err, tc.want)
			}
		})
	}
}

func TestHashesAreSalted(t *testing.T) {
	h := NewHasher(Recommended())
	first, _ := h.Hash(t.Context(), "same")
	second, _ := h.Hash(t.Context(), "same")
	if first == second || !strings.HasPrefix(first, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("Hash = %s and %s, want two different ones of the recommended cost", first, second)
	}
}

// The answer for nobody must cost what the answer for somebody does: the hash it is compared with has the same cost.
func TestNobodyCostsTheSame(t *testing.T) {
	h := NewHasher(Recommended())
	dummy, err := parse(h.dummy)
	if err != nil || dummy.params != Recommended() || len(dummy.key) != keyBytes || len(dummy.salt) != saltBytes {
		t.Errorf("the hash for nobody = %v, %v, want one of the recommended cost", dummy, err)
	}
}

func TestMatchesRefusesWhatIsNoHash(t *testing.T) {
	h := NewHasher(cheap())
	const salt, key = "c29tZXNhbHQ", "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	for name, stored := range map[string]string{
		"plain":          "secret",
		"argon2i":        "$argon2i$v=19$m=64,t=1,p=1$" + salt + "$" + key,
		"version":        "$argon2id$v=16$m=64,t=1,p=1$" + salt + "$" + key,
		"no cost":        "$argon2id$v=19$$" + salt + "$" + key,
		"more cost":      "$argon2id$v=19$m=64,t=1,p=1,x=1$" + salt + "$" + key,
		"zero":           "$argon2id$v=19$m=064,t=1,p=1$" + salt + "$" + key,
		"no passes":      "$argon2id$v=19$m=64,t=0,p=1$" + salt + "$" + key,
		"no threads":     "$argon2id$v=19$m=64,t=1,p=0$" + salt + "$" + key,
		"all the memory": "$argon2id$v=19$m=4294967295,t=1,p=1$" + salt + "$" + key,
		"all the time":   "$argon2id$v=19$m=64,t=4294967295,p=1$" + salt + "$" + key,
		"empty key":      "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$",
		"short key":      "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$YQ",
		"padded":         "$argon2id$v=19$m=64,t=1,p=1$" + salt + "==$" + key,
	} {
		if got, err := h.Matches(t.Context(), "x", stored); err == nil || got || strings.Contains(err.Error(), stored) {
			t.Errorf("Matches(%s) = %v, %v, want an error that does not hold the hash", name, got, err)
		}
	}
}

func TestNoMoreThanAFewAtOnce(t *testing.T) {
	h := NewHasher(cheap())
	slots := int64(min(runtime.GOMAXPROCS(0), mostAtOnce))
	if err := h.slots.Acquire(t.Context(), slots); err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	stored := h.hash("x")
	if _, err := h.Matches(gone, "x", stored); !errors.Is(err, context.Canceled) {
		t.Errorf("Matches without a free slot = %v, want it to wait until the caller is gone", err)
	}
	if _, err := h.Hash(gone, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("Hash without a free slot = %v, want it to wait until the caller is gone", err)
	}
	h.slots.Release(slots)
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			if ok, err := h.Matches(t.Context(), "x", stored); err != nil || !ok {
				t.Errorf("Matches = %v, %v, want true: the slots are given back", ok, err)
			}
		})
	}
	wait.Wait()
}

func FuzzParse(f *testing.F) {
	f.Add("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add("$argon2id$v=19$m=-1,t=2,p=1$$")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parse(text)
		if err == nil && p.String() != text {
			t.Errorf("parse(%q) = %s, want it back as it was", text, p)
		}
	})
}
