package send

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	moviev1 "movieexample.com/fleet/services/proto/movie/v1"
)

const (
	chunkSize = 64 << 10
	askLimit  = 10 * time.Second // for one GetUpload
	// A stream that takes no chunk for so long is given up. The answer may take longer: the service writes all to the disk
	// first, and reads what was there of an upload that is taken up again.
	stallLimit  = time.Minute
	answerLimit = 5 * time.Minute
	waitMin     = 250 * time.Millisecond
	waitMax     = 5 * time.Second
)

// Sender uploads files.
type Sender struct {
	Movies moviev1.MovieServiceClient
	// Patience is how long it goes on trying while nothing gets through.
	Patience time.Duration
	// Progress is told how many bytes were sent; nil tells nobody.
	Progress func(sent int64)
	// Broken is told why a stream ended early and when the next begins; nil tells nobody.
	Broken func(err error, wait time.Duration)
}

// errChanged is the failure for a file that somebody writes to.
var errChanged = errors.New("the service got other bytes than were read at first, twice: does somebody write to the file?")

// Send uploads a file, goes on where a broken stream ended, and returns the service's answer.
func (s *Sender) Send(ctx context.Context, f *File) (*moviev1.UploadFileResponse, error) {
	best, whole, tries := int64(-1), 0, 0
	patient := time.Now().Add(s.Patience)
	for {
		offset, err := s.ask(ctx, f)
		if err == nil {
			if offset > best {
				best, tries, patient = offset, 0, time.Now().Add(s.Patience)
			}
			var answer *moviev1.UploadFileResponse
			var all bool
			if answer, all, err = s.stream(ctx, f, offset); err == nil {
				return answer, f.check(answer)
			}
			if all && status.Code(err) == codes.Aborted {
				whole++
			}
		}
		switch {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("interrupted; the same command goes on where this one ended: %w", context.Cause(ctx))
		case !again(err):
			return nil, err
		case whole == 2:
			return nil, errChanged
		case time.Now().After(patient):
			return nil, fmt.Errorf("nothing got through for %s; the same command goes on where this one ended: %s", s.Patience, Reason(err))
		}
		wait := backoff(tries)
		tries++
		if s.Broken != nil {
			s.Broken(err, wait)
		}
		pause(ctx, wait)
	}
}

// ask is where to go on. A stored upload is asked for with a stream too, which is answered at once.
func (s *Sender) ask(ctx context.Context, f *File) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	u, err := s.Movies.GetUpload(ctx, &moviev1.GetUploadRequest{UploadId: f.UploadID})
	if status.Code(err) == codes.NotFound {
		return 0, nil
	}
	return u.GetOffset(), err
}

// stream sends from the offset on. all: every byte was handed to the connection.
func (s *Sender) stream(ctx context.Context, f *File, offset int64) (answer *moviev1.UploadFileResponse, all bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends what is left of the stream
	watchdog := time.AfterFunc(stallLimit, cancel)
	defer watchdog.Stop()
	defer func() {
		if ctx.Err() != nil && status.Code(err) == codes.Canceled {
			err = status.Error(codes.DeadlineExceeded, "the service took nothing for a long time")
		}
	}()
	stream, err := s.Movies.UploadFile(ctx)
	if err != nil {
		return nil, false, err
	}
	err = stream.Send(&moviev1.UploadFileRequest{Part: &moviev1.UploadFileRequest_Header{Header: &moviev1.UploadHeader{
		UploadId: f.UploadID, Name: f.Name, Size: f.Size, Offset: offset, Sha256: f.SHA256,
	}}})
	buffer := make([]byte, chunkSize)
	for err == nil && offset < f.Size {
		var n int
		if n, err = f.Content.ReadAt(buffer[:min(chunkSize, f.Size-offset)], offset); n == 0 {
			return nil, false, fmt.Errorf("the file cannot be read at %d: %w", offset, err)
		}
		watchdog.Reset(stallLimit)
		err = stream.Send(&moviev1.UploadFileRequest{Part: &moviev1.UploadFileRequest_Chunk{Chunk: buffer[:n]}})
		if err == nil {
			offset += int64(n)
			s.progress(offset)
		}
	}
	if err != nil && !errors.Is(err, io.EOF) { // at EOF the answer holds the reason
		return nil, false, err
	}
	watchdog.Reset(answerLimit)
	answer, err = stream.CloseAndRecv()
	return answer, offset == f.Size, err
}

func (s *Sender) progress(sent int64) {
	if s.Progress != nil {
		s.Progress(sent)
	}
}

// Reason is what a person reads of an error: without gRPC's own words around it. One that is wrapped has words of its own.
func Reason(err error) string {
	if s, ok := err.(interface{ GRPCStatus() *status.Status }); ok {
		return fmt.Sprintf("%s (%s)", s.GRPCStatus().Message(), s.GRPCStatus().Code())
	}
	return err.Error()
}

// again tells whether trying again may help.
func again(err error) bool {
	st, isStatus := status.FromError(err)
	if !isStatus {
		return false
	}
	switch st.Code() {
	case codes.Unavailable, codes.Aborted, codes.DeadlineExceeded:
		return true
	case codes.ResourceExhausted: // a busy service says when to come back, a full disk does not
		for _, detail := range st.Details() {
			if _, ok := detail.(*errdetails.RetryInfo); ok {
				return true
			}
		}
	}
	return false
}

func backoff(tries int) time.Duration {
	wait := min(waitMin<<min(tries, 10), waitMax)
	return time.Duration(float64(wait) * (0.8 + 0.4*rand.Float64())) //nolint:gosec // jitter
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
