// Package authkeys decides which keys an application's auth service signs tokens with; pure.
package authkeys
