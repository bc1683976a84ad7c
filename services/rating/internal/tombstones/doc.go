// Package tombstones removes what deletions of ratings leave behind, once no write that is older can come any more.
package tombstones
