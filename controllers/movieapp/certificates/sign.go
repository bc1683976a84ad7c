package certificates

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"time"
)

// skew is how far apart clocks may be: certificates hold this long before they were made, and are trusted this long after.
const skew = 5 * time.Minute

const (
	certificateBlock = "CERTIFICATE"
	keyBlock         = "PRIVATE KEY"
)

// newAuthority makes an authority that signs itself. The id in its name tells it from others of the application. It lasts
// for a rotation more than it signs, should a pod be late in trusting the next one, and for what it signs last.
func newAuthority(id string, now time.Time, p Policy) (*authority, error) {
	template := &x509.Certificate{
		Subject:   pkix.Name{Organization: []string{p.Namespace}, CommonName: p.App + " " + id}, // each has room for 64 bytes
		NotBefore: now.Add(-skew), NotAfter: now.Add(2*p.Rotation + p.Lifetime),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the authority's key: %w", err)
	}
	certificate, err := sign(template, template, key, key)
	if err != nil {
		return nil, fmt.Errorf("sign the authority: %w", err)
	}
	return &authority{id: id, certificate: certificate, key: key, until: now}, nil
}

// issue makes a service's certificate, and notes at the authority until when it holds.
func (a *authority) issue(s Service, now time.Time, lifetime time.Duration) (certificate, key []byte, err error) {
	identity, err := url.Parse(s.Identity)
	if err != nil {
		return nil, nil, fmt.Errorf("identity of %s: %w", s.Name, err)
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: s.Name},
		NotBefore: now.Add(-skew), NotAfter: earlier(now.Add(lifetime), a.certificate.NotAfter),
		URIs: []*url.URL{identity}, DNSNames: s.Hosts,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make the key of %s: %w", s.Name, err)
	}
	signed, err := sign(template, a.certificate, private, a.key)
	if err != nil {
		return nil, nil, fmt.Errorf("sign the certificate of %s: %w", s.Name, err)
	}
	if key, err = keyPEM(private); err != nil {
		return nil, nil, err
	}
	a.until = later(a.until, signed.NotAfter)
	return certificatePEM(signed), key, nil
}

func sign(template, parent *x509.Certificate, key, by *ecdsa.PrivateKey) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func certificatePEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: c.Raw})
}

func keyPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode a key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: der}), nil
}

// parseCertificates are those of a PEM text that can be read.
func parseCertificates(text []byte) []*x509.Certificate {
	var list []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			list = append(list, c)
		}
	}
	return list
}

// parseKey is the key of a certificate; nil if the text holds another or none.
func parseKey(text []byte, of *x509.Certificate) *ecdsa.PrivateKey {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !key.PublicKey.Equal(of.PublicKey) {
		return nil
	}
	return key
}

// Fingerprint is the SHA-256 of a certificate, as services tell it in tls_bundle_info.
func Fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

func same(a, b *x509.Certificate) bool { return bytes.Equal(a.Raw, b.Raw) }

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
