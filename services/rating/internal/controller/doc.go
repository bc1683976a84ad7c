// Package controller holds the rules of ratings: what a valid write is, and what an aggregate without ratings means.
package controller
