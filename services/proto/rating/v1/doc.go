// Package ratingv1 is the generated client and server of rating.proto: `make generate-proto` writes it.
package ratingv1
