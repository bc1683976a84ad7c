//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"movieexample.com/fleet/api/v1alpha1"
)

// TestTokens: an application with auth gets its keys, lets its users rate with a token and nobody without, and keeps to that
// while auth changes.
func TestTokens(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "tokens")
	f.applyApp(sample(t, func(app *v1alpha1.MovieApp) {
		app.Spec.Auth = &v1alpha1.AppAuth{}
		other := app.Spec.Services["metadata"]
		auth := other.DeepCopy()
		auth.Bindings.MySQL.SecretRef.Name, auth.Bindings.Consul.SecretRef.Name = "auth-mysql", "movies-auth-consul"
		app.Spec.Services["auth"] = *auth
	}))
	f.ready("movies", 3*time.Minute)
	ann := fmt.Sprintf("ann.%d@example.com", time.Now().UnixNano()) // the database outlives the test
	f.addUser(ann, "a long enough password")
	auth, rating := f.front("movies-auth", 8184), f.front("movies-rating", 8182)
	if body, code := f.rate(rating, "", ann); code != "401" {
		t.Errorf("rating without a token = %s %s, want 401", code, body)
	}
	token := f.login(auth, ann, "a long enough password")
	if body, code := f.rate(rating, token, ann); code != "200" {
		t.Errorf("rating with a token = %s %s, want 200", code, body)
	}
	if body, code := f.rate(rating, token, "ben@example.com"); code != "403" {
		t.Errorf("rating for somebody else = %s %s, want 403", code, body)
	}
	f.kubectl("patch", "movieapp", "movies", "--type=merge", "-p",
		`{"spec":{"services":{"auth":{"env":[{"name":"RELEASE","value":"2"}]}}}}`)
	f.is("movies-auth", v1alpha1.ConditionReady, metav1.ConditionTrue, "", 2*time.Minute)
	f.ready("movies", 2*time.Minute)
	if body, code := f.rate(rating, token, ann); code != "200" {
		t.Errorf("rating with a token from before auth changed = %s %s, want 200", code, body)
	}
}

// addUser runs auth's own command in one of its pods.
func (f *fleet) addUser(name, password string) {
	f.t.Helper()
	pod := strings.Fields(f.kubectl("get", "pods", "-l", "fleet.movieexample.com/service=movies-auth,fleet.movieexample.com/revision",
		"--field-selector=status.phase=Running", "-o", "jsonpath={.items[*].metadata.name}"))
	if len(pod) == 0 {
		f.t.Fatal("no pod of auth runs")
	}
	cmd := exec.Command("hack/cluster/cluster", "kubectl", "-n", f.namespace, "exec", "-i", pod[0], "--", "/auth", "user", "add", name)
	cmd.Dir, cmd.Stdin = root, strings.NewReader(password+"\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		f.t.Fatalf("add a user: %v: %s", err, out)
	}
}

// login is a token for the user, from auth at an address.
func (f *fleet) login(auth, name, password string) string {
	f.t.Helper()
	request, err := json.Marshal(map[string]string{"username": name, "password": password})
	if err != nil {
		f.t.Fatal(err)
	}
	var answer struct{ Token string }
	body := must(f.t, "curl", "-sS", "--max-time", "10", "-X", "POST", "http://"+auth+"/v1/token", "-d", string(request))
	if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.Token == "" {
		f.t.Fatalf("POST /v1/token = %s, want a token", body)
	}
	return answer.Token
}

// rate puts a rating of a user at an address, with a token or without, and returns the answer and its code.
func (f *fleet) rate(rating, token, user string) (body, code string) {
	f.t.Helper()
	out := must(f.t, "curl", "-sS", "--max-time", "10", "-w", "\n%{http_code}", "-X", "PUT", "-H", "Authorization: Bearer "+token,
		"http://"+rating+"/v1/ratings/movie/alien", "-d", `{"userId":"`+user+`","value":5}`)
	i := strings.LastIndex(out, "\n")
	return out[:i], out[i+1:]
}
