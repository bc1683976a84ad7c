//go:build envtest

package admission_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

var tlsMistakes = map[string]mistake{
	"trust domain of capitals":     {`{spec: {tls: {trustDomain: Cluster}}}`, `must be lower-case letters, digits, '.', '-' and '_', such as cluster.local`},
	"certificates for a minute":    {`{spec: {tls: {certificateLifetime: 1m}}}`, `must be a duration from 1h to 8760h, such as 720h`},
	"lifetime a number":            {`{spec: {tls: {certificateLifetime: "720"}}}`, `must be a duration from 1h to 8760h`},
	"authority turns in no time":   {`{spec: {tls: {authorityRotation: 1m}}}`, `must be a duration from 1h to 87600h (ten years), such as 8760h`},
	"authority before its leaves":  {`{spec: {tls: {authorityRotation: 24h}}}`, `tls.authorityRotation must be at least tls.certificateLifetime (720h if left out)`},
	"another's authority turned":   {`{spec: {tls: {issuerRef: {name: ours}, authorityRotation: 8760h}}}`, `tls.authorityRotation is for the operator's own authority: leave it out where issuerRef names another`},
	"issuer without a name":        {`{spec: {tls: {issuerRef: {kind: ClusterIssuer}}}}`, `spec.tls.issuerRef.name: Required value`},
	"one certificate for all":      {`{spec: {bindings: {tls: {secretRef: {name: a}}}}}`, `bindings.tls says who one service is: write it in services.<name>.bindings.tls`},
	"behind a Gateway":             {`{spec: {tls: {}, traffic: {northSouth: Gateway, gateway: {parentRefs: [{name: edge}]}}}}`, `tls and traffic.northSouth Gateway cannot be combined`},
	"one service behind a Gateway": {`{spec: {tls: {}, services: {movie: {traffic: {northSouth: Gateway, gateway: {parentRefs: [{name: edge}]}}}}}}`, `write a route and a BackendTLSPolicy of your own to the Service object`},
}

func TestTLSMistakes(t *testing.T) { refuseAll(t, goodMovieApp, tlsMistakes) }

func TestTLSAccepted(t *testing.T) {
	acceptAll(t, map[string]acceptable{
		"TLS":                        {goodMovieApp, `{spec: {tls: {}}}`},
		"TLS with everything":        {goodMovieApp, `{spec: {tls: {trustDomain: movies.example, certificateLifetime: 24h, authorityRotation: 720h}}}`},
		"certificates of an issuer":  {goodMovieApp, `{spec: {tls: {certificateLifetime: 24h, issuerRef: {name: ours, kind: ClusterIssuer}}}}`},
		"a person's own certificate": {goodMovieApp, `{spec: {tls: {}, services: {movie: {bindings: {tls: {secretRef: {name: mine}}}}}}}`},
		"a certificate of a service": {goodFleetService, `{spec: {bindings: {tls: {secretRef: {name: mine}}}}}`},
	})
}

// TestTLSIsChosenOnce: what both ends of a call must agree on does not change under them; how long things hold may.
func TestTLSIsChosenOnce(t *testing.T) {
	const chosen = "is chosen when the application is created"
	const fixed = "tls.trustDomain and tls.issuerRef are chosen when the application is created"
	for name, tc := range map[string]struct{ created, changed, want string }{
		"turned on":                {`{}`, `{spec: {tls: {}}}`, chosen},
		"turned off":               {`{spec: {tls: {}}}`, `{spec: {tls: null}}`, chosen},
		"another trust domain":     {`{spec: {tls: {}}}`, `{spec: {tls: {trustDomain: other}}}`, fixed},
		"an issuer":                {`{spec: {tls: {}}}`, `{spec: {tls: {issuerRef: {name: a}}}}`, fixed},
		"another issuer":           {`{spec: {tls: {issuerRef: {name: a}}}}`, `{spec: {tls: {issuerRef: {name: b}}}}`, fixed},
		"the issuer of another":    {`{spec: {tls: {issuerRef: {name: a}}}}`, `{spec: {tls: {issuerRef: {kind: ClusterIssuer}}}}`, fixed},
		"other lifetimes":          {`{spec: {tls: {}}}`, `{spec: {tls: {certificateLifetime: 1h, authorityRotation: 2h}}}`, ""},
		"something else meanwhile": {`{}`, `{spec: {image: {tag: v9}}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := server.Client(t)
			app := changed(t, goodMovieApp, tc.created)
			if err := c.Create(t.Context(), app); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Delete(t.Context(), app) }()
			patch, err := yaml.YAMLToJSON([]byte(tc.changed))
			if err != nil {
				t.Fatal(err)
			}
			err = c.Patch(t.Context(), &unstructured.Unstructured{Object: app.Object}, client.RawPatch("application/merge-patch+json", patch))
			if tc.want == "" && err != nil {
				t.Errorf("patch %s = %v, want accepted", tc.changed, err)
			}
			if tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("patch %s = %v, want refused: %s", tc.changed, err, tc.want)
			}
		})
	}
}
