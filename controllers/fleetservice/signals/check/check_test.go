package check_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	clocktesting "k8s.io/utils/clock/testing"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/fleetservice/signals/check"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	now     = time.Unix(1_800_000_000, 0)                                                                      // a constant
	rollout = check.Rollout{Namespace: "movies", Service: "rating", Canary: "cccc", Stable: "ssss", Weight: 5} // a constant
	secret  = v1alpha1.SecretKeyReference{Name: "hooks", Key: "smoke"}                                         // a constant
	ours    = func(context.Context, v1alpha1.SecretKeyReference) ([]byte, error) {
		return []byte("a key of ours"), nil
	} // a constant
	theirs = func(context.Context, v1alpha1.SecretKeyReference) ([]byte, error) {
		return []byte("not the same key"), nil
	} // a constant
)

func asker(t testing.TB, hosts ...string) *check.Asker {
	a := check.NewAsker(hosts, clocktesting.NewFakePassiveClock(now))
	t.Cleanup(a.Close)
	return a
}

func serve(t testing.TB, handle http.HandlerFunc) string {
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	return server.URL
}

// receiver is what a user's service does: it checks signature and age, and then decides.
func receiver(t *testing.T, decide func(check.Rollout) string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		at := r.Header.Get("Fleet-Timestamp")
		mac := hmac.New(sha256.New, []byte("a key of ours"))
		_, _ = fmt.Fprintf(mac, "%s.%s", at, body)
		given, _ := hex.DecodeString(r.Header.Get("Fleet-Signature"))
		if err != nil || r.Method != http.MethodPost || at != "1800000000" || !hmac.Equal(given, mac.Sum(nil)) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		var got check.Rollout
		if err := json.Unmarshal(body, &got); err != nil {
			t.Errorf("body %s: %v, want a rollout", body, err)
		}
		if diff := cmp.Diff(rollout, got); diff != "" {
			t.Errorf("the webhook was told of another rollout (-want +got):\n%s", diff)
		}
		_, _ = io.WriteString(w, decide(got))
	}
}

func says(answer string) func(check.Rollout) string {
	return func(check.Rollout) string { return answer }
}

func webhook(url string) *v1alpha1.SignalPolicy {
	return &v1alpha1.SignalPolicy{Webhooks: []v1alpha1.Webhook{{Name: "smoke", URL: url, SecretKeyRef: secret}}}
}

func TestWebhook(t *testing.T) {
	for name, c := range map[string]struct {
		handle http.HandlerFunc
		keys   check.Keys
		want   check.Verdict
		words  string
	}{
		"pass":                {receiver(t, says(`{"verdict": "pass", "message": "all fine"}`)), ours, check.Pass, ""},
		"wait":                {receiver(t, says(`{"verdict": "wait", "message": "tests run"}`)), ours, check.Wait, "webhook smoke asks to wait: tests run"},
		"fail":                {receiver(t, says(`{"verdict": "fail", "message": "3 of 40 tests fail"}`)), ours, check.Fail, "webhook smoke says no: 3 of 40 tests fail"},
		"fail, without words": {receiver(t, says(`{"verdict": "fail"}`)), ours, check.Fail, "webhook smoke says no"},
		"words of many lines": {receiver(t, says(`{"verdict": "wait", "message": "a\nb\u0000`+strings.Repeat("é", 300)+`"}`)), ours, check.Wait, "webhook smoke asks to wait: a b " + strings.Repeat("é", 196)},

		"signed with another key": {receiver(t, says(`{"verdict": "pass"}`)), theirs, check.Unknown, "webhook smoke cannot be asked: it answers 401, want 200"},
		"no such key": {nil, func(context.Context, v1alpha1.SecretKeyReference) ([]byte, error) {
			return nil, errors.New("Secret hooks has no key smoke")
		}, check.Unknown, "cannot be asked: Secret hooks has no key smoke"},
		"empty key":       {nil, func(context.Context, v1alpha1.SecretKeyReference) ([]byte, error) { return nil, nil }, check.Unknown, "key smoke of Secret hooks is empty"},
		"another verdict": {receiver(t, says(`{"verdict": "maybe"}`)), ours, check.Unknown, `webhook smoke gives the verdict "maybe", want pass, wait or fail`},
		"no verdict":      {receiver(t, says(`{}`)), ours, check.Unknown, `gives the verdict ""`},
		"no JSON":         {receiver(t, says(`<html>`)), ours, check.Unknown, "its answer is not JSON"},
		"redirect":        {http.RedirectHandler("http://127.0.0.1:1/", http.StatusTemporaryRedirect).ServeHTTP, ours, check.Unknown, "it answers 307, want 200"},
		"huge":            {receiver(t, says(`{"verdict": "pass", "message": "`+strings.Repeat("x", 1<<20)+`"}`)), ours, check.Unknown, "longer than 65536 bytes"},
		"ends early":      {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, ours, check.Unknown, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			handle := c.handle
			if handle == nil {
				handle = func(http.ResponseWriter, *http.Request) { t.Error("it was called without a signature") }
			}
			panel := asker(t, "127.0.0.1").Panel(webhook(serve(t, handle)), c.keys)
			expect(t, panel.Ask(t.Context(), rollout), c.want, c.words)
		})
	}
}

