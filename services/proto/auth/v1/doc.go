// Package authv1 is the generated client and server of auth.proto: `make generate-proto` writes it.
package authv1
