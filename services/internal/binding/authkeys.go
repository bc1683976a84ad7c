package binding

import (
	"path/filepath"
	"strings"
)

// AuthKeys are the keys that auth signs tokens with.
type AuthKeys struct {
	Signing string            // id of the key that signs
	Keys    map[string]string // PEM of a private key by id; those that do not sign are published too
}

const keySuffix = ".pem"

// ReadAuthKeys reads the binding in dir: type, signing, and <id>.pem for each key. What is in the PEM is not looked at.
func ReadAuthKeys(dir string) (AuthKeys, error) {
	r := newReader(dir)
	r.kind("auth-keys")
	k := AuthKeys{Signing: r.required("signing"), Keys: map[string]string{}}
	for name, text := range r.files {
		if id, ok := strings.CutSuffix(name, keySuffix); ok && id != "" {
			k.Keys[id] = text
		}
	}
	if _, ok := k.Keys[k.Signing]; !ok && k.Signing != "" {
		r.fail("signing", "is %q, and there is no key of that id: write the file %s", k.Signing, filepath.Join(dir, k.Signing+keySuffix))
	}
	return k, r.err()
}

// String tells nothing: keys must not reach a log.
func (k AuthKeys) String() string { return "auth-keys, signing with " + k.Signing }

// GoString hides the keys from %#v too.
func (k AuthKeys) GoString() string { return k.String() }
