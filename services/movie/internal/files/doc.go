// Package files keeps contents by their hash in a directory that several instances share.
package files
