package identity

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"go.uber.org/goleak"

	"movieexample.com/fleet/hack/certs/authority"
	"movieexample.com/fleet/test/parts"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	rating = "spiffe://cluster.local/ns/movies/sa/rating"
	movie  = "spiffe://cluster.local/ns/movies/sa/movie"
)

func domain() spiffeid.TrustDomain { return spiffeid.RequireTrustDomainFromString("cluster.local") }

// open lays the keys out and opens them; the log is for reading.
func open(t *testing.T, keys map[string]string) (*Files, string, *bytes.Buffer) {
	t.Helper()
	dir, log := filepath.Join(t.TempDir(), "tls"), &bytes.Buffer{}
	parts.MountBinding(t, dir, keys)
	f, err := Open(dir, domain(), slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return f, dir, log
}

func expired(r *authority.Request) {
	r.NotAfter = time.Now().Add(-time.Minute)
	r.NotBefore = r.NotAfter.Add(-time.Hour)
}

func TestOpenMistakes(t *testing.T) {
	ours, other := parts.NewAuthority(t), parts.NewAuthority(t)
	good := ours.Leaf(t, rating)
	mixed := authority.Pair{Certificate: good.Certificate, Key: ours.Leaf(t, rating).Key}
	early := func(r *authority.Request) { r.NotBefore = time.Now().Add(time.Minute) }
	for name, tc := range map[string]struct {
		keys map[string]string
		want string
	}{
		"a key of another certificate": {parts.TLSKeys(mixed, ours), "the key does not belong to the certificate"},
		"no PEM":                       {map[string]string{"tls.crt": "x", "tls.key": "x", "ca.crt": string(ours.Certificate())}, "tls.crt and tls.key"},
		"no key":                       {map[string]string{"tls.crt": string(good.Certificate), "ca.crt": string(ours.Certificate())}, `key "tls.key" is missing`},
		"no identity":                  {parts.TLSKeys(ours.Leaf(t, ""), ours), "contains no URI SAN; it wants one URI of the form spiffe://cluster.local/ns/NAMESPACE/sa/SERVICE"},
		"another trust domain":         {parts.TLSKeys(ours.Leaf(t, "spiffe://other/ns/a/sa/b"), ours), "spiffe://other/ns/a/sa/b is not of the trust domain cluster.local (tls.trustDomain)"},
		"expired":                      {parts.TLSKeys(ours.Leaf(t, rating, expired), ours), "tls.crt: expired on 20"},
		"of tomorrow":                  {parts.TLSKeys(ours.Leaf(t, rating, early), ours), "tls.crt: is not valid before 20"},
		"another authority":            {parts.TLSKeys(good, other), "tls.crt is not signed by an authority in ca.crt"},
		"no authority":                 {map[string]string{"tls.crt": string(good.Certificate), "tls.key": string(good.Key), "ca.crt": "x"}, `"ca.crt" holds no certificate`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "tls")
			parts.WriteBinding(t, dir, tc.keys)
			_, err := Open(dir, domain(), slog.New(slog.DiscardHandler))
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("Open = error %v, want one line with %q", err, tc.want)
			}
		})
	}
}

func (f *Files) lookTwice() {
	f.look(time.Now())
	f.look(time.Now())
}

func TestNewFilesAreTakenUp(t *testing.T) {
	first, second := parts.NewAuthority(t), parts.NewAuthority(t)
	for name, write := range map[string]func(testing.TB, string, map[string]string){
		"a Secret that is mounted": parts.MountBinding, "files that are written over": parts.WriteBinding,
	} {
		t.Run(name, func(t *testing.T) {
			f, dir, log := open(t, parts.TLSKeys(first.Leaf(t, rating), first))
			write(t, dir, parts.TLSKeys(second.Leaf(t, movie), first, second))
			f.lookTwice()
			if got := f.ID().String(); got != movie {
				t.Errorf("ID() = %s, want %s of the new files", got, movie)
			}
			if got := testutil.CollectAndCount(f, "tls_bundle_info"); got != 2 {
				t.Errorf("tls_bundle_info has %d authorities, want 2", got)
			}
			f.lookTwice()
			if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), movie) {
				t.Errorf("log = %s, want one line with the new identity", log)
			}
		})
	}
}

func TestBadFilesChangeNothing(t *testing.T) {
	ours, other := parts.NewAuthority(t), parts.NewAuthority(t)
	next := ours.Leaf(t, rating)
	f, dir, log := open(t, parts.TLSKeys(ours.Leaf(t, rating), ours))
	before := f.current.Load()
	for _, bad := range []map[string]string{
		{"tls.crt": string(next.Certificate)}, // its key is not written yet
		{"tls.crt": string(next.Certificate[:100])},
		{"tls.crt": ""},
		parts.TLSKeys(ours.Leaf(t, rating, expired), ours),
		parts.TLSKeys(ours.Leaf(t, rating), other),
	} {
		parts.WriteBinding(t, dir, bad)
		log.Reset()
		refusals := testutil.ToFloat64(f.reloads.WithLabelValues(refused))
		for range 5 {
			f.look(time.Now())
		}
		if f.current.Load() != before {
			t.Errorf("files %v were taken up", bad)
		}
		if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "stay in use") {
			t.Errorf("log = %q, want one line that says that the old ones stay", log)
		}
		if got := testutil.ToFloat64(f.reloads.WithLabelValues(refused)) - refusals; got != 1 {
			t.Errorf("tls_reloads_total of refused rose by %v, want 1", got)
		}
	}
	parts.WriteBinding(t, dir, parts.TLSKeys(next, ours))
	f.lookTwice()
	if f.current.Load() == before {
		t.Error("the good files that follow were not taken up")
	}
}

func TestAPairThatIsBeingWrittenIsNotJudged(t *testing.T) {
	ours := parts.NewAuthority(t)
	next := ours.Leaf(t, rating)
	f, dir, log := open(t, parts.TLSKeys(ours.Leaf(t, rating), ours))
	before := f.current.Load()
	parts.WriteBinding(t, dir, map[string]string{"tls.crt": string(next.Certificate)})
	f.look(time.Now())
	parts.WriteBinding(t, dir, map[string]string{"tls.key": string(next.Key)})
	f.look(time.Now())
	if f.current.Load() != before || log.Len() > 0 {
		t.Errorf("after one look at each state: taken up %v, log %q, want neither", f.current.Load() != before, log)
	}
	f.look(time.Now())
	if f.current.Load() == before {
		t.Error("the pair was not taken up once it stayed the same")
	}
}

func TestFilesThatAreGoneChangeNothing(t *testing.T) {
	ours := parts.NewAuthority(t)
	f, dir, log := open(t, parts.TLSKeys(ours.Leaf(t, rating), ours))
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	f.lookTwice()
	if f.ID().String() != rating || !strings.Contains(log.String(), "does not exist") {
		t.Errorf("without files: %s, log %q, want the old identity and that the directory does not exist", f.ID(), log)
	}
}

func TestExpiryIsTold(t *testing.T) {
	ours := parts.NewAuthority(t)
	f, _, log := open(t, parts.TLSKeys(ours.Leaf(t, rating), ours))
	for range 3 {
		f.look(time.Now().Add(2 * time.Hour))
	}
	if n := strings.Count(log.String(), "has expired"); n != 1 {
		t.Errorf("log = %q, want one line about the expiry", log)
	}
	want := float64(f.current.Load().expires().Unix())
	if got := testutil.ToFloat64(gauge{f}); got != want {
		t.Errorf("tls_certificate_expiry_seconds = %v, want %v", got, want)
	}
}
