// Package replay sends dead letters back to where they came from, when what broke on them was mended.
package replay
