package files

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"movieexample.com/fleet/services/movie/internal/model"
)

// enqueue asks for a content to be checked. A ticket is there before its content, so that none is forgotten.
func (s *Store) enqueue(sum, reason string) error {
	f, err := s.root.OpenFile(path.Join(pending, sum+"."+reason), os.O_WRONLY|os.O_CREATE, 0o640)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), s.sync(pending))
}

// Pending lists what the lock's holder with the index is to check. What a later holder has checked is not its business.
func (s *Store) Pending(ctx context.Context, index uint64) ([]model.Job, error) {
	entries, err := s.list(pending)
	if err != nil {
		return nil, err
	}
	var jobs []model.Job
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		sum, _, _ := strings.Cut(e.Name(), ".")
		m, err := s.latest(sum)
		if err != nil {
			return nil, err
		}
		if m.index <= index && s.exists(contentPath(sum)) {
			jobs = append(jobs, model.Job{FileID: idPrefix + sum, Ticket: e.Name()})
		}
	}
	return jobs, nil
}

func (s *Store) exists(name string) bool {
	_, err := s.root.Stat(name)
	return err == nil
}

// Finish takes a job's ticket away.
func (s *Store) Finish(j model.Job) error { return s.remove(path.Join(pending, j.Ticket)) }

// Sweep removes what broke before the time and was not taken up again: uploads that nobody sends, and what a process left
// behind that ended in the middle. It tells how much that was. Contents stay.
func (s *Store) Sweep(ctx context.Context, before time.Time) (int, error) {
	removed := 0
	for dir, sweep := range map[string]func(name string) (bool, error){
		uploads: s.sweepUpload, pending: s.sweepTicket,
		temporary: func(name string) (bool, error) { return true, s.remove(path.Join(temporary, name)) },
	} {
		entries, err := s.list(dir)
		if err != nil {
			return removed, err
		}
		for _, e := range entries {
			if err := ctx.Err(); err != nil {
				return removed, err
			}
			stat, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) || err == nil && !stat.ModTime().Before(before) {
				continue
			}
			if err != nil {
				return removed, err
			}
			gone, err := sweep(e.Name())
			if err != nil {
				return removed, err
			}
			if gone {
				removed++
			}
		}
	}
	return removed, nil
}

// sweepUpload removes an upload's bytes under its lock, and its record when there are no bytes.
func (s *Store) sweepUpload(name string) (bool, error) {
	if key, isRecord := strings.CutSuffix(name, ".json"); isRecord {
		if s.exists(partPath(key)) {
			return false, nil // they go first, unless they are newer
		}
		return true, s.remove(recordPath(key))
	}
	f, err := s.root.OpenFile(path.Join(uploads, name), os.O_RDWR, 0) // NFS locks only what may be written
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }() // nothing is written to it
	if flock(f) != nil {
		return false, nil // somebody sends it
	}
	return true, s.remove(path.Join(uploads, name))
}

// sweepTicket removes a ticket without a content, or of one that was checked by a holder with a higher index than any
// since: Consul was emptied.
func (s *Store) sweepTicket(name string) (bool, error) {
	sum, _, _ := strings.Cut(name, ".")
	m, err := s.latest(sum)
	if err != nil || m.index == 0 && s.exists(contentPath(sum)) {
		return false, err
	}
	return true, s.remove(path.Join(pending, name))
}
