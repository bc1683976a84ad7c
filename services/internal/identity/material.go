package identity

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"

	"movieexample.com/fleet/services/internal/binding"
)

// material is what one state of the files holds. It is valid because it exists: parse makes no other.
type material struct {
	source binding.TLS
	id     spiffeid.ID
	chain  tls.Certificate
	bundle *x509bundle.Bundle
}

// parse refuses what no peer with the same authorities would take. Its errors are the same at each look at the same
// files, so that one problem is one log line.
func parse(b binding.TLS, domain spiffeid.TrustDomain, now time.Time) (*material, error) {
	m := &material{source: b}
	var err error
	if m.chain, err = tls.X509KeyPair([]byte(b.Certificate), []byte(b.Key)); err != nil {
		return nil, fmt.Errorf("tls.crt and tls.key: %w", pairProblem(err))
	}
	leaf := m.chain.Leaf
	if m.id, err = x509svid.IDFromCert(leaf); err != nil {
		return nil, fmt.Errorf("tls.crt: %w; it wants one URI of the form spiffe://%s/ns/NAMESPACE/sa/SERVICE", err, domain)
	}
	if !m.id.MemberOf(domain) {
		return nil, fmt.Errorf("tls.crt: %s is not of the trust domain %s (tls.trustDomain)", m.id, domain)
	}
	switch {
	case now.After(leaf.NotAfter):
		return nil, fmt.Errorf("tls.crt: expired on %s; renew it", leaf.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(leaf.NotBefore):
		return nil, fmt.Errorf("tls.crt: is not valid before %s; set the clock", leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	if m.bundle, err = parseBundle(domain, b.CA); err != nil {
		return nil, err
	}
	return m, m.trusted(now)
}

// pairProblem says what to do about the one mistake that people make.
func pairProblem(err error) error {
	if err.Error() == "tls: private key does not match public key" { // crypto/tls has no value for it
		return errors.New("the key does not belong to the certificate; write both from one issue")
	}
	return err
}

func parseBundle(domain spiffeid.TrustDomain, text binding.CA) (*x509bundle.Bundle, error) {
	var authorities []*x509.Certificate
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("ca.crt: %w", err)
		}
		authorities = append(authorities, c)
	}
	return x509bundle.FromX509Authorities(domain, authorities), nil
}

// trusted refuses a certificate that its own authorities do not vouch for: in a change of the authority the new one is
// added before it signs, and the old one is taken away after all it signed is gone.
func (m *material) trusted(now time.Time) error {
	certificates := make([]*x509.Certificate, 0, len(m.chain.Certificate))
	for _, der := range m.chain.Certificate {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("tls.crt: %w", err)
		}
		certificates = append(certificates, c)
	}
	if _, _, err := x509svid.Verify(certificates, m.bundle, x509svid.WithTime(now)); err != nil {
		return fmt.Errorf("tls.crt is not signed by an authority in ca.crt: %w", err)
	}
	return nil
}

func (m *material) expires() time.Time { return m.chain.Leaf.NotAfter }
