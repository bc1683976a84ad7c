package keys

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"movieexample.com/fleet/services/internal/auth"
	"movieexample.com/fleet/services/internal/binding"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func pemOf(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func newKey(t *testing.T) string {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return pemOf(t, private)
}

// files are a binding that a test changes.
type files struct {
	mu  sync.Mutex
	now binding.AuthKeys
	err error
}

func (f *files) read() (binding.AuthKeys, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.now
	b.Keys = maps.Clone(b.Keys)
	return b, f.err
}

func (f *files) set(signing string, keys map[string]string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now, f.err = binding.AuthKeys{Signing: signing, Keys: keys}, err
}

// running is a ring over files for as long as the bubble.
func running(t *testing.T, f *files, test func(r *Ring, log *bytes.Buffer)) {
	synctest.Test(t, func(t *testing.T) {
		log := &bytes.Buffer{}
		r := newRing(f.read, slog.New(slog.NewTextHandler(log, nil)), prometheus.NewRegistry())
		r.last, _ = f.read()
		r.look()
		ctx, cancel := context.WithCancel(t.Context())
		var wait sync.WaitGroup
		wait.Go(func() { _ = r.Run(ctx) })
		test(r, log)
		cancel()
		wait.Wait()
	})
}

// signer is the id that a new token names, and whether the ring knows it.
func signer(t *testing.T, r *Ring) string {
	t.Helper()
	text, err := r.Sign(auth.Claims{RegisteredClaims: jwt.RegisteredClaims{Subject: "ann"}})
	if err != nil {
		return err.Error()
	}
	id := ""
	if _, err := jwt.NewParser().Parse(text, func(token *jwt.Token) (any, error) {
		id, _ = token.Header[auth.KeyID].(string)
		return r.Key(t.Context(), id)
	}); err != nil {
		t.Errorf("a token just signed = %v, want it good by the ring's own keys", err)
	}
	return id
}

func published(t *testing.T, r *Ring) []string {
	t.Helper()
	keys, err := auth.UnmarshalKeys(r.Published())
	if err != nil {
		t.Errorf("Published() = %s: %v", r.Published(), err)
	}
	return slices.Sorted(maps.Keys(keys))
}

func wantRing(t *testing.T, r *Ring, signs string, ids ...string) {
	t.Helper()
	if got := signer(t, r); got != signs {
		t.Errorf("tokens are signed with %q, want %q", got, signs)
	}
	if diff := cmp.Diff(ids, published(t, r)); diff != "" {
		t.Errorf("published keys (-want +got):\n%s", diff)
	}
}

// pass lets time go by, and whoever wakes at its end do what there is to do.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestRotation(t *testing.T) {
	a, b := newKey(t), newKey(t)
	f := &files{}
	f.set("a", map[string]string{"a": a}, nil)
	running(t, f, func(r *Ring, log *bytes.Buffer) {
		wantRing(t, r, "a", "a")
		f.set("a", map[string]string{"a": a, "b": b}, nil)
		pass(3 * time.Second)
		wantRing(t, r, "a", "a", "b")
		f.set("b", map[string]string{"a": a, "b": b}, nil)
		pass(3 * time.Second)
		wantRing(t, r, "b", "a", "b")
		f.set("b", map[string]string{"b": b}, nil)
		pass(3 * time.Second)
		wantRing(t, r, "b", "b")
		if _, err := r.Key(t.Context(), "a"); !errors.Is(err, auth.ErrUnknownKey) {
			t.Errorf("Key of one that was removed = %v, want %v", err, auth.ErrUnknownKey)
		}
		if got := strings.Count(log.String(), "were loaded"); got != 4 {
			t.Errorf("log tells of %d sets of keys, want 4:\n%s", got, log)
		}
	})
}

func TestBadFilesChangeNothing(t *testing.T) {
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := newKey(t)
	for name, c := range map[string]struct {
		keys map[string]string
		err  error
		want string
	}{
		"not PEM":        {map[string]string{"a": "x", "b": good}, nil, `key \"a.pem\": holds no PEM`},
		"a public key":   {map[string]string{"a": strings.ReplaceAll(good, "PRIVATE", "PUBLIC")}, nil, "holds no PEM of a PKCS #8 key"},
		"torn":           {map[string]string{"a": good[:60] + good[80:]}, nil, "holds"},
		"another curve":  {map[string]string{"a": pemOf(t, curve)}, nil, "want an Ed25519 key"},
		"nothing at all": {nil, errors.New("directory does not exist"), "does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &files{}
			f.set("a", map[string]string{"a": good}, nil)
			running(t, f, func(r *Ring, log *bytes.Buffer) {
				f.set("a", c.keys, c.err)
				pass(10 * time.Minute)
				wantRing(t, r, "a", "a")
				if err := r.Check(t.Context()); err != nil {
					t.Errorf("Check = %v, want nil: there are keys", err)
				}
				if text := log.String(); strings.Count(text, "level=ERROR") != 1 || !strings.Contains(text, c.want) || strings.Contains(text, good[40:60]) {
					t.Errorf("log = %s, want one line that says %q and holds no key", text, c.want)
				}
				f.set("b", map[string]string{"b": good}, nil)
				pass(3 * time.Second)
				wantRing(t, r, "b", "b")
			})
		})
	}
}

func TestKeysComeLate(t *testing.T) {
	f := &files{}
	f.set("", nil, errors.New("directory does not exist"))
	running(t, f, func(r *Ring, _ *bytes.Buffer) {
		if err := r.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "does not exist") {
			t.Errorf("Check = %v, want the reason", err)
		}
		if _, err := r.Sign(auth.Claims{}); err == nil || r.Published() != nil {
			t.Errorf("Sign = %v, Published = %s, want an error and nothing", err, r.Published())
		}
		f.set("a", map[string]string{"a": newKey(t)}, nil)
		pass(3 * time.Second)
		wantRing(t, r, "a", "a")
		if err := r.Check(t.Context()); err != nil {
			t.Errorf("Check = %v, want nil", err)
		}
	})
}

// A file that is written in two parts a moment apart is read when it is whole.
func TestFilesThatAreBeingWritten(t *testing.T) {
	f := &files{}
	a := newKey(t)
	f.set("a", map[string]string{"a": a}, nil)
	running(t, f, func(r *Ring, log *bytes.Buffer) {
		synctest.Wait()
		f.set("a", map[string]string{"a": a[:50]}, nil)
		pass(lookEvery)
		f.set("a", map[string]string{"a": a}, nil)
		pass(5 * time.Second)
		wantRing(t, r, "a", "a")
		if strings.Contains(log.String(), "ERROR") {
			t.Errorf("log = %s, want no error", log)
		}
	})
}

func TestEphemeral(t *testing.T) {
	log := &bytes.Buffer{}
	first, err := NewEphemeral(slog.New(slog.NewTextHandler(log, nil)), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	second, err := NewEphemeral(slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	if a, b := signer(t, first), signer(t, second); a == b || !strings.HasPrefix(a, "ephemeral-") {
		t.Errorf("ids = %s and %s, want two of their own", a, b)
	}
	if !strings.Contains(log.String(), "level=WARN") {
		t.Errorf("log = %s, want a warning", log)
	}
	if err := errors.Join(first.Run(t.Context()), first.Check(t.Context())); err != nil {
		t.Errorf("Run and Check = %v, want nil", err)
	}
}
