//go:build integration

package integration_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"movieexample.com/fleet/test/deployment"
	"movieexample.com/fleet/test/parts"
)

func targetOf(programs ...*program) deployment.Target {
	target := deployment.Target{}
	for _, p := range programs {
		target[p.name] = deployment.Addresses{GRPC: p.api, REST: p.rest}
	}
	return target
}

// What `make integration` does with any deployment, twice: what one run leaves disturbs no other.
func TestSequenceOfADeployment(t *testing.T) {
	f := startFleet(t)
	settings := deployment.Settings{Target: targetOf(f.metadata, f.rating, f.movie)}
	deployment.Run(t, settings)
	deployment.Run(t, settings)
}

// The same with all that a deployment may ask for: TLS with certificates of both sides, and tokens.
func TestSequenceOfADeploymentThatIsGuarded(t *testing.T) {
	ca := parts.NewAuthority(t)
	binding := migrated(t, "auth")
	newSigningKeys(t, binding, "first")
	mustCommand(t, binding, annsPassword, "user", "add", "ann@example.com", "editor")
	mustCommand(t, binding, bensPassword, "user", "add", "ben")
	parts.MountBinding(t, filepath.Join(filepath.Dir(binding), "tls"), parts.TLSKeys(ca.Leaf(t, named("auth")), ca))
	auth := serve(t, "auth", mysqlStorage+"keys: {kind: binding}\ntls: {mode: server}\n", binding)
	auth.wantReady(t)
	guard := fmt.Sprintf("auth: {kind: jwt, jwks: 'https://%s/.well-known/jwks.json', identity: '%s'}\ntls: {mode: mutual}\n", auth.rest, named("auth"))
	metadata, rating := newMember(t, "metadata", ca).start(t, guard), newMember(t, "rating", ca).start(t, guard)
	movie := newMember(t, "movie", ca).start(t, fmt.Sprintf("tls: {mode: server}\nupstreams:\n"+
		"  metadata: {target: 'static:///%s', identity: '%s'}\n  rating: {target: 'static:///%s', identity: '%s', timeout: 2s}\n",
		metadata.api, named("metadata"), rating.api, named("rating")))

	dir := t.TempDir()
	leaf := ca.Leaf(t, named("somebody"))
	env := map[string]string{"TARGET": "127.0.0.1", "LOGIN": "ann@example.com", "PASSWORD": annsPassword, "LOGIN2": "ben", "PASSWORD2": bensPassword}
	for key, text := range map[string][]byte{"CA": ca.Certificate(), "CERT": leaf.Certificate, "KEY": leaf.Key} {
		env[key] = filepath.Join(dir, key)
		if err := os.WriteFile(env[key], text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, change := range map[string]map[string]string{
		"by the host's name":     {},
		"by identities":          {"IDENTITY": "spiffe://cluster.local/ns/movies/sa"},
		"with one user, no more": {"LOGIN2": ""},
	} {
		t.Run(name, func(t *testing.T) {
			settings, err := deployment.ReadSettings(func(key string) string {
				if value, ok := change[key]; ok {
					return value
				}
				return env[key]
			})
			if err != nil {
				t.Fatal(err)
			}
			settings.Target = targetOf(metadata, rating, movie, auth)
			deployment.Run(t, settings)
		})
	}
}
