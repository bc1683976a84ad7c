package check

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"movieexample.com/fleet/api/v1alpha1"
)

// inRow is how many times a value must be too large in a row until it speaks against a canary.
const inRow = 3

// query is PromQL whose value must stay within a bound.
type query struct {
	client *client
	server string
	spec   v1alpha1.PrometheusQuery

	mu      sync.Mutex
	above   int    // askings in a row that gave a value too large
	current string // the canary that they are about
}

func newQuery(c *client, server string, spec v1alpha1.PrometheusQuery) *query {
	return &query{client: c, server: server, spec: spec}
}

// Ask asks for the value.
func (q *query) Ask(ctx context.Context, r Rollout) Answer {
	limit, err := strconv.ParseFloat(q.spec.Max, 64)
	if err != nil {
		return Answer{Unknown, fmt.Sprintf("query %s: max %q is no number", q.spec.Name, words(q.spec.Max))}
	}
	value, err := q.value(ctx, r)
	if err != nil {
		return Answer{Unknown, fmt.Sprintf("query %s cannot be asked of Prometheus: %v", q.spec.Name, err)}
	}
	above := q.count(r.Canary, value > limit)
	said := fmt.Sprintf("query %s gives %g, more than %s", q.spec.Name, value, q.spec.Max)
	switch {
	case above >= inRow:
		return Answer{Fail, fmt.Sprintf("%s, %d times in a row", said, inRow)}
	case above > 0:
		return Answer{Wait, fmt.Sprintf("%s: %d of the %d times in a row that take the canary back", said, above, inRow)}
	}
	return Answer{Verdict: Pass}
}

// count keeps the number of values too large in a row. No answer is neither one nor an end of the row.
func (q *query) count(canary string, above bool) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !above || q.current != canary {
		q.above, q.current = 0, canary
	}
	if above {
		q.above++
	}
	return q.above
}

func (q *query) value(ctx context.Context, r Rollout) (float64, error) {
	address, err := url.Parse(q.server)
	if err != nil || address.Host == "" {
		return 0, errors.New("prometheus.url is no URL such as http://prometheus.monitoring:9090")
	}
	address = address.JoinPath("api/v1/query")
	address.RawQuery = url.Values{"query": {fill(q.spec.Query, r)}, "timeout": {patience.String()}}.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return 0, cause(err)
	}
	status, body, err := q.client.do(request)
	if err != nil {
		return 0, err
	}
	return number(status, body)
}

// fill puts names and revisions, which need no quoting in PromQL, in place of the variables.
func fill(query string, r Rollout) string {
	return strings.NewReplacer("$namespace", r.Namespace, "$service", r.Service, "$canary", r.Canary, "$stable", r.Stable).Replace(query)
}

// reply is Prometheus' answer (https://prometheus.io/docs/prometheus/latest/querying/api/).
type reply struct {
	Status string `json:"status"`
	Error  string `json:"error"`
	Data   struct {
		ResultType string          `json:"resultType"`
		Result     json.RawMessage `json:"result"`
	} `json:"data"`
}

// number is the one number in an answer.
func number(status int, body []byte) (float64, error) {
	var r reply
	if json.Unmarshal(body, &r) != nil || (r.Status != "success" && r.Status != "error") {
		return 0, fmt.Errorf("the answer (status %d) is not one of Prometheus' API", status)
	}
	if status != http.StatusOK || r.Status != "success" {
		return 0, fmt.Errorf("it answers %d: %s", status, words(r.Error))
	}
	var sample json.RawMessage
	switch r.Data.ResultType {
	case "scalar":
		sample = r.Data.Result
	case "vector":
		var vector []struct {
			Value json.RawMessage `json:"value"`
		}
		if err := json.Unmarshal(r.Data.Result, &vector); err != nil {
			return 0, errors.New("the answer's vector cannot be read")
		}
		if len(vector) != 1 {
			return 0, fmt.Errorf("the query gives %d series, and one number is needed: sum them up, and add `or vector(0)` where there may be none", len(vector))
		}
		sample = vector[0].Value
	default:
		return 0, fmt.Errorf("the query gives a %s, and one number is needed", words(r.Data.ResultType))
	}
	return valueOf(sample)
}

// valueOf reads a time and a value.
func valueOf(sample json.RawMessage) (float64, error) {
	var pair []any
	if json.Unmarshal(sample, &pair) != nil || len(pair) != 2 {
		return 0, errors.New("the query gives no plain number, such as a native histogram's")
	}
	text, _ := pair[1].(string)
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(value) || math.IsInf(value, 0) {
		return 0, fmt.Errorf("the query gives %q, which is no number to compare: a division by no requests gives such", words(text))
	}
	return value, nil
}
