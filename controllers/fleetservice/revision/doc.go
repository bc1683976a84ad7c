// Package revision names revisions by what goes into them, and keeps what was rendered from them.
package revision
