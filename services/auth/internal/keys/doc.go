// Package keys holds the keys that tokens are signed with, and signs.
package keys
