// Package processor checks uploaded files in the background: content against checksum, size, type.
package processor
