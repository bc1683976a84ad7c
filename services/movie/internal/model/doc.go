// Package model is a movie as a visitor sees it, apart from transport.
package model
