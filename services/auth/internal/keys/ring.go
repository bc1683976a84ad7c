package keys

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/prometheus/client_golang/prometheus"

	"movieexample.com/fleet/services/internal/auth"
	"movieexample.com/fleet/services/internal/binding"
	"movieexample.com/fleet/services/internal/telemetry"
)

// lookEvery is how often the files are read. Reading costs less than a watch that each way of writing files (a link that
// moves, a file that is replaced) reports differently.
const lookEvery = time.Second

// Ring is the keys of this moment. It is safe for concurrent use.
type Ring struct {
	read    func() (binding.AuthKeys, error)
	log     *slog.Logger
	reloads *prometheus.CounterVec

	mu      sync.RWMutex
	current *set  // nil before the first good look
	problem error // of the last look

	last binding.AuthKeys // as the last look saw it; of the one who looks
}

// NewRing reads the binding in dir, now and whenever it changes. Files that are missing or wrong are no error here: the
// keys read before stay in use, and Check tells.
func NewRing(dir string, log *slog.Logger, metrics prometheus.Registerer) *Ring {
	r := newRing(func() (binding.AuthKeys, error) { return binding.ReadAuthKeys(dir) }, log, metrics)
	r.last, _ = r.read() // what is there at the start need not be seen twice
	r.look()
	return r
}

// NewEphemeral has one key, which ends with the process: its tokens are good nowhere else, and not after a restart.
func NewEphemeral(log *slog.Logger, metrics prometheus.Registerer) (*Ring, error) {
	r := newRing(nil, log, metrics)
	var err error
	if r.current, err = newSet(); err != nil {
		return nil, err
	}
	r.log.Warn("Tokens are signed with a key that ends with this process: for one instance on a laptop only", "setting", "keys.kind")
	return r, nil
}

func newRing(read func() (binding.AuthKeys, error), log *slog.Logger, metrics prometheus.Registerer) *Ring {
	r := &Ring{read: read, log: log.With(telemetry.KeyComponent, "keys"), reloads: newReloads()}
	metrics.MustRegister(r.reloads)
	return r
}

// Run looks for changed files until the context ends.
func (r *Ring) Run(ctx context.Context) error {
	if r.read == nil {
		return nil
	}
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			r.look()
		}
	}
}

// look takes what the files hold if it is new, good, and was the same at the look before: files that are being written
// one after another are not judged.
func (r *Ring) look() {
	seen, err := r.read()
	settled := same(seen, r.last)
	r.last = seen
	if !settled {
		return
	}
	next := r.set()
	if err == nil && (next == nil || !same(next.source, seen)) {
		next, err = parse(seen)
	}
	r.take(next, err)
}

// take stores the outcome of a look, and tells about a turn: once, however long it lasts.
func (r *Ring) take(next *set, err error) {
	r.mu.Lock()
	before, troubled := r.current, r.problem
	if r.problem = err; err == nil {
		r.current = next
	}
	r.mu.Unlock()
	switch {
	case err != nil && (troubled == nil || troubled.Error() != err.Error()):
		r.reloads.WithLabelValues(refused).Inc()
		r.log.Error("The keys of tokens are not usable; those loaded before stay in use", telemetry.KeyError, err)
	case err == nil && next != before:
		r.reloads.WithLabelValues(loaded).Inc()
		r.log.Info("The keys of tokens were loaded", "signing", next.source.Signing, "keys", slices.Sorted(maps.Keys(next.public)))
	}
}

func same(a, b binding.AuthKeys) bool { return a.Signing == b.Signing && maps.Equal(a.Keys, b.Keys) }

func (r *Ring) set() *set {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.current
}

// Check is a readiness check: there are keys to sign with. Files that went bad later are no reason to stop.
func (r *Ring) Check(context.Context) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.current == nil {
		return fmt.Errorf("there are no keys to sign tokens with: %w", r.problem)
	}
	return nil
}

var errNoKeys = errors.New("there are no keys")

// Sign makes a token of the claims.
func (r *Ring) Sign(claims auth.Claims) (string, error) {
	s := r.set()
	if s == nil {
		return "", errNoKeys
	}
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
	token.Header[auth.KeyID] = s.source.Signing
	return token.SignedString(s.private)
}

// Key is for [auth.Keys].
func (r *Ring) Key(_ context.Context, id string) (ed25519.PublicKey, error) {
	if s := r.set(); s != nil {
		if key, ok := s.public[id]; ok {
			return key, nil
		}
	}
	return nil, auth.ErrUnknownKey
}

// Published is the JSON Web Key Set; nil before there are keys.
func (r *Ring) Published() []byte {
	if s := r.set(); s != nil {
		return s.published
	}
	return nil
}
