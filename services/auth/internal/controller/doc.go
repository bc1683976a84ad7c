// Package controller holds the rules of the auth service: who gets a token, what it says, and what a user may be.
package controller
