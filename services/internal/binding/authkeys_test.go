package binding_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"movieexample.com/fleet/services/internal/binding"
)

func TestReadAuthKeys(t *testing.T) {
	good := map[string]string{"type": "auth-keys", "signing": "b\n", "a.pem": "A", "b.pem": "B", "readme": "x", ".pem": "x"}
	want := binding.AuthKeys{Signing: "b", Keys: map[string]string{"a": "A", "b": "B"}}
	got, err := binding.ReadAuthKeys(write(t, "auth-keys", good))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("ReadAuthKeys = %v (-want +got):\n%s", err, diff)
	}
	if text := got.String() + got.GoString(); strings.ContainsAny(text, "AB") {
		t.Errorf("String = %s, want no key in it", text)
	}
	for name, tc := range map[string]struct{ key, value, want string }{
		"another type":          {"type", "mysql", `key "type" is "mysql", want auth-keys`},
		"nothing signs":         {"signing", "", `key "signing" is empty`},
		"a key that is missing": {"signing", "c", `key "signing" is "c", and there is no key of that id`},
	} {
		bad := map[string]string{"type": "auth-keys", "signing": "b", "b.pem": "B"}
		bad[tc.key] = tc.value
		if _, err := binding.ReadAuthKeys(write(t, "auth-keys", bad)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("ReadAuthKeys with %s = %v, want %s", name, err, tc.want)
		}
	}
}
