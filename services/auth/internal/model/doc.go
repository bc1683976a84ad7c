// Package model is what a user is to the auth service.
package model
