package app

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/spf13/cobra"

	"movieexample.com/fleet/services/internal/auth"
	"movieexample.com/fleet/services/internal/config"
	ratingv1 "movieexample.com/fleet/services/proto/rating/v1"
)

// guarded is the program with a policy; the settings for tokens are change's.
func guarded(policy auth.Policy, change func(*config.Auth)) Program[settings] {
	p := program(fine, always())
	build := p.Build
	p.Build = func(ctx context.Context, env Env[settings]) (Service, error) {
		c := config.DefaultAuth()
		c.JWKS = "http://127.0.0.1:1/keys"
		change(&c)
		if err := env.Authorize(c, policy); err != nil {
			return Service{}, err
		}
		return build(ctx, env)
	}
	return p
}

func ratingPolicy() auth.Policy {
	return auth.Policy{
		ratingv1.RatingService_GetAggregatedRating_FullMethodName:      auth.Public(),
		ratingv1.RatingService_BatchGetAggregatedRating_FullMethodName: auth.Public(),
		ratingv1.RatingService_PutRating_FullMethodName:                auth.OwnUser("user_id"),
		ratingv1.RatingService_DeleteRating_FullMethodName:             auth.OwnUser("user_id"),
	}
}

// delete is the code of a DELETE.
func (r *running) delete(t *testing.T, url string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// end stops the program and wants it to end well.
func (r *running) end(t *testing.T) {
	t.Helper()
	r.signals <- syscall.SIGTERM
	if code := <-r.exit; code != exitOK {
		t.Errorf("exit = %d, want 0; stderr: %s", code, r.stderr)
	}
}

func TestAuthorize(t *testing.T) {
	for name, tc := range map[string]struct {
		kind  string
		write int
		log   string
	}{
		// The service has no PutRating: whoever passes the guard finds that out.
		"none": {config.None, 400, `Nobody is asked for a token`},
		"jwt":  {config.JWT, 401, `The keys of tokens cannot be fetched`},
	} {
		t.Run(name, func(t *testing.T) {
			r := launch(t, guarded(ratingPolicy(), func(c *config.Auth) { c.Kind = tc.kind }), "--shutdown.propagation", "0s")
			defer r.end(t)
			if code, body := r.get(t, r.rest+"/v1/ratings/movie/1"); code != 200 {
				t.Errorf("GET = %d %s, want 200: reads are public", code, body)
			}
			if code := r.delete(t, r.rest+"/v1/ratings/movie/1"); code != tc.write {
				t.Errorf("DELETE without a token or a user = %d, want %d", code, tc.write)
			}
			r.until(t, "the log says "+tc.log, func() bool { return r.logged(tc.log) })
		})
	}
}

func TestServiceDoesNotStartWithoutItsRules(t *testing.T) {
	hole := ratingPolicy()
	delete(hole, ratingv1.RatingService_PutRating_FullMethodName)
	for name, tc := range map[string]struct {
		policy auth.Policy
		change func(*config.Auth)
		code   int
		want   string
	}{
		"a method without a rule": {hole, func(*config.Auth) {}, exitFailed, "PutRating has no rule"},
		"an identity without TLS": {
			ratingPolicy(), func(c *config.Auth) { c.Kind, c.Identity = config.JWT, "spiffe://cluster.local/ns/local/sa/auth" },
			exitMistake, "auth.identity",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var stderr strings.Builder
			code := run(t.Context(), guarded(tc.policy, tc.change), nil, process{
				lookupEnv: func(string) (string, bool) { return "", false },
				stdout:    io.Discard, stderr: &stderr, signals: make(chan os.Signal),
			})
			if code != tc.code || !strings.Contains(stderr.String(), tc.want) {
				t.Errorf("exit = %d, %q, want %d with %q", code, stderr.String(), tc.code, tc.want)
			}
		})
	}
}

func atLeastOne(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return errors.New("requires a name")
	}
	return nil
}

func TestCommands(t *testing.T) {
	var ran atomic.Int32
	p := program(fine, always())
	echo := func(ctx context.Context, env Env[settings], args []string, s Streams) error {
		ran.Add(1)
		text, err := io.ReadAll(s.In)
		if err != nil {
			return err
		}
		env.Log.Info("Working")
		_, err = io.WriteString(s.Out, strings.Join(args, ",")+":"+string(text))
		return err
	}
	p.Commands = []Command[settings]{
		{Use: "user add NAME [ROLE…]", Short: "Add", Args: atLeastOne, Run: echo},
		{Use: "user wait", Short: "Wait", Args: cobra.NoArgs, Run: func(ctx context.Context, _ Env[settings], _ []string, _ Streams) error {
			<-ctx.Done()
			return ctx.Err()
		}},
	}
	for name, tc := range map[string]struct {
		args   []string
		signal bool
		code   int
		out    string
		err    string
	}{
		"runs":                 {[]string{"user", "add", "ann", "editor"}, false, exitOK, "ann,editor:secret", `"msg":"Working"`},
		"with settings":        {[]string{"user", "add", "ann", "--log.level", "warn"}, false, exitOK, "ann:secret", ""},
		"lacks an argument":    {[]string{"user", "add"}, false, exitMistake, "", "rating: requires a name"},
		"has a wrong setting":  {[]string{"user", "add", "ann", "--log.level", "loud"}, false, exitMistake, "", "log.level"},
		"is unknown":           {[]string{"user", "ad"}, false, exitMistake, "", `unknown command "ad"`},
		"is named by half":     {[]string{"user"}, false, exitOK, "add", ""},
		"is ended by a signal": {[]string{"user", "wait"}, true, exitFailed, "", "ended by interrupt"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr strings.Builder
			signals := make(chan os.Signal, 1)
			if tc.signal {
				signals <- os.Interrupt
			}
			code := run(t.Context(), p, tc.args, process{
				lookupEnv: func(string) (string, bool) { return "", false },
				stdin:     strings.NewReader("secret"), stdout: &stdout, stderr: &stderr, signals: signals,
			})
			if code != tc.code || !strings.Contains(stdout.String(), tc.out) || !strings.Contains(stderr.String(), tc.err) {
				t.Errorf("exit = %d, stdout %q, stderr %q, want %d, %q, %q", code, stdout.String(), stderr.String(), tc.code, tc.out, tc.err)
			}
		})
	}
	if got := ran.Load(); got != 2 {
		t.Errorf("the command ran %d times, want 2: not without arguments, nor with wrong settings", got)
	}
}
