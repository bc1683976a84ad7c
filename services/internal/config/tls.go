package config

import (
	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// Values of TLS.Mode.
const (
	Off    = "off"
	Server = "server"
	Mutual = "mutual"
)

// TLS says how connections are protected. Certificate, key and authorities are the binding tls.
type TLS struct {
	Mode        string   `config:"mode" enum:"off,server,mutual" binding:"tls,server,mutual" help:"off; server: gRPC and REST by TLS; mutual: gRPC callers need a certificate too"`
	TrustDomain string   `config:"trustDomain" help:"domain of the identities spiffe://DOMAIN/ns/NAMESPACE/sa/SERVICE"`
	Clients     []string `config:"clients" help:"identities that may call, with mode mutual; empty lets in everybody with a certificate, and REST without"`
}

// On tells whether there is TLS at all.
func (t TLS) On() bool { return t.Mode != Off }

// Domain is the trust domain; Check has found it good.
func (t TLS) Domain() spiffeid.TrustDomain {
	domain, _ := spiffeid.TrustDomainFromString(t.TrustDomain)
	return domain
}

// ClientIDs are the clients; Check has found them good.
func (t TLS) ClientIDs() []spiffeid.ID {
	list := make([]spiffeid.ID, 0, len(t.Clients))
	for _, c := range t.Clients {
		id, _ := spiffeid.FromString(c)
		list = append(list, id)
	}
	return list
}

// Check refuses names that are none, and a list of clients that nobody would ask.
func (t TLS) Check(report Report) {
	if _, err := spiffeid.TrustDomainFromString(t.TrustDomain); err != nil {
		report("trustDomain", t.TrustDomain, "is not a trust domain: use lower-case letters, digits, dots, hyphens and underscores")
	}
	if len(t.Clients) > 0 && t.Mode != Mutual {
		report("clients", t.Clients, "needs tls.mode mutual: without certificates nobody knows who calls")
	}
	for _, c := range t.Clients {
		if problem := identityProblem(c); problem != "" {
			report("clients", c, problem)
		}
	}
}

// unnamed are the settings tagged `needs:"tls"` that TLS needs and that are empty.
func unnamed(t TLS, leaves []field) []string {
	var paths []string
	for _, f := range leaves {
		if t.On() && f.tag.Get("needs") == "tls" && f.text() == "" {
			paths = append(paths, f.path)
		}
	}
	return paths
}

// identityProblem says what is wrong with a service's name, or "".
func identityProblem(name string) string {
	if id, err := spiffeid.FromString(name); err != nil || id.Path() == "" {
		return "is not an identity of the form spiffe://DOMAIN/ns/NAMESPACE/sa/SERVICE"
	}
	return ""
}
