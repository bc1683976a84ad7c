package certificates

import (
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	begin  = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	policy = Policy{Namespace: "cinema", App: "movies", Lifetime: 24 * time.Hour, Rotation: 240 * time.Hour}
)

func services(names ...string) []Service {
	var list []Service
	for _, name := range names {
		list = append(list, Service{Name: name, Identity: "spiffe://cluster.local/ns/cinema/sa/movies-" + name, Hosts: []string{"movies-" + name, "movies-" + name + ".cinema.svc"}})
	}
	return list
}

// life is an application's Secrets through time.
type life struct {
	t        testing.TB
	state    State
	services []Service
	policy   Policy
}

func newLife(t testing.TB) *life {
	t.Helper()
	return &life{t: t, services: services("movie", "rating"), policy: policy, state: State{Leaves: map[string]map[string][]byte{}}}
}

// step takes one and writes all of it.
func (l *life) step(now time.Time, trusted string) Change {
	l.t.Helper()
	change, err := Step(l.state, l.services, trusted, now, l.policy)
	if err != nil {
		l.t.Fatal(err)
	}
	if change.Authority != nil {
		l.state.Authority = change.Authority
	}
	maps.Copy(l.state.Leaves, change.Leaves)
	return change
}

// told is the Secrets in one line: the authorities with the one that signs starred, and who signed which certificate.
func (l *life) told(now time.Time) string {
	r := readRing(l.state.Authority, now)
	var authorities, leaves []string
	name := func(a *authority) string { return a.made().Format("02 15:04") }
	for _, a := range r.list {
		mark := ""
		if a.id == r.signing {
			mark = "*"
		}
		if a.key == nil {
			mark += "?"
		}
		authorities = append(authorities, name(a)+mark)
	}
	for _, s := range l.services {
		has := readLeaf(l.state.Leaves[s.Name], r, now)
		by := r.list[slices.IndexFunc(r.list, has.by)]
		leaves = append(leaves, fmt.Sprintf("%s until %s by %s", s.Name, has.certificate.NotAfter.Format("02 15:04"), name(by)))
	}
	return strings.Join(authorities, ", ") + "; " + strings.Join(leaves, ", ")
}

// TestRotation follows the Secrets: a certificate is renewed when a third of its life is left, and an authority makes room
// for the next one in the order that keeps everybody trusted.
func TestRotation(t *testing.T) {
	l := newLife(t)
	l.services = services("movie")
	var story []string
	tell := func(now time.Time, c Change) {
		story = append(story, fmt.Sprintf("%s awaits=%v %s", now.Format("02 15:04"), c.Awaited != "", l.told(now)))
	}
	now := begin
	first := l.step(now, "")
	tell(now, first)
	now = first.Due
	tell(now, l.step(now, ""))
	now = begin.Add(policy.Rotation)
	published := l.step(now, "")
	tell(now, published)
	now = now.Add(time.Minute)
	tell(now, l.step(now, "")) // a pod has not told yet
	now = now.Add(time.Minute)
	tell(now, l.step(now, published.Awaited))
	now = now.Add(26 * time.Hour)
	tell(now, l.step(now, ""))
	want := []string{
		"21 10:00 awaits=false 21 10:00*; movie until 22 10:00 by 21 10:00",
		"22 01:58 awaits=false 21 10:00*; movie until 23 01:58 by 21 10:00",
		"01 10:00 awaits=true 21 10:00*, 01 10:00; movie until 02 10:00 by 21 10:00",
		"01 10:01 awaits=true 21 10:00*, 01 10:00; movie until 02 10:00 by 21 10:00",
		"01 10:02 awaits=false 21 10:00, 01 10:00*; movie until 02 10:02 by 01 10:00",
		"02 12:02 awaits=false 01 10:00*; movie until 03 12:02 by 01 10:00",
	}
	if diff := cmp.Diff(want, story); diff != "" {
		t.Errorf("rotation (-want +got):\n%s", diff)
	}
}

func TestNothingIsWrittenWhenNothingIsDue(t *testing.T) {
	l := newLife(t)
	due := l.step(begin, "").Due
	for _, now := range []time.Time{begin, begin.Add(time.Hour), due.Add(-time.Second)} {
		if c := l.step(now, ""); c.Authority != nil || len(c.Leaves) > 0 {
			t.Errorf("a step at %s, with nothing due before %s, changed authority %v and leaves %v", now, due, c.Authority != nil, slices.Collect(maps.Keys(c.Leaves)))
		}
	}
	if c := l.step(due, ""); len(c.Leaves) != 2 || c.Authority == nil {
		t.Errorf("when it is due, changed authority %v and leaves %v; want both certificates renewed, and until when noted", c.Authority != nil, slices.Collect(maps.Keys(c.Leaves)))
	}
}

