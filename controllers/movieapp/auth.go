package movieapp

import (
	"cmp"
	"fmt"
	"time"

	"movieexample.com/fleet/api/v1alpha1"
)

// authService is the service that issues tokens.
const authService = "auth"

const usualKeyRotation = 30 * 24 * time.Hour

// keyRotation is how long a key signs.
func keyRotation(app *v1alpha1.MovieApp) time.Duration {
	if a := app.Spec.Auth; a != nil && a.KeyRotation != nil {
		return a.KeyRotation.Duration
	}
	return usualKeyRotation
}

// authKeys is the name of the Secret that the operator makes for an application's auth service.
func authKeys(app *v1alpha1.MovieApp) string { return app.Name + "-auth-keys" }

// makesKeys is true when no person gave the auth service keys.
func makesKeys(app *v1alpha1.MovieApp) bool {
	s, ok := app.Spec.Services[authService]
	return ok && (s.Bindings == nil || s.Bindings.AuthKeys == nil) && (app.Spec.Bindings == nil || app.Spec.Bindings.AuthKeys == nil)
}

// withAuthKeys gives the auth service its keys. No other service gets them, whatever is bound for all.
func withAuthKeys(app *v1alpha1.MovieApp, b *v1alpha1.Bindings) *v1alpha1.Bindings {
	out := v1alpha1.Bindings{}
	if b != nil {
		out = *b
	}
	if app.Spec.Bindings != nil {
		out.AuthKeys = cmp.Or(out.AuthKeys, app.Spec.Bindings.AuthKeys.DeepCopy())
	}
	if out.AuthKeys == nil {
		out.AuthKeys = &v1alpha1.AuthKeysBinding{SecretRef: v1alpha1.SecretReference{Name: authKeys(app)}}
	}
	return &out
}

// issuer stands in every token of an application, as issuer and as audience: another's tokens are none here.
func issuer(app *v1alpha1.MovieApp) string { return app.Namespace + "/" + app.Name }

// authConfig is what a service's config says about tokens, nil for nothing.
func authConfig(app *v1alpha1.MovieApp, s *service, services map[string]*service) map[string]any {
	if s.name == authService {
		return map[string]any{
			"keys":   map[string]any{"kind": "binding"},
			"tokens": map[string]any{"issuer": issuer(app), "audience": issuer(app)},
		}
	}
	if app.Spec.Auth == nil {
		return nil
	}
	auth := services[authService]
	address := fmt.Sprintf("%s.%s.svc:%d/.well-known/jwks.json", auth.fleetService, app.Namespace, effectivePorts(&auth.spec).HTTP)
	config := map[string]any{"kind": "jwt", "issuer": issuer(app), "audience": issuer(app), "jwks": "http://" + address}
	if app.Spec.TLS != nil {
		config["jwks"], config["identity"] = "https://"+address, identity(app, auth.fleetService)
	}
	if t := app.Spec.Auth.TokensNotBefore; t != nil {
		config["tokensNotBefore"] = t.UTC().Format(time.RFC3339)
	}
	return map[string]any{"auth": config}
}
