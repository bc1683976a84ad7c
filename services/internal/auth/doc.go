// Package auth lets a service know who calls and holds each method to its rule: it checks bearer tokens by itself, with
// the keys that the auth service publishes.
package auth
