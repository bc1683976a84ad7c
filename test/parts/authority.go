package parts

import (
	"testing"
	"time"

	"movieexample.com/fleet/hack/certs/authority"
)

// Authority signs certificates for the time of a test.
type Authority struct {
	*authority.Authority
}

// NewAuthority makes an authority that holds for an hour.
func NewAuthority(tb testing.TB) Authority {
	tb.Helper()
	a, err := authority.New("authority of "+tb.Name(), time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	if err != nil {
		tb.Fatal(err)
	}
	return Authority{a}
}

// Leaf issues a certificate for a service on this machine. Changes are for certificates with something wrong.
func (a Authority) Leaf(tb testing.TB, identity string, changes ...func(*authority.Request)) authority.Pair {
	tb.Helper()
	r := authority.Request{
		Name: "test", Identity: identity, Hosts: []string{"localhost", "127.0.0.1"},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
	}
	for _, change := range changes {
		change(&r)
	}
	pair, err := a.Issue(r)
	if err != nil {
		tb.Fatal(err)
	}
	return pair
}

// TLSKeys are the keys of a binding tls with the pair and all authorities that are trusted.
func TLSKeys(pair authority.Pair, trusted ...Authority) map[string]string {
	var bundle string
	for _, a := range trusted {
		bundle += string(a.Certificate())
	}
	return map[string]string{"tls.crt": string(pair.Certificate), "tls.key": string(pair.Key), "ca.crt": bundle}
}
