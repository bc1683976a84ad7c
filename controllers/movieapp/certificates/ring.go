package certificates

import (
	"crypto/ecdsa"
	"crypto/x509"
	"maps"
	"slices"
	"strings"
	"time"
)

// The layout of the authorities' Secret: signing (the id of the one that signs), for each <id>.crt, <id>.key and <id>.until
// (when the last certificate that it signed ends), and ca.crt: all of them, for whoever is to trust the application.
const (
	keySigning  = "signing"
	suffixCert  = ".crt"
	suffixKey   = ".key"
	suffixUntil = ".until"
	bundleID    = "ca"
)

// ids are the times at which authorities were made.
const ids = "a20060102t150405z"

// authority signs certificates. One whose key was lost is still trusted.
type authority struct {
	id          string
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	until       time.Time
}

// ring is the Secret's content, understood.
type ring struct {
	list    []*authority // oldest first
	signing string
}

// readRing leaves out what cannot be read and what has ended.
func readRing(data map[string][]byte, now time.Time) *ring {
	r := &ring{signing: strings.TrimSpace(string(data[keySigning]))}
	for _, name := range slices.Sorted(maps.Keys(data)) {
		id, ok := strings.CutSuffix(name, suffixCert)
		parsed := parseCertificates(data[name])
		if !ok || id == bundleID || len(parsed) == 0 || now.After(parsed[0].NotAfter) {
			continue
		}
		a := &authority{id: id, certificate: parsed[0], until: parsed[0].NotAfter}
		a.key = parseKey(data[id+suffixKey], a.certificate)
		if until, err := time.Parse(time.RFC3339, string(data[id+suffixUntil])); err == nil {
			a.until = until // else it may have signed something that holds as long as it does
		}
		r.list = append(r.list, a)
	}
	slices.SortStableFunc(r.list, func(a, b *authority) int { return a.made().Compare(b.made()) })
	return r
}

func (r *ring) data() (map[string][]byte, error) {
	out := map[string][]byte{keySigning: []byte(r.signing), bundleID + suffixCert: r.bundle()}
	for _, a := range r.list {
		out[a.id+suffixCert] = certificatePEM(a.certificate)
		out[a.id+suffixUntil] = []byte(a.until.UTC().Format(time.RFC3339))
		if a.key == nil {
			continue
		}
		key, err := keyPEM(a.key)
		if err != nil {
			return nil, err
		}
		out[a.id+suffixKey] = key
	}
	return out, nil
}

// bundle is every authority that is trusted.
func (r *ring) bundle() []byte {
	var out []byte
	for _, a := range r.list {
		out = append(out, certificatePEM(a.certificate)...)
	}
	return out
}

// signer is the authority that signs; nil if the Secret names none that is there.
func (r *ring) signer() *authority {
	i := slices.IndexFunc(r.list, func(a *authority) bool { return a.id == r.signing })
	if i < 0 {
		return nil
	}
	return r.list[i]
}

// newest is the authority that was made last, of those that can sign; nil if there is none.
func (r *ring) newest() *authority {
	for _, a := range slices.Backward(r.list) {
		if a.key != nil {
			return a
		}
	}
	return nil
}

func (r *ring) unusedID(now time.Time) string {
	for slices.ContainsFunc(r.list, func(a *authority) bool { return a.id == now.Format(ids) }) {
		now = now.Add(time.Second)
	}
	return now.Format(ids)
}

// adopt goes on trusting the authorities that services trust, when the Secret with their keys is gone.
func (r *ring) adopt(leaves map[string]map[string][]byte, now time.Time) {
	for _, service := range slices.Sorted(maps.Keys(leaves)) {
		for _, c := range parseCertificates(leaves[service][caFile]) {
			known := slices.ContainsFunc(r.list, func(a *authority) bool { return same(a.certificate, c) })
			if known || !c.IsCA || now.After(c.NotAfter) {
				continue
			}
			id := c.NotBefore.Add(skew).UTC().Format(ids)
			if slices.ContainsFunc(r.list, func(a *authority) bool { return a.id == id }) {
				id += "-" + Fingerprint(c)[:8]
			}
			r.list = append(r.list, &authority{id: id, certificate: c, until: c.NotAfter})
		}
	}
	slices.SortStableFunc(r.list, func(a, b *authority) int { return a.made().Compare(b.made()) })
	if len(r.list) > 0 {
		r.signing = r.list[len(r.list)-1].id
	}
}

// made is when an authority was made.
func (a *authority) made() time.Time {
	if t, err := time.Parse(ids, a.id); err == nil {
		return t
	}
	return a.certificate.NotBefore.Add(skew) // of a name that a person gave it
}
