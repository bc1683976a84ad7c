// Package model is what a rating is: the order of writes and what each of them changes, apart from storage and transport.
package model
