package check

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"movieexample.com/fleet/api/v1alpha1"
)

// The headers that sign a webhook's call.
const (
	// TimestampHeader holds seconds since 1970. Whoever is called should refuse a call that is older than a few minutes.
	TimestampHeader = "Fleet-Timestamp"
	// SignatureHeader holds the hex HMAC-SHA256 of the timestamp, a dot and the body.
	SignatureHeader = "Fleet-Signature"
)

// webhook is a service of the user's that has a say.
type webhook struct {
	asker *Asker
	spec  v1alpha1.Webhook
	keys  Keys
}

// Ask calls it.
func (w *webhook) Ask(ctx context.Context, r Rollout) Answer {
	name := "webhook " + w.spec.Name
	said, err := w.call(ctx, r)
	if err != nil {
		return Answer{Unknown, fmt.Sprintf("%s cannot be asked: %v", name, err)}
	}
	reason := ""
	if m := words(said.Message); m != "" {
		reason = ": " + m
	}
	switch said.Verdict {
	case "pass":
		return Answer{Verdict: Pass}
	case "wait":
		return Answer{Wait, name + " asks to wait" + reason}
	case "fail":
		return Answer{Fail, name + " says no" + reason}
	}
	return Answer{Unknown, fmt.Sprintf("%s gives the verdict %q, want pass, wait or fail", name, words(said.Verdict))}
}

type opinion struct {
	Verdict string `json:"verdict"`
	Message string `json:"message"`
}

func (w *webhook) call(ctx context.Context, r Rollout) (said opinion, err error) {
	request, err := w.request(ctx, r)
	if err != nil {
		return said, err
	}
	status, body, err := w.asker.client.do(request)
	if err != nil {
		return said, err
	}
	if status != http.StatusOK {
		return said, fmt.Errorf("it answers %d, want 200", status)
	}
	if json.Unmarshal(body, &said) != nil {
		return said, errors.New(`its answer is not JSON like {"verdict": "pass", "message": ""}`)
	}
	return said, nil
}

// request is the signed call. Nothing of it is sent to a host that the administrator did not name.
func (w *webhook) request(ctx context.Context, r Rollout) (*http.Request, error) {
	address, err := url.Parse(w.spec.URL)
	if err != nil || address.Host == "" {
		return nil, errors.New("its url is no URL such as https://checks.example.com/rollout")
	}
	if !w.asker.guard.names(address.Hostname()) {
		return nil, fmt.Errorf("host %s is not allowed; the operator's administrator can allow it (flag --webhook-hosts)", words(address.Hostname()))
	}
	key, err := w.keys(ctx, w.spec.SecretKeyRef)
	if err != nil {
		return nil, err
	}
	if len(key) == 0 {
		return nil, fmt.Errorf("key %s of Secret %s is empty, so that nothing can be signed", w.spec.SecretKeyRef.Key, w.spec.SecretKeyRef.Name)
	}
	body, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("write the rollout as JSON: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address.String(), bytes.NewReader(body))
	if err != nil {
		return nil, cause(err)
	}
	at := strconv.FormatInt(w.asker.clock.Now().Unix(), 10)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(TimestampHeader, at)
	request.Header.Set(SignatureHeader, sign(key, at, body))
	return request, nil
}

func sign(key []byte, at string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(at + "."))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}
