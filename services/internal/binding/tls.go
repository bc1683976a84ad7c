package binding

// TLS is what a service shows of itself and whom it trusts: the form that cert-manager writes.
type TLS struct {
	Certificate string // PEM, the leaf first
	Key         string // PEM
	CA          CA     // the authorities of the fleet, several while they are changed
}

// ReadTLS reads the binding in dir: tls.crt, tls.key and ca.crt. Such a Secret has a Kubernetes type and no key called
// type.
func ReadTLS(dir string) (TLS, error) {
	r := newReader(dir)
	t := TLS{Certificate: r.required("tls.crt"), Key: r.required("tls.key")}
	if r.required("ca.crt") != "" {
		t.CA = r.ca()
	}
	return t, r.err()
}

// String tells nothing: the key must not reach a log.
func (t TLS) String() string { return "tls" }

// GoString hides the key from %#v too.
func (t TLS) GoString() string { return t.String() }
