package certificates

import (
	"crypto/x509"
	"slices"
	"time"
)

// The layout of a service's Secret: that of cert-manager, which services read as their binding tls.
const (
	certFile = "tls.crt"
	keyFile  = "tls.key"
	caFile   = "ca.crt"
)

// leaf is the certificate that a service's Secret holds; nil if it cannot be used.
type leaf struct{ certificate *x509.Certificate }

// readLeaf is nil where a service could not use what the Secret holds.
func readLeaf(data map[string][]byte, r *ring, now time.Time) *leaf {
	parsed := parseCertificates(data[certFile])
	if len(parsed) == 0 || parseKey(data[keyFile], parsed[0]) == nil || now.After(parsed[0].NotAfter) {
		return nil
	}
	l := &leaf{certificate: parsed[0]}
	if !slices.ContainsFunc(r.list, l.by) {
		return nil
	}
	return l
}

// by tells whether an authority signed it.
func (l *leaf) by(a *authority) bool { return l.certificate.CheckSignatureFrom(a.certificate) == nil }

// says tells whether it is of a service, under all its names.
func (l *leaf) says(s Service) bool {
	c := l.certificate
	return len(c.URIs) == 1 && c.URIs[0].String() == s.Identity && slices.Equal(c.DNSNames, s.Hosts)
}

// renewal is when a third of its life is left.
func (l *leaf) renewal() time.Time {
	return l.certificate.NotAfter.Add(-l.certificate.NotAfter.Sub(l.certificate.NotBefore) / 3)
}

// holds tells whether a service's Secret says that an authority is trusted.
func holds(data map[string][]byte, a *authority) bool {
	return slices.ContainsFunc(parseCertificates(data[caFile]), func(c *x509.Certificate) bool { return same(c, a.certificate) })
}
