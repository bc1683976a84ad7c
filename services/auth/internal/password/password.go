package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"runtime"

	"golang.org/x/crypto/argon2"
	"golang.org/x/sync/semaphore"
)

// Params are the cost of one hash (RFC 9106).
type Params struct {
	Memory  uint32 // KiB
	Time    uint32 // passes over the memory
	Threads uint8
}

// Recommended is the cost that OWASP's Password Storage Cheat Sheet asks for with one thread. It is some 20 ms of one core:
// a login may cost that, and a thief of the table gets 50 guesses a second from each core and 19 MiB.
func Recommended() Params { return Params{Memory: 19 << 10, Time: 2, Threads: 1} }

const (
	saltBytes  = 16
	keyBytes   = 32
	mostAtOnce = 4
)

// Hasher makes and compares hashes, a few at once: each takes a core and its memory, and callers must not be able to take
// all of both. It is safe for concurrent use.
type Hasher struct {
	params Params
	slots  *semaphore.Weighted
	dummy  string
}

// NewHasher works on as many hashes at once as there are cores, at most four.
func NewHasher(p Params) *Hasher {
	h := &Hasher{params: p, slots: semaphore.NewWeighted(int64(min(runtime.GOMAXPROCS(0), mostAtOnce)))}
	h.dummy = phc{params: p, salt: random(saltBytes), key: random(keyBytes)}.String() // of no password
	return h
}

// Hash makes the PHC string of a password, with a salt of its own.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	if err := h.slots.Acquire(ctx, 1); err != nil {
		return "", fmt.Errorf("wait for a turn to hash: %w", err)
	}
	defer h.slots.Release(1)
	return h.hash(password), nil
}

func (h *Hasher) hash(password string) string {
	salt := random(saltBytes)
	return phc{params: h.params, salt: salt, key: derive(password, salt, h.params, keyBytes)}.String()
}

// Matches compares a password with a PHC string, in the same time for a right password and a wrong one. An empty string,
// that of a user who is not there, matches nothing after the same work. The error is that of ctx, or of a string that
// is none.
func (h *Hasher) Matches(ctx context.Context, password, stored string) (bool, error) {
	nobody := stored == ""
	if nobody {
		stored = h.dummy
	}
	want, err := parse(stored)
	if err != nil {
		return false, err
	}
	if err := h.slots.Acquire(ctx, 1); err != nil {
		return false, fmt.Errorf("wait for a turn to hash: %w", err)
	}
	defer h.slots.Release(1)
	got := derive(password, want.salt, want.params, len(want.key))
	return subtle.ConstantTimeCompare(got, want.key) == 1 && !nobody, nil
}

func derive(password string, salt []byte, p Params, size int) []byte {
	return argon2.IDKey([]byte(password), salt, p.Time, p.Memory, p.Threads, uint32(size))
}

func random(size int) []byte {
	b := make([]byte, size)
	_, _ = rand.Read(b) // never fails: it ends the program instead
	return b
}
