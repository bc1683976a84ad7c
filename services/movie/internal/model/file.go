package model

import (
	"errors"
	"time"

	"movieexample.com/fleet/services/internal/problem"
)

// ErrInterrupted means that a sender stopped in the middle. What came is kept for a while.
var ErrInterrupted = errors.New("the upload was interrupted")

// Header says what an upload will send.
type Header struct {
	UploadID string
	Name     string
	Size     int64
	Offset   int64  // where the first chunk begins
	SHA256   string // of the whole content, hexadecimal; "": not known
}

// Upload is how far an upload is.
type Upload struct {
	Size   int64
	Offset int64
	FileID string // "" until the whole content is stored
}

// Receipt is the end of an upload.
type Receipt struct {
	FileID  string
	SHA256  string
	Size    int64
	Existed bool // the content was there already
}

// FileState is what the check of a stored content has found.
type FileState int

// Every file begins as Stored.
const (
	Stored FileState = iota
	Ready
	Damaged
)

// File is a stored content.
type File struct {
	ID         string
	SHA256     string
	Size       int64
	Name       string
	State      FileState
	Type       string // media type; "" unless the state is Ready
	CreateTime time.Time
}

// Job is a stored content that is to be checked.
type Job struct {
	FileID string
	Ticket string // names the reason for this job; a content that is sent anew gets another
}

// Finding is what a check found.
type Finding struct {
	Size    int64  `json:"size"`
	Type    string `json:"type"` // media type, by the content alone
	Damaged bool   `json:"damaged,omitempty"`
}

// NoUpload is the failure for an upload that nobody knows.
func NoUpload(id string) error {
	return problem.NewNotFound("there is no upload %q: it was never begun, or given up long ago; begin it at 0", id)
}

// NoFile is the failure for an id that no file has.
func NoFile(id string) error { return problem.NewNotFound("there is no file %q", id) }
