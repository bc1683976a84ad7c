package config

import (
	"math"

	"github.com/dustin/go-humanize"
)

// Bytes is an amount of data, written as a number and a unit: 64KiB, 4GiB, 10MB.
type Bytes int64

// String is the amount with a unit, rounded.
func (b Bytes) String() string { return humanize.IBytes(uint64(max(b, 0))) }

func setBytes(b *Bytes, text string) string {
	parsed, err := humanize.ParseBytes(text)
	if err != nil || parsed > math.MaxInt64 {
		return "is not an amount of data: write a number and a unit, for example 500MiB or 4GiB"
	}
	*b = Bytes(parsed)
	return ""
}