// TestRenewedEarly: a certificate that does not say what it should is replaced, whatever its age.
func TestRenewedEarly(t *testing.T) {
	other := newLife(t)
	other.step(begin, "")
	for name, change := range map[string]func(*life){
		"other hosts":              func(l *life) { l.services[0].Hosts = []string{"elsewhere"} },
		"another identity":         func(l *life) { l.services[0].Identity = "spiffe://other/ns/cinema/sa/movies-movie" },
		"shorter lives":            func(l *life) { l.policy.Lifetime = time.Hour },
		"the Secret is gone":       func(l *life) { delete(l.state.Leaves, "movie") },
		"the key is gone":          func(l *life) { delete(l.state.Leaves["movie"], "tls.key") },
		"the key of another":       func(l *life) { l.state.Leaves["movie"]["tls.key"] = l.state.Leaves["rating"]["tls.key"] },
		"no certificate":           func(l *life) { l.state.Leaves["movie"]["tls.crt"] = []byte("x") },
		"of a foreign authority":   func(l *life) { l.state.Leaves["movie"] = other.state.Leaves["movie"] },
		"expired":                  func(l *life) { l.policy.Rotation *= 10; l.step(begin, "") },
		"no authority is trusted":  func(l *life) { delete(l.state.Leaves["movie"], "ca.crt") },
		"a key beside those known": func(l *life) { l.state.Leaves["movie"]["tls.crt"] = nil; l.state.Leaves["movie"]["note"] = []byte("n") },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLife(t)
			l.step(begin, "")
			change(l)
			now := begin.Add(time.Minute)
			if name == "expired" {
				now = begin.Add(25 * time.Hour)
			}
			if c := l.step(now, ""); c.Leaves["movie"] == nil {
				t.Fatal("the Secret of movie was not written")
			}
			r := readRing(l.state.Authority, now)
			if has := readLeaf(l.state.Leaves["movie"], r, now); has == nil || !has.by(r.signer()) || !has.says(l.services[0]) || !holds(l.state.Leaves["movie"], r.signer()) {
				t.Errorf("afterwards the certificate is %+v, want a good one", has)
			}
			if c := l.step(now, ""); c.Authority != nil || len(c.Leaves) > 0 {
				t.Error("a second step changed something again")
			}
		})
	}
}

// TestAuthorityMended: whatever a person did to the authorities' Secret, one signs, and those that were trusted are.
func TestAuthorityMended(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(map[string][]byte) map[string][]byte
		want   string // authorities after a step, and after every pod trusts the one that is awaited
	}{
		"deleted":              {func(map[string][]byte) map[string][]byte { return nil }, "21 10:00*?, 21 11:00; 21 10:00?, 21 11:00*"},
		"its key is lost":      {func(d map[string][]byte) map[string][]byte { delete(d, "a20261121t100000z.key"); return d }, "21 10:00*?, 21 11:00; 21 10:00?, 21 11:00*"},
		"a name of nobody":     {func(d map[string][]byte) map[string][]byte { d["signing"] = []byte("me"); return d }, "21 10:00*; 21 10:00*"},
		"a newline":            {func(d map[string][]byte) map[string][]byte { d["signing"] = append(d["signing"], '\n'); return d }, "21 10:00*; 21 10:00*"},
		"until when is lost":   {func(d map[string][]byte) map[string][]byte { delete(d, "a20261121t100000z.until"); return d }, "21 10:00*; 21 10:00*"},
		"something else in it": {func(d map[string][]byte) map[string][]byte { d["note.crt"] = []byte("x"); return d }, "21 10:00*; 21 10:00*"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLife(t)
			l.step(begin, "")
			l.state.Authority = tc.change(l.state.Authority)
			now := begin.Add(time.Hour)
			authorities := func() string { told, _, _ := strings.Cut(l.told(now), ";"); return told }
			c := l.step(now, "")
			got := authorities()
			l.step(now, c.Awaited)
			if got += "; " + authorities(); got != tc.want {
				t.Errorf("authorities = %s, want %s", got, tc.want)
			}
			if awaited := Awaited(l.state.Authority, now); awaited != "" {
				t.Errorf("Awaited = %s after all pods trusted it, want none", awaited)
			}
		})
	}
}

// TestUntrustedDoesNotSign: neither pods that trust something else, nor a Secret without the new authority, let it sign.
func TestUntrustedDoesNotSign(t *testing.T) {
	l := newLife(t)
	l.step(begin, "")
	now := begin.Add(policy.Rotation)
	awaited := l.step(now, "").Awaited
	if got := Awaited(l.state.Authority, now); got != awaited || got == "" {
		t.Errorf("Awaited = %q, want %q as the step said", got, awaited)
	}
	if c := l.step(now, "the fingerprint of another"); c.Signs == awaited {
		t.Error("an authority signs that no pod has told of")
	}
	held := l.state.Leaves["rating"]["ca.crt"]
	l.state.Leaves["rating"]["ca.crt"] = certificatePEM(parseCertificates(held)[0])
	if c := l.step(now, awaited); c.Signs == awaited {
		t.Error("an authority signs that the Secret of rating does not have: its next pod would not trust it")
	}
	if c := l.step(now, awaited); c.Signs != awaited {
		t.Error("an authority does not sign that everybody trusts")
	}
}

// TestWhatTheCertificatesSay is for those who read them: peers, gateways, people.
func TestWhatTheCertificatesSay(t *testing.T) {
	l := newLife(t)
	l.step(begin, "")
	c := parseCertificates(l.state.Leaves["movie"]["tls.crt"])[0]
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(l.state.Authority["ca.crt"]) {
		t.Fatal("ca.crt of the authorities' Secret holds no certificate")
	}
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		if _, err := c.Verify(x509.VerifyOptions{Roots: roots, DNSName: "movies-movie.cinema.svc", CurrentTime: begin, KeyUsages: []x509.ExtKeyUsage{usage}}); err != nil {
			t.Errorf("Verify for usage %v = %v, want no error", usage, err)
		}
	}
	if len(c.URIs) != 1 || c.URIs[0].String() != "spiffe://cluster.local/ns/cinema/sa/movies-movie" || c.IsCA {
		t.Errorf("URIs = %v, CA %v; want the service's identity alone, and no authority", c.URIs, c.IsCA)
	}
	if authority := parseCertificates(l.state.Authority["ca.crt"])[0]; !authority.IsCA || authority.Subject.String() != "CN=movies a20261121t100000z,O=cinema" {
		t.Errorf("the authority is %s, CA %v; want one that tells the application and when it was made", authority.Subject, authority.IsCA)
	}
}
