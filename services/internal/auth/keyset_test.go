package auth_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"movieexample.com/fleet/services/internal/auth"
	"movieexample.com/fleet/services/internal/problem"
)

// publisher is auth as a key set sees it.
type publisher struct {
	mu      sync.Mutex
	keys    keys
	code    int
	body    string // instead of the keys
	away    error
	hangs   bool
	fetches int
}

func (p *publisher) change(f func(*publisher)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(p)
}

func (p *publisher) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fetches
}

func (p *publisher) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fetches++
	if p.hangs {
		p.mu.Unlock()
		<-r.Context().Done()
		p.mu.Lock()
		return nil, r.Context().Err()
	}
	if p.away != nil {
		return nil, p.away
	}
	body := p.body
	if body == "" {
		public := map[string]ed25519.PublicKey{}
		for id, key := range p.keys {
			public[id] = key.Public().(ed25519.PublicKey)
		}
		text, err := auth.MarshalKeys(public)
		if err != nil {
			return nil, err
		}
		body = string(text)
	}
	header := http.Header{"Location": {"http://elsewhere/"}}
	return &http.Response{StatusCode: p.code, Status: http.StatusText(p.code), Header: header, Body: io.NopCloser(strings.NewReader(body))}, nil
}

type keySet struct {
	*auth.KeySet
	*publisher

	log     *bytes.Buffer // read it when nothing runs
	metrics *prometheus.Registry
}

// within runs the test in a bubble with a key set of the keys a and b, which runs for as long as the test.
func within(t *testing.T, test func(t *testing.T, k keySet)) {
	synctest.Test(t, func(t *testing.T) {
		k := keySet{publisher: &publisher{keys: newKeys(t, "a", "b"), code: http.StatusOK}, log: &bytes.Buffer{}, metrics: prometheus.NewRegistry()}
		k.KeySet = auth.NewKeySet("http://auth/keys", k.publisher, time.Now, slog.New(slog.NewTextHandler(k.log, nil)), k.metrics)
		ctx, cancel := context.WithCancel(t.Context())
		var wait sync.WaitGroup
		wait.Go(func() { _ = k.Run(ctx) })
		test(t, k)
		cancel()
		wait.Wait()
	})
}

func (k keySet) wantKey(t *testing.T, id string) {
	t.Helper()
	if got, err := k.Key(t.Context(), id); err != nil || !got.Equal(k.keys[id].Public()) {
		t.Errorf("Key(%s) = %v, %v, want the one that is published", id, got, err)
	}
}

func (k keySet) wantNone(t *testing.T, id string, want problem.Kind) {
	t.Helper()
	_, err := k.Key(t.Context(), id)
	unknown := errors.Is(err, auth.ErrUnknownKey)
	if err == nil || unknown != (want == problem.Unauthenticated) || !unknown && problem.KindOf(err) != want {
		t.Errorf("Key(%s) = %v, want an error of kind %v", id, err, want)
	}
}

func TestKeysAreFetchedOnceForMany(t *testing.T) {
	within(t, func(t *testing.T, k keySet) {
		synctest.Wait()
		for range 1000 {
			k.wantKey(t, "a")
			k.wantKey(t, "b")
		}
		time.Sleep(4 * time.Minute)
		if got := k.count(); got != 1 {
			t.Errorf("keys were fetched %d times in four minutes, want once", got)
		}
		time.Sleep(100 * time.Minute)
		if got := k.count(); got < 15 || got > 25 {
			t.Errorf("keys were fetched %d times in 104 minutes, want it every five minutes", got)
		}
	})
}

func TestFirstCallersWaitForTheKeys(t *testing.T) {
	within(t, func(t *testing.T, k keySet) { k.wantKey(t, "a") }) // Run may not even have begun
}

// A key that was published a moment ago is found at once, by one fetch for all who need it.
func TestNewKeyIsAskedFor(t *testing.T) {
	within(t, func(t *testing.T, k keySet) {
		k.wantKey(t, "a")
		time.Sleep(10 * time.Second)
		before := k.count()
		k.change(func(p *publisher) { p.keys["c"] = newKeys(t, "c")["c"] })
		var wait sync.WaitGroup
		for range 100 {
			wait.Go(func() { k.wantKey(t, "c") })
		}
		wait.Wait()
		if got := k.count() - before; got != 1 {
			t.Errorf("a new key was fetched %d times for 100 who wanted it, want once", got)
		}
	})
}

// Ids come from anybody: a flood of unknown ones must not become a flood of fetches.
func TestUnknownKeysAreAskedForSeldom(t *testing.T) {
	within(t, func(t *testing.T, k keySet) {
		k.wantKey(t, "a")
		time.Sleep(10 * time.Second)
		before := k.count()
		for range 600 {
			k.wantNone(t, "x", problem.Unauthenticated)
			time.Sleep(100 * time.Millisecond)
		}
		if got := k.count() - before; got > 13 {
			t.Errorf("600 unknown ids within a minute made %d fetches, want one in five seconds", got)
		}
		k.wantKey(t, "a")
	})
}