func expect(t *testing.T, got check.Answer, verdict check.Verdict, words string) {
	t.Helper()
	if got.Verdict != verdict || !strings.Contains(got.Message, words) || (words == "") != (got.Message == "") {
		t.Errorf("Ask = %+v, want %s with %q", got, verdict, words)
	}
	if len(got.Message) > 500 {
		t.Errorf("Ask = %d bytes of words, want what fits into a status", len(got.Message))
	}
}

// TestLateAnswer: nobody is waited for longer than 5 s.
func TestLateAnswer(t *testing.T) {
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.ReadAll(r.Body); <-r.Context().Done() })
	policy := webhook(url)
	policy.Prometheus = &v1alpha1.PrometheusSignal{URL: url, Queries: []v1alpha1.PrometheusQuery{{Name: "rate", Query: "1", Max: "1"}}}
	began := time.Now()
	got := asker(t, "127.0.0.1").Panel(policy, ours).Ask(t.Context(), rollout)
	expect(t, got, check.Unknown, "query rate cannot be asked of Prometheus: no answer within 5s; webhook smoke cannot be asked: no answer within 5s")
	if took := time.Since(began); took < 5*time.Second || took > 8*time.Second {
		t.Errorf("Ask took %s, want 5s", took)
	}
}

// TestWhoIsCalled: only hosts that the administrator named, and no address that nobody should be made to call.
func TestWhoIsCalled(t *testing.T) {
	url := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("it was called") })
	port := url[strings.LastIndex(url, ":"):]
	for name, c := range map[string]struct {
		url   string
		hosts []string
		words string
	}{
		"nobody named":                  {url, nil, "host 127.0.0.1 is not allowed; the operator's administrator can allow it (flag --webhook-hosts)"},
		"another named":                 {url, []string{"127.0.0.2", "example.com"}, "host 127.0.0.1 is not allowed"},
		"a part of a name":              {"http://evil-example.com" + port, []string{"example.com"}, "is not allowed"},
		"a user that looks like a host": {"http://example.com@127.0.0.1" + port, []string{"example.com"}, "host 127.0.0.1 is not allowed"},
		"a name for loopback":           {"http://localhost" + port, []string{"localhost"}, "which are not called"},
		"another form of loopback":      {"http://[::ffff:127.0.0.1]" + port, []string{"::ffff:127.0.0.1"}, "address 127.0.0.1 is the node's own"},
		"no URL":                        {"http://", []string{"example.com"}, "no URL such as"},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, asker(t, c.hosts...).Panel(webhook(c.url), ours).Ask(t.Context(), rollout), check.Unknown, c.words)
		})
	}
	t.Run("queries", func(t *testing.T) {
		expect(t, asker(t).Panel(queries(url, "1"), ours).Ask(t.Context(), rollout), check.Unknown, "address 127.0.0.1 is the node's own")
	})
}

func queries(url, most string) *v1alpha1.SignalPolicy {
	return &v1alpha1.SignalPolicy{Prometheus: &v1alpha1.PrometheusSignal{URL: url, Queries: []v1alpha1.PrometheusQuery{
		{Name: "rate", Query: `rate(x{ns="$namespace",s="$service",c="$canary",o="$stable",r=~"foo$"})`, Max: most},
	}}}
}

