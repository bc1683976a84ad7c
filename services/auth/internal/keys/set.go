package keys

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"

	"movieexample.com/fleet/services/internal/auth"
	"movieexample.com/fleet/services/internal/binding"
)

// set is one state of the keys. It does not change.
type set struct {
	source    binding.AuthKeys
	private   ed25519.PrivateKey // the one that signs
	public    map[string]ed25519.PublicKey
	published []byte
}

func parse(b binding.AuthKeys) (*set, error) {
	s := &set{source: b, public: map[string]ed25519.PublicKey{}}
	var errs []error
	for _, id := range slices.Sorted(maps.Keys(b.Keys)) {
		key, err := parseKey(b.Keys[id])
		if err != nil {
			errs = append(errs, fmt.Errorf("binding %q: key %q: %w", "auth-keys", id+".pem", err))
			continue
		}
		s.public[id] = key.Public().(ed25519.PublicKey) // of an Ed25519 key it is no other
		if id == b.Signing {
			s.private = key
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return s.publish()
}

func newSet() (*set, error) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	id := "ephemeral-" + rand.Text()[:8]
	s := &set{source: binding.AuthKeys{Signing: id}, private: private, public: map[string]ed25519.PublicKey{id: public}}
	return s.publish()
}

func (s *set) publish() (*set, error) {
	var err error
	s.published, err = auth.MarshalKeys(s.public)
	return s, err
}

// parseKey never puts what it read into its errors.
func parseKey(text string) (ed25519.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, errors.New("holds no PEM of a PKCS #8 key (-----BEGIN PRIVATE KEY-----): make one by `openssl genpkey -algorithm ed25519`")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("holds a PKCS #8 key that cannot be read")
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("holds a %T, want an Ed25519 key: make one by `openssl genpkey -algorithm ed25519`", parsed)
	}
	return key, nil
}
