package binding

import (
	"crypto/tls"
	"crypto/x509"
)

// CA is a list of certificates in PEM, checked when it was read; empty means there is none.
type CA string

// ca is the key ca.crt: the authorities that the server's certificate may come from.
func (r *reader) ca() CA {
	text := CA(r.files["ca.crt"])
	if text != "" && text.pool() == nil {
		r.fail("ca.crt", "holds no certificate: it wants PEM, -----BEGIN CERTIFICATE-----")
	}
	return text
}

// pool is nil for a list that is empty or holds no certificate: the system's authorities.
func (c CA) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(c)) {
		return nil
	}
	return pool
}

// TLS is what a client checks the server called host with.
func (c CA) TLS(host string) *tls.Config {
	return &tls.Config{RootCAs: c.pool(), ServerName: host, MinVersion: tls.VersionTLS12}
}
