package deployment

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"movieexample.com/fleet/test/parts"
)

// files are a certificate of an authority, and what is none.
func files(t *testing.T) func(string) string {
	t.Helper()
	dir, ca := t.TempDir(), parts.NewAuthority(t)
	leaf, other := ca.Leaf(t, ""), ca.Leaf(t, "")
	for name, text := range map[string][]byte{
		"ca.crt": ca.Certificate(), "tls.crt": leaf.Certificate, "tls.key": leaf.Key, "other.key": other.Key, "empty": nil,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return func(name string) string { return filepath.Join(dir, name) }
}

func TestReadSettings(t *testing.T) {
	in := files(t)
	const three = "movie=a:1/a:2,rating=a:3/a:4,metadata=a:5/a:6"
	for name, test := range map[string]struct {
		env  map[string]string
		want string // of the mistake; empty if there is none
	}{
		"plain":                       {map[string]string{"TARGET": "fleet"}, ""},
		"all there is":                {map[string]string{"TARGET": "fleet", "CA": in("ca.crt"), "CERT": in("tls.crt"), "KEY": in("tls.key"), "IDENTITY": "spiffe://a/ns/b/sa", "LOGIN": "ann", "PASSWORD": "p", "LOGIN2": "ben", "PASSWORD2": "q"}, ""},
		"no authority":                {map[string]string{"TARGET": "fleet", "CERT": in("tls.crt"), "KEY": in("tls.key")}, "set CA to the file of the authority"},
		"a file that is not there":    {map[string]string{"TARGET": "fleet", "CA": in("none")}, "CA: open"},
		"an authority that is none":   {map[string]string{"TARGET": "fleet", "CA": in("empty")}, "which holds no certificate in PEM"},
		"a certificate without a key": {map[string]string{"TARGET": "fleet", "CA": in("ca.crt"), "CERT": in("tls.crt")}, "CERT and KEY belong together"},
		"another's key":               {map[string]string{"TARGET": "fleet", "CA": in("ca.crt"), "CERT": in("tls.crt"), "KEY": in("other.key")}, "CERT and KEY: tls: private key does not match public key"},
		"an identity that is none":    {map[string]string{"TARGET": "fleet", "CA": in("ca.crt"), "IDENTITY": "movie"}, `IDENTITY is "movie", which is not spiffe://`},
		"no password":                 {map[string]string{"TARGET": "fleet", "LOGIN": "ann"}, "LOGIN is ann, but PASSWORD is empty: export it"},
		"no first user":               {map[string]string{"TARGET": "fleet", "LOGIN2": "ben", "PASSWORD2": "q"}, "there is no first"},
		"one user twice":              {map[string]string{"TARGET": "fleet", "LOGIN": "ann", "PASSWORD": "p", "LOGIN2": "ann", "PASSWORD2": "p"}, "both ann"},
		"no auth":                     {map[string]string{"TARGET": three, "LOGIN": "ann", "PASSWORD": "p"}, "does not say where auth is"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ReadSettings(func(key string) string { return test.env[key] })
			if (err != nil) != (test.want != "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("ReadSettings = %v, want %q", err, test.want)
			}
		})
	}
}

func TestReadSettingsTellsAllMistakes(t *testing.T) {
	_, err := ReadSettings(func(key string) string { return map[string]string{"IDENTITY": "x", "LOGIN": "ann"}[key] })
	if err == nil || strings.Count(err.Error(), "\n") != 2 || strings.Contains(err.Error(), "%!") {
		t.Errorf("ReadSettings = %v, want a line about each of TARGET, CA and PASSWORD", err)
	}
}
