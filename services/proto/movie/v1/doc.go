// Package moviev1 is the generated client and server of movie.proto: `make generate-proto` writes it.
package moviev1
