package certificates

import (
	"bytes"
	"maps"
	"slices"
	"time"
)

// Policy says how long things hold.
type Policy struct {
	// Namespace and App name the authorities, for people.
	Namespace, App string
	// Lifetime is how long a service's certificate holds. It is renewed when a third of that is left.
	Lifetime time.Duration
	// Rotation is how long an authority signs before the next one does; at least Lifetime.
	Rotation time.Duration
}

// Service is who gets a certificate.
type Service struct {
	Name string
	// Identity is its URI, such as spiffe://cluster.local/ns/cinema/sa/movies-rating, and Hosts its names in DNS.
	Identity string
	Hosts    []string
}

// State is what the Secrets hold: of the authorities, and of each service by name; nil where there is none.
type State struct {
	Authority map[string][]byte
	Leaves    map[string]map[string][]byte
}

// Change is what the Secrets are to hold. The authorities' is to be written first: what it does not have, nobody may trust.
type Change struct {
	// Authority is nil where it stays as it is.
	Authority map[string][]byte
	// Leaves are those that change.
	Leaves map[string]map[string][]byte
	// Due is when to look again.
	Due time.Time
	// Awaited is the fingerprint of an authority that signs as soon as every pod trusts it; empty when none waits.
	Awaited string
	// Signs is the fingerprint of the authority that signs.
	Signs string
}

// askAgain is the time between two questions whether pods trust an authority.
const askAgain = 5 * time.Second

// Awaited is the fingerprint of the authority that waits for every pod to trust it, as the Secret tells; empty if none does.
func Awaited(authority map[string][]byte, now time.Time) string {
	r := readRing(authority, now)
	newest := r.newest()
	if newest == nil || r.signer() == nil || newest.id == r.signing {
		return ""
	}
	return Fingerprint(newest.certificate)
}

// Step is what is to change. An authority signs for the rotation; the next one is put into every bundle before it signs, and
// the one before it leaves them when nothing that it signed can hold any more. Trusted is the fingerprint of an authority
// that every running pod has told it trusts. The error is that of making keys.
func Step(s State, services []Service, trusted string, now time.Time, p Policy) (Change, error) {
	now = now.UTC().Truncate(time.Second)
	r := readRing(s.Authority, now)
	if len(r.list) == 0 {
		r.adopt(s.Leaves, now)
	}
	if err := r.advance(s.Leaves, services, trusted, now, p); err != nil {
		return Change{}, err
	}
	change := Change{Leaves: map[string]map[string][]byte{}, Due: r.due(now, p), Signs: Fingerprint(r.signer().certificate)}
	if newest := r.newest(); newest.id != r.signing {
		change.Awaited = Fingerprint(newest.certificate)
	}
	for _, service := range services {
		wanted, due, err := r.leaf(s.Leaves[service.Name], service, now, p)
		if err != nil {
			return Change{}, err
		}
		change.Due = earlier(change.Due, due)
		if wanted != nil {
			change.Leaves[service.Name] = wanted
		}
	}
	wanted, err := r.data()
	if err != nil {
		return Change{}, err
	}
	if !maps.EqualFunc(s.Authority, wanted, bytes.Equal) {
		change.Authority = wanted
	}
	return change, nil
}

// advance makes an authority when it is time, lets it sign when it is trusted, and drops those that nobody needs.
func (r *ring) advance(leaves map[string]map[string][]byte, services []Service, trusted string, now time.Time, p Policy) error {
	newest := r.newest()
	if newest == nil || (newest.id == r.signing && !now.Before(newest.rotation(p))) {
		made, err := newAuthority(r.unusedID(now), now, p)
		if err != nil {
			return err
		}
		r.list, newest = append(r.list, made), made
	}
	if r.signer() == nil {
		r.signing = r.list[0].id // a person changed it, and the oldest is trusted most
	}
	spread := !slices.ContainsFunc(services, func(s Service) bool { return !holds(leaves[s.Name], newest) })
	if newest.id != r.signing && spread && trusted == Fingerprint(newest.certificate) {
		r.signing = newest.id
	}
	r.list = slices.DeleteFunc(r.list, func(a *authority) bool {
		return a.id != r.signing && a != newest && now.After(a.until.Add(skew))
	})
	return nil
}

// rotation is when the next authority is made: early enough for what this one signs to hold its time.
func (a *authority) rotation(p Policy) time.Time {
	return earlier(a.made().Add(p.Rotation), a.certificate.NotAfter.Add(-2*p.Lifetime))
}

// leaf is what a service's Secret is to hold, nil for what it does, and when its certificate is to be renewed.
func (r *ring) leaf(data map[string][]byte, s Service, now time.Time, p Policy) (wanted map[string][]byte, due time.Time, err error) {
	wanted = maps.Clone(data)
	if wanted == nil {
		wanted = map[string][]byte{}
	}
	wanted[caFile] = r.bundle()
	has := readLeaf(data, r, now)
	by := r.signer()
	switch {
	case by.key == nil && has == nil:
		by = r.newest() // the signer's key was lost; nobody else can give it one
	case by.key == nil:
		by = nil // what it has holds until the next authority signs
	case has != nil && has.by(by) && has.says(s) && now.Before(has.renewal()) && !has.certificate.NotAfter.After(now.Add(p.Lifetime+skew)):
		by = nil
	}
	if by != nil {
		if wanted[certFile], wanted[keyFile], err = by.issue(s, now, p.Lifetime); err != nil {
			return nil, now, err
		}
		has = &leaf{parseCertificates(wanted[certFile])[0]}
	}
	if maps.EqualFunc(data, wanted, bytes.Equal) {
		wanted = nil
	}
	return wanted, later(has.renewal(), now.Add(askAgain)), nil
}

// due is when an authority is to be made or dropped, or asked for again.
func (r *ring) due(now time.Time, p Policy) time.Time {
	newest := r.newest()
	if newest.id != r.signing {
		return now.Add(askAgain)
	}
	due := newest.rotation(p)
	for _, a := range r.list {
		if a != newest {
			due = earlier(due, a.until.Add(skew+time.Second))
		}
	}
	return due
}
