// Package deployment does with a deployed fleet what its users do with a movie, from its first metadata to its last rating.
package deployment
