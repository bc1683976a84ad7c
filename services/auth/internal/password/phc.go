package password

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// phc is a hash with all that is needed to compare with it, as
// https://github.com/P-H-C/phc-string-format/blob/master/phc-sf-spec.md writes it:
// $argon2id$v=19$m=19456,t=2,p=1$SALT$KEY.
type phc struct {
	params Params
	salt   []byte
	key    []byte
}

const (
	algorithm = "argon2id"
	// A row that asks for more than this was not written by us, and must not take the service down.
	maxMemory = 1 << 20 // KiB
	maxTime   = 64
	maxBytes  = 64
)

var (
	errForm = errors.New("the stored hash is not of the form $argon2id$v=19$m=…,t=…,p=…$salt$key")
	errCost = errors.New("the stored hash has a cost that is out of bounds")
)

func (p phc) String() string {
	return fmt.Sprintf("$%s$v=%d$m=%d,t=%d,p=%d$%s$%s", algorithm, argon2.Version, p.params.Memory, p.params.Time, p.params.Threads,
		base64.RawStdEncoding.EncodeToString(p.salt), base64.RawStdEncoding.EncodeToString(p.key))
}

// parse never puts what it read into its errors.
func parse(text string) (phc, error) {
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != algorithm || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return phc{}, errForm
	}
	var p phc
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.params.Memory, &p.params.Time, &p.params.Threads); err != nil || n != 3 {
		return phc{}, errForm
	}
	var saltErr, keyErr error
	p.salt, saltErr = base64.RawStdEncoding.DecodeString(parts[4])
	p.key, keyErr = base64.RawStdEncoding.DecodeString(parts[5])
	if saltErr != nil || keyErr != nil || p.String() != text { // one spelling only
		return phc{}, errForm
	}
	c := p.params
	if c.Memory < 8*uint32(c.Threads) || c.Memory > maxMemory || c.Time < 1 || c.Time > maxTime || c.Threads < 1 ||
		len(p.salt) < 8 || len(p.salt) > maxBytes || len(p.key) < 16 || len(p.key) > maxBytes {
		return phc{}, errCost
	}
	return p, nil
}
