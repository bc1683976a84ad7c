package identity

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
)

// Outcomes of a change of the files.
const (
	loaded  = "loaded"
	refused = "refused"
)

func newReloads() *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tls_reloads_total", Help: "Changes of the certificate's files, by outcome: loaded, or refused because they were not usable.",
	}, []string{"outcome"})
	c.WithLabelValues(loaded)
	c.WithLabelValues(refused)
	return c
}

func describeBundle() *prometheus.Desc {
	return prometheus.NewDesc("tls_bundle_info",
		"An authority whose certificates are accepted, by the SHA-256 of its own certificate; the value is always 1.", []string{"fingerprint", "subject"}, nil)
}

func describeExpiry() *prometheus.Desc {
	return prometheus.NewDesc("tls_certificate_expiry_seconds",
		"When the certificate in use expires, in seconds since 1970-01-01 UTC.", nil, nil)
}

// Describe is for [prometheus.Collector].
func (f *Files) Describe(descriptions chan<- *prometheus.Desc) {
	f.reloads.Describe(descriptions)
	descriptions <- describeBundle()
	descriptions <- describeExpiry()
}

// Collect is for [prometheus.Collector]: what it tells is in use at this moment.
func (f *Files) Collect(metrics chan<- prometheus.Metric) {
	f.reloads.Collect(metrics)
	m := f.current.Load()
	metrics <- prometheus.MustNewConstMetric(describeExpiry(), prometheus.GaugeValue, float64(m.expires().Unix()))
	told := map[string]bool{}
	for _, authority := range m.bundle.X509Authorities() {
		sum := fingerprint(authority)
		if told[sum] { // a list may name one twice
			continue
		}
		told[sum] = true
		metrics <- prometheus.MustNewConstMetric(describeBundle(), prometheus.GaugeValue, 1, sum, authority.Subject.String())
	}
}

func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

func fingerprints(b *x509bundle.Bundle) []string {
	var list []string
	for _, authority := range b.X509Authorities() {
		list = append(list, fingerprint(authority))
	}
	return list
}
