package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"
)

// client calls others within bounds of time and size, and follows no redirect.
type client struct {
	http *http.Client
}

func newClient(g guard) *client {
	return &client{http: &http.Client{
		Transport: &http.Transport{
			Proxy:                  nil, // a proxy would dial what the guard does not see
			DialContext:            (&net.Dialer{Timeout: patience, Control: g.control}).DialContext,
			TLSHandshakeTimeout:    patience,
			DisableCompression:     true, // a small answer must not become a large one
			MaxIdleConns:           32,
			MaxIdleConnsPerHost:    2,
			IdleConnTimeout:        30 * time.Second,
			MaxResponseHeaderBytes: 16 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// do returns the status and the body.
func (c *client) do(request *http.Request) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(request.Context(), patience)
	defer cancel()
	response, err := c.http.Do(request.WithContext(ctx))
	if err != nil {
		return 0, nil, cause(err)
	}
	defer func() { _ = response.Body.Close() }() // read only
	body, err = io.ReadAll(io.LimitReader(response.Body, longestBody+1))
	if err != nil {
		return 0, nil, cause(err)
	}
	if len(body) > longestBody {
		return 0, nil, fmt.Errorf("the answer is longer than %d bytes", longestBody)
	}
	return response.StatusCode, body, nil
}

// cause is an error in words that stay the same from call to call, and without the URL, which may hold a password.
func cause(err error) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) { // the request's or the dial's
		return fmt.Errorf("no answer within %s", patience)
	}
	var op *net.OpError
	var request *url.Error
	switch {
	case errors.As(err, &op):
		return errors.New(words(op.Op + ": " + op.Err.Error()))
	case errors.As(err, &request):
		return errors.New(words(request.Err.Error()))
	}
	return errors.New(words(err.Error()))
}
