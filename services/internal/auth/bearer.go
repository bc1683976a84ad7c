package auth

import (
	"context"
	"strings"

	"google.golang.org/grpc/metadata"
)

// Header carries the token, over gRPC and REST alike.
const Header = "authorization"

// MaxToken bounds a token in bytes, so that no work is done on what cannot be one: ours have about 400.
const MaxToken = 4096

const scheme = "bearer"

// bearer is the token of a call, or why there is none.
func bearer(ctx context.Context) (string, error) {
	values := metadata.ValueFromIncomingContext(ctx, Header)
	switch len(values) {
	case 0:
		return "", refuse(reasonMissing, nil, "this call needs a token: send authorization: Bearer TOKEN")
	case 1:
		return parseBearer(values[0])
	default: // whoever reads the first and whoever reads the last would see two callers
		return "", refuse(reasonMalformed, nil, "authorization is there %d times: send it once", len(values))
	}
}

// parseBearer takes the header's value apart, as RFC 6750 has it: the scheme in any case, spaces, the token.
func parseBearer(value string) (string, error) {
	word, token, _ := strings.Cut(value, " ")
	token = strings.TrimLeft(token, " ")
	switch {
	case !strings.EqualFold(word, scheme):
		return "", refuse(reasonMalformed, nil, "authorization is not of the form Bearer TOKEN")
	case token == "":
		return "", refuse(reasonMalformed, nil, "authorization has no token behind Bearer")
	}
	return token, nil
}

// checkForm refuses what cannot be a token before anything is decoded.
func checkForm(token string) error {
	if len(token) > MaxToken {
		return refuse(reasonMalformed, nil, "the token has %d bytes, at most %d are allowed", len(token), MaxToken)
	}
	for i := range len(token) {
		c := token[i]
		base64url := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
		if !base64url && c != '.' {
			return refuse(reasonMalformed, nil, "the token holds characters that no token has")
		}
	}
	return nil
}
