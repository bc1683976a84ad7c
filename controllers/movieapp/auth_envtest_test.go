//go:build envtest

package movieapp_test

import (
	"crypto/x509"
	"encoding/pem"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"movieexample.com/fleet/api/v1alpha1"
)

// TestAuthKeys: an application with auth gets keys, which rotate, come back when they are deleted, and are a person's own
// where the person made them first.
func TestAuthKeys(t *testing.T) {
	s := newStage(t)
	s.secrets()
	s.create(mysqlSecret("auth"))
	app := sampleApp(t)
	app.Spec.Services["auth"] = v1alpha1.MovieAppService{ServiceTemplate: v1alpha1.ServiceTemplate{
		Bindings: &v1alpha1.Bindings{MySQL: &v1alpha1.MySQLBinding{SecretRef: v1alpha1.SecretReference{Name: "auth-mysql"}}},
	}}
	app.Spec.Auth = &v1alpha1.AppAuth{}
	s.create(app)
	keys := func() (*corev1.Secret, string) {
		secret := &corev1.Secret{}
		if err := s.c.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "movies-auth-keys"}, secret); err != nil {
			return nil, err.Error()
		}
		if signing := string(secret.Data["signing"]); len(secret.Data[signing+".pem"]) == 0 {
			return nil, "no key signs: " + signing
		}
		return secret, ""
	}
	s.eventually(func() string { _, missing := keys(); return missing })
	s.eventually(func() string {
		fs := &v1alpha1.FleetService{}
		if err := s.c.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "movies-auth"}, fs); err != nil {
			return err.Error()
		}
		if fs.Spec.Bindings.AuthKeys.SecretRef.Name != "movies-auth-keys" {
			return "movies-auth has other keys"
		}
		return ""
	})
	first, _ := keys()
	block, _ := pem.Decode(first.Data[string(first.Data["signing"])+".pem"])
	if block == nil {
		t.Fatal("the key that signs is no PEM")
	}
	if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err != nil {
		t.Errorf("the key that signs is %T, %v; want an Ed25519 key", key, err)
	}

	// look makes the controller look at the application and waits until it has.
	look := func(support string) {
		s.edit("movies", func(app *v1alpha1.MovieApp) { app.Spec.Ownership.Support = support })
		s.eventually(func() string {
			if app := s.app("movies"); app.Status.ObservedGeneration != app.Generation {
				return "the application was not looked at"
			}
			return ""
		})
	}
	if err := s.c.Delete(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	look("a")
	second, missing := keys()
	if missing != "" {
		t.Fatalf("after the Secret was deleted: %s", missing)
	}

	second.OwnerReferences, second.Data = nil, map[string][]byte{"type": []byte("auth-keys"), "signing": []byte("mine"), "mine.pem": []byte("p")}
	if err := s.c.Update(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	look("b")
	if now, _ := keys(); now == nil || now.ResourceVersion != second.ResourceVersion {
		t.Errorf("a Secret that is nobody's child was changed: %v", now)
	}
}
