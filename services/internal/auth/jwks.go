package auth

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// jwk is a public key as RFC 8037 writes it.
type jwk struct {
	Type      string `json:"kty"`
	Curve     string `json:"crv"`
	ID        string `json:"kid"`
	Algorithm string `json:"alg,omitempty"`
	Use       string `json:"use,omitempty"`
	X         string `json:"x"`
}

type jwks struct {
	Keys []jwk `json:"keys"`
}

// MarshalKeys writes public keys as a JSON Web Key Set, sorted by id.
func MarshalKeys(keys map[string]ed25519.PublicKey) ([]byte, error) {
	set := jwks{Keys: make([]jwk, 0, len(keys))}
	for id, key := range keys {
		set.Keys = append(set.Keys, jwk{
			Type: "OKP", Curve: "Ed25519", ID: id, Algorithm: "EdDSA", Use: "sig", X: base64.RawURLEncoding.EncodeToString(key),
		})
	}
	slices.SortFunc(set.Keys, func(a, b jwk) int { return strings.Compare(a.ID, b.ID) })
	return json.Marshal(set)
}

// UnmarshalKeys reads a JSON Web Key Set. Keys of other kinds are skipped, since a set may serve others too; a set with
// nothing for us is an error.
func UnmarshalKeys(text []byte) (map[string]ed25519.PublicKey, error) {
	var set jwks
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, fmt.Errorf("not a JSON Web Key Set: %w", err)
	}
	keys := map[string]ed25519.PublicKey{}
	for _, k := range set.Keys {
		if k.Type != "OKP" || k.Curve != "Ed25519" || k.ID == "" || (k.Use != "" && k.Use != "sig") {
			continue
		}
		x, err := base64.RawURLEncoding.DecodeString(k.X)
		if err != nil || len(x) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("the key %q is not %d bytes in base64url", k.ID, ed25519.PublicKeySize)
		}
		keys[k.ID] = x
	}
	if len(keys) == 0 {
		return nil, errors.New("it holds no Ed25519 key with an id")
	}
	return keys, nil
}
