package auth

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/grpc/metadata"

	"movieexample.com/fleet/services/internal/problem"
)

func TestBearer(t *testing.T) {
	for name, tc := range map[string]struct {
		values []string
		token  string
		want   string
	}{
		"one":               {[]string{"Bearer abc"}, "abc", ""},
		"lower case":        {[]string{"bearer abc"}, "abc", ""},
		"more spaces":       {[]string{"BEARER   abc"}, "abc", ""},
		"none":              {nil, "", "needs a token"},
		"two":               {[]string{"Bearer abc", "Bearer abc"}, "", "2 times"},
		"another scheme":    {[]string{"Basic YTpi"}, "", "Bearer TOKEN"},
		"the token alone":   {[]string{"abc"}, "", "Bearer TOKEN"},
		"the scheme alone":  {[]string{"Bearer"}, "", "no token"},
		"nothing behind it": {[]string{"Bearer "}, "", "no token"},
		"empty":             {[]string{""}, "", "Bearer TOKEN"},
		"a space in front":  {[]string{" Bearer abc"}, "", "Bearer TOKEN"},
		"a tab between":     {[]string{"Bearer\tabc"}, "", "Bearer TOKEN"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := metadata.NewIncomingContext(context.Background(), metadata.MD{Header: tc.values})
			got, err := bearer(ctx)
			if got != tc.token || (err == nil) != (tc.want == "") {
				t.Errorf("bearer(%q) = %q, %v, want %q", tc.values, got, err, tc.token)
			}
			if err != nil && (problem.KindOf(err) != problem.Unauthenticated || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("bearer(%q) = %v, want Unauthenticated that says %q", tc.values, err, tc.want)
			}
		})
	}
}

func FuzzParseBearer(f *testing.F) {
	for _, text := range []string{"Bearer abc", "bearer  a.b.c", "Basic x", "", " ", "Bearer", "Bearer\x00x", "bEARER \u212aey"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		token, err := parseBearer(text)
		if err != nil {
			if len(text) > 8 && strings.Contains(err.Error(), text) {
				t.Errorf("parseBearer(%q) = %v, which holds what was sent", text, err)
			}
			return
		}
		if token == "" || strings.HasPrefix(token, " ") || !strings.HasSuffix(text, token) || !strings.EqualFold(text[:6], "bearer") {
			t.Errorf("parseBearer(%q) = %q, want what stands behind Bearer", text, token)
		}
	})
}