func TestKeysThatAreTakenBack(t *testing.T) {
	within(t, func(t *testing.T, k keySet) {
		k.wantKey(t, "b")
		k.change(func(p *publisher) { delete(p.keys, "b") })
		time.Sleep(6 * time.Minute)
		k.wantNone(t, "b", problem.Unauthenticated)
		k.wantKey(t, "a")
	})
}

func TestAuthAway(t *testing.T) {
	within(t, func(t *testing.T, k keySet) {
		k.wantKey(t, "a")
		k.change(func(p *publisher) { p.away = errors.New("refused") })
		for range 59 {
			time.Sleep(time.Minute)
			k.wantKey(t, "a") // known for an hour
		}
		k.wantNone(t, "x", problem.Unavailable) // nobody can tell whether it is in use
		time.Sleep(7 * time.Minute)
		k.wantNone(t, "a", problem.Unavailable)
		k.change(func(p *publisher) { p.away = nil })
		time.Sleep(time.Minute)
		k.wantKey(t, "a")
		if got := strings.Count(k.log.String(), "level=WARN"); got != 1 {
			t.Errorf("an outage of an hour made %d warnings, want one:\n%s", got, k.log)
		}
		if !strings.Contains(k.log.String(), "refused") {
			t.Errorf("log = %s, want the cause", k.log)
		}
	})
}

func TestAuthAwayFromTheStart(t *testing.T) {
	within(t, func(t *testing.T, k keySet) {
		k.change(func(p *publisher) { p.away = errors.New("refused") })
		synctest.Wait()
		k.wantNone(t, "a", problem.Unavailable)
		k.change(func(p *publisher) { p.away = nil })
		time.Sleep(31 * time.Second)
		k.wantKey(t, "a")
	})
}

// An auth that accepts and says nothing costs a call three seconds at most, and only when the call needs what is not known.
func TestAuthHangs(t *testing.T) {
	within(t, func(t *testing.T, k keySet) {
		k.wantKey(t, "a")
		time.Sleep(10 * time.Second)
		k.change(func(p *publisher) { p.hangs = true })
		began := time.Now()
		k.wantNone(t, "x", problem.Unavailable)
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("Key took %s, want 3 s at most", took)
		}
		began = time.Now()
		k.wantKey(t, "a")
		if took := time.Since(began); took != 0 {
			t.Errorf("Key of a known id took %s, want nothing", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		time.Sleep(5 * time.Second)
		if _, err := k.Key(ctx, "x"); problem.KindOf(err) != problem.Unavailable {
			t.Errorf("Key of a caller without time = %v, want Unavailable", err)
		}
	})
}

func TestWrongAnswersChangeNothing(t *testing.T) {
	for name, wrong := range map[string]func(*publisher){
		"an error":       func(p *publisher) { p.code = http.StatusServiceUnavailable },
		"a redirect":     func(p *publisher) { p.code = http.StatusFound },
		"not JSON":       func(p *publisher) { p.body = "<html>" },
		"no keys":        func(p *publisher) { p.body = `{"keys":[]}` },
		"keys of others": func(p *publisher) { p.body = `{"keys":[{"kty":"RSA","kid":"a","n":"AQAB","e":"AQAB"}]}` },
		"half a key":     func(p *publisher) { p.body = `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"AAAA"}]}` },
		"a key to encrypt": func(p *publisher) {
			p.body = `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","use":"enc","x":"AAAA"}]}`
		},
		"much too much": func(p *publisher) { p.body = `{"keys":[` + strings.Repeat(" ", 1<<20) + `]}` },
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func(t *testing.T, k keySet) {
				k.wantKey(t, "a")
				k.change(wrong)
				time.Sleep(10 * time.Minute)
				k.wantKey(t, "a")
				if failed := testutil.ToFloat64(counter(t, k.metrics)); failed == 0 {
					t.Error("auth_key_fetches_total of failed = 0, want more")
				}
			})
		})
	}
}

// counter is auth_key_fetches_total of result failed.
func counter(t *testing.T, metrics *prometheus.Registry) prometheus.Collector {
	t.Helper()
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := prometheus.NewGauge(prometheus.GaugeOpts{Name: "failed"})
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if m.GetLabel()[0].GetValue() == "failed" {
				sum.Add(m.GetCounter().GetValue())
			}
		}
	}
	return sum
}

func TestKeysAsJSON(t *testing.T) {
	want := map[string]ed25519.PublicKey{}
	for id, key := range newKeys(t, "a", "b") {
		want[id] = key.Public().(ed25519.PublicKey)
	}
	text, err := auth.MarshalKeys(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := auth.UnmarshalKeys(text)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("UnmarshalKeys = %v (-want +got):\n%s", err, diff)
	}
	if strings.Contains(string(text), `"d"`) {
		t.Errorf("MarshalKeys = %s, which holds a private key", text)
	}
	// From RFC 8037, appendix A.2.
	got, err = auth.UnmarshalKeys([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"rfc","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},{"kty":"EC","kid":"other"}]}`))
	if err != nil || len(got) != 1 || len(got["rfc"]) != ed25519.PublicKeySize {
		t.Errorf("UnmarshalKeys of RFC 8037's key = %v, %v, want it", got, err)
	}
}
