// Package controller holds the rules of metadata: what a valid record is.
package controller
