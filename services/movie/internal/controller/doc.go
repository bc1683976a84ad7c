// Package controller puts a movie's details together and holds the rules of what may be missing.
package controller
