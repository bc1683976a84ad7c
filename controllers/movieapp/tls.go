package movieapp

import (
	"cmp"
	"fmt"
	"time"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/movieapp/certificates"
)

const (
	usualTrustDomain = "cluster.local"
	usualLifetime    = 30 * 24 * time.Hour
	usualRotation    = 365 * 24 * time.Hour
)

// authorities is the name of the Secret with the authorities of an application. It is mounted nowhere.
func authorities(app *v1alpha1.MovieApp) string { return app.Name + "-ca" }

// certificateOf is the name of the Secret with a service's certificate.
func certificateOf(fleetService string) string { return fleetService + "-tls" }

func trustDomain(app *v1alpha1.MovieApp) string {
	return cmp.Or(app.Spec.TLS.TrustDomain, usualTrustDomain)
}

// identity is who a service is for others: the name of its ServiceAccount, which is that of its FleetService.
func identity(app *v1alpha1.MovieApp, fleetService string) string {
	return fmt.Sprintf("spiffe://%s/ns/%s/sa/%s", trustDomain(app), app.Namespace, fleetService)
}

// hosts are a service's names in DNS: of its Service objects, short and in full.
func hosts(app *v1alpha1.MovieApp, fleetService string) []string {
	var names []string
	for _, object := range []string{"", "-canary", "-all"} {
		name := fleetService + object + "." + app.Namespace
		names = append(names, fleetService+object, name, name+".svc", name+".svc.cluster.local")
	}
	return names
}

// longevity is how long certificates and authorities hold.
func longevity(app *v1alpha1.MovieApp) certificates.Policy {
	p := certificates.Policy{Namespace: app.Namespace, App: app.Name, Lifetime: usualLifetime, Rotation: usualRotation}
	if d := app.Spec.TLS.CertificateLifetime; d != nil {
		p.Lifetime = d.Duration
	}
	if d := app.Spec.TLS.AuthorityRotation; d != nil {
		p.Rotation = d.Duration
	}
	return p
}

// withCertificate gives a service its certificate, if no person did.
func withCertificate(app *v1alpha1.MovieApp, fleetService string, b *v1alpha1.Bindings) *v1alpha1.Bindings {
	if app.Spec.TLS == nil || (b != nil && b.TLS != nil) {
		return b
	}
	out := v1alpha1.Bindings{}
	if b != nil {
		out = *b
	}
	out.TLS = &v1alpha1.TLSBinding{SecretRef: v1alpha1.SecretReference{Name: certificateOf(fleetService)}}
	return &out
}

// tlsConfig is what a service's config says about TLS. Movie and auth are called by people and programs from outside, who have
// no certificate; the others are called by services, which have one.
func tlsConfig(app *v1alpha1.MovieApp, s *service) map[string]any {
	if app.Spec.TLS == nil {
		return nil
	}
	mode := "mutual"
	if s.name == "movie" || s.name == authService {
		mode = "server"
	}
	config := map[string]any{"tls": map[string]any{"mode": mode, "trustDomain": trustDomain(app)}}
	if len(s.dependsOn) == 0 {
		return config
	}
	upstreams := map[string]any{}
	for _, d := range s.dependsOn {
		upstreams[d] = map[string]any{"identity": identity(app, app.Name+"-"+d)}
	}
	config["upstreams"] = upstreams
	return config
}
