// Package metadatav1 is the generated client and server of metadata.proto: `make generate-proto` writes it.
package metadatav1