func TestQuery(t *testing.T) {
	vector := func(samples string) string {
		return `{"status":"success","data":{"resultType":"vector","result":[` + samples + `]}}`
	}
	sample := func(value string) string { return `{"metric":{},"value":[1,"` + value + `"]}` }
	for name, c := range map[string]struct {
		status  int
		answer  string
		verdict check.Verdict
		words   string
	}{
		"scalar within":       {200, `{"status":"success","data":{"resultType":"scalar","result":[1,"0.05"]}}`, check.Pass, ""},
		"vector of one":       {200, vector(sample("0.01")), check.Pass, ""},
		"too large, once":     {200, vector(sample("0.07")), check.Wait, "query rate gives 0.07, more than 0.05: 1 of the 3 times in a row that take the canary back"},
		"nothing":             {200, vector(""), check.Unknown, "the query gives 0 series, and one number is needed: sum them up, and add `or vector(0)`"},
		"two":                 {200, vector(sample("1") + "," + sample("2")), check.Unknown, "gives 2 series"},
		"native histogram":    {200, vector(`{"metric":{},"histogram":[1,{}]}`), check.Unknown, "no plain number"},
		"matrix":              {200, `{"status":"success","data":{"resultType":"matrix","result":[]}}`, check.Unknown, "gives a matrix, and one number is needed"},
		"NaN":                 {200, vector(sample("NaN")), check.Unknown, `gives "NaN", which is no number to compare`},
		"infinite":            {200, vector(sample("+Inf")), check.Unknown, `gives "+Inf"`},
		"number for text":     {200, vector(`{"value":[1,2]}`), check.Unknown, `gives "", which is no number`},
		"bad query":           {400, `{"status":"error","errorType":"bad_data","error":"parse error at char 5"}`, check.Unknown, "it answers 400: parse error at char 5"},
		"something else":      {200, `<html>secret</html>`, check.Unknown, "query rate cannot be asked of Prometheus: the answer (status 200) is not one of Prometheus' API"},
		"something else JSON": {200, `{"password":"secret"}`, check.Unknown, "is not one of Prometheus' API"},
		"huge":                {200, vector(strings.Repeat(" ", 1<<20)), check.Unknown, "longer than 65536 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			url := serve(t, func(w http.ResponseWriter, r *http.Request) {
				want := `rate(x{ns="movies",s="rating",c="cccc",o="ssss",r=~"foo$"})`
				if got := r.URL.Query().Get("query"); r.URL.Path != "/prefix/api/v1/query" || got != want {
					t.Errorf("%s was asked for %s, want %s", r.URL.Path, got, want)
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.answer)
			})
			got := asker(t, "127.0.0.1").Panel(queries(url+"/prefix/", "0.05"), ours).Ask(t.Context(), rollout)
			expect(t, got, c.verdict, c.words)
			if strings.Contains(got.Message, "secret") {
				t.Errorf("Ask = %q, want nothing of what others hold in a status", got.Message)
			}
		})
	}
}

// TestThreeInARow: only values too large three times in a row speak against a canary; no answer is not good news.
func TestThreeInARow(t *testing.T) {
	value := ""
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"status":"success","data":{"resultType":"scalar","result":[1,%q]}}`, value)
	})
	panel := asker(t, "127.0.0.1").Panel(queries(url, "5"), ours)
	for i, c := range []struct {
		value, canary string
		want          check.Verdict
	}{
		{"9", "cccc", check.Wait}, {"9", "cccc", check.Wait}, {"5", "cccc", check.Pass},
		{"9", "cccc", check.Wait}, {"9", "cccc", check.Wait}, {"9", "dddd", check.Wait},
		{"9", "dddd", check.Wait}, {"NaN", "dddd", check.Unknown}, {"9", "dddd", check.Fail}, {"9", "dddd", check.Fail}, {"1", "dddd", check.Pass},
	} {
		value = c.value
		if got := panel.Ask(t.Context(), check.Rollout{Canary: c.canary}); got.Verdict != c.want {
			t.Errorf("asking %d, value %s of %s = %+v, want %s", i, c.value, c.canary, got, c.want)
		}
	}
}

func TestWorstVerdictCounts(t *testing.T) {
	answer := map[string]string{}
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, answer[r.URL.Path]) })
	policy := &v1alpha1.SignalPolicy{}
	for _, name := range []string{"a", "b", "c"} {
		policy.Webhooks = append(policy.Webhooks, v1alpha1.Webhook{Name: name, URL: url + "/" + name, SecretKeyRef: secret})
	}
	panel := asker(t, "127.0.0.1").Panel(policy, ours)
	pass, wait, fail := `{"verdict":"pass"}`, `{"verdict":"wait"}`, `{"verdict":"fail"}`
	for _, c := range []struct {
		a, b, c string
		verdict check.Verdict
		words   string
	}{
		{pass, pass, pass, check.Pass, ""},
		{pass, wait, wait, check.Wait, "webhook b asks to wait; webhook c asks to wait"},
		{wait, "", pass, check.Unknown, "webhook b cannot be asked"},
		{wait, "", fail, check.Fail, "webhook c says no"},
	} {
		answer["/a"], answer["/b"], answer["/c"] = c.a, c.b, c.c
		expect(t, panel.Ask(t.Context(), rollout), c.verdict, c.words)
	}
	if empty := asker(t).Panel(nil, ours); !empty.Empty() || empty.Ask(t.Context(), rollout).Verdict != check.Pass || panel.Empty() {
		t.Error("a panel without checks does not pass, or one with checks is empty")
	}
}
