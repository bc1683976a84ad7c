// Package model is a movie as a visitor sees it, and the files of movies, apart from transport and storage.
package model
