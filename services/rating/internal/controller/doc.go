// Package controller holds the rules of ratings that the proto file cannot say, to which requests were held already: what
// may be rated here, and when; and what an aggregate without ratings means.
package controller
