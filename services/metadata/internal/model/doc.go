// Package model is what a movie's record is, apart from storage and transport.
package model
