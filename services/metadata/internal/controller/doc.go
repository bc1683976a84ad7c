// Package controller holds the rules of metadata. Requests come here held to the rules in the proto file already.
package controller
