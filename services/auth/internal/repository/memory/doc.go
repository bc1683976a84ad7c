// Package memory keeps users in the process.
package memory
