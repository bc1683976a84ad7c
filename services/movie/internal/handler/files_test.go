package handler_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	"movieexample.com/fleet/services/movie/internal/model"
	"movieexample.com/fleet/services/movie/internal/uploadtest"
	moviev1 "movieexample.com/fleet/services/proto/movie/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const uploadID = "0123456789abcdef"

func headerMessage(change func(*moviev1.UploadHeader)) *moviev1.UploadFileRequest {
	h := &moviev1.UploadHeader{UploadId: uploadID, Name: "trailer.mp4", Size: 10}
	if change != nil {
		change(h)
	}
	return &moviev1.UploadFileRequest{Part: &moviev1.UploadFileRequest_Header{Header: h}}
}

func chunkMessage(text string) *moviev1.UploadFileRequest {
	return &moviev1.UploadFileRequest{Part: &moviev1.UploadFileRequest_Chunk{Chunk: []byte(text)}}
}

// upload sends the messages and ends the stream.
func upload(ctx context.Context, t *testing.T, client moviev1.MovieServiceClient, messages ...*moviev1.UploadFileRequest) (*moviev1.UploadFileResponse, error) {
	t.Helper()
	stream, err := client.UploadFile(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		if err := stream.Send(m); errors.Is(err, io.EOF) {
			break // the answer says why
		} else if err != nil {
			return nil, err
		}
	}
	return stream.CloseAndRecv()
}

func sum(text string) string {
	s := sha256.Sum256([]byte(text))
	return hex.EncodeToString(s[:])
}

func uploads(t *testing.T, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		if family.GetName() != "uploads_total" {
			continue
		}
		for _, m := range family.GetMetric() {
			if v := m.GetCounter().GetValue(); v > 0 {
				got[m.GetLabel()[0].GetValue()] = v
			}
		}
	}
	return got
}

func TestUploadFile(t *testing.T) {
	s := uploadtest.Serve(t, t.TempDir(), uploadtest.Options{})
	client := uploadtest.Client(t, s.Address)
	want := &moviev1.UploadFileResponse{FileId: "sha256-" + sum("0123456789"), Sha256: sum("0123456789"), Size: 10}
	for range 2 { // the second finds that it is done
		got, err := upload(t.Context(), t, client, headerMessage(nil), chunkMessage("01234"), chunkMessage("56789"))
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" || err != nil {
			t.Fatalf("UploadFile() = error %v (-want +got):\n%s", err, diff)
		}
	}
	state, err := client.GetUpload(t.Context(), &moviev1.GetUploadRequest{UploadId: uploadID})
	wantState := &moviev1.GetUploadResponse{State: moviev1.UploadState_UPLOAD_STATE_STORED, Offset: 10, Size: 10, FileId: want.GetFileId()}
	if diff := cmp.Diff(wantState, state, protocmp.Transform()); diff != "" || err != nil {
		t.Errorf("GetUpload() = error %v (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff(map[string]float64{"stored": 1, "existed": 1}, uploads(t, s.Metrics)); diff != "" {
		t.Errorf("uploads_total (-want +got):\n%s", diff)
	}
}

func TestGetFile(t *testing.T) {
	s := uploadtest.Serve(t, t.TempDir(), uploadtest.Options{})
	client := uploadtest.Client(t, s.Address)
	if _, err := upload(t.Context(), t, client, headerMessage(nil), chunkMessage("0123456789")); err != nil {
		t.Fatal(err)
	}
	id := "sha256-" + sum("0123456789")
	for index, tc := range []struct {
		found model.Finding
		want  *moviev1.File
	}{
		{model.Finding{}, &moviev1.File{State: moviev1.FileState_FILE_STATE_STORED}},
		{model.Finding{Type: "text/plain"}, &moviev1.File{State: moviev1.FileState_FILE_STATE_READY, ContentType: "text/plain"}},
		{model.Finding{Damaged: true}, &moviev1.File{State: moviev1.FileState_FILE_STATE_DAMAGED}},
	} {
		if index > 0 {
			if _, err := s.Store.Mark(id, uint64(index), tc.found); err != nil {
				t.Fatal(err)
			}
		}
		got, err := client.GetFile(t.Context(), &moviev1.GetFileRequest{FileId: id})
		tc.want.Id, tc.want.Sha256, tc.want.Size, tc.want.Name = id, sum("0123456789"), 10, "trailer.mp4"
		if diff := cmp.Diff(tc.want, got.GetFile(), protocmp.Transform(), protocmp.IgnoreFields(&moviev1.File{}, "create_time")); diff != "" || err != nil {
			t.Errorf("GetFile() = error %v (-want +got):\n%s", err, diff)
		}
		if time.Since(got.GetFile().GetCreateTime().AsTime()) > time.Hour {
			t.Errorf("GetFile().CreateTime = %v, want now", got.GetFile().GetCreateTime())
		}
	}
	_, err := client.GetFile(t.Context(), &moviev1.GetFileRequest{FileId: "sha256-" + sum("other")})
	if status.Code(err) != codes.NotFound {
		t.Errorf("GetFile() of no file = %v, want NOT_FOUND", err)
	}
	if _, err := client.GetUpload(t.Context(), &moviev1.GetUploadRequest{UploadId: "nobody-began-this-one"}); status.Code(err) != codes.NotFound {
		t.Errorf("GetUpload() of none = %v, want NOT_FOUND", err)
	}
}

func TestUploadsThatBreakRules(t *testing.T) {
	named := func(name string) []*moviev1.UploadFileRequest {
		return []*moviev1.UploadFileRequest{headerMessage(func(h *moviev1.UploadHeader) { h.Name = name }), chunkMessage("0123456789")}
	}
	with := func(change func(*moviev1.UploadHeader)) []*moviev1.UploadFileRequest {
		return []*moviev1.UploadFileRequest{headerMessage(change), chunkMessage("0123456789")}
	}
	for name, tc := range map[string]struct {
		messages []*moviev1.UploadFileRequest
		code     codes.Code
		says     string
	}{
		"no message":        {nil, codes.InvalidArgument, "header is missing"},
		"no header":         {[]*moviev1.UploadFileRequest{chunkMessage("x")}, codes.InvalidArgument, "header is missing"},
		"an empty message":  {[]*moviev1.UploadFileRequest{{}}, codes.InvalidArgument, "part"},
		"two headers":       {[]*moviev1.UploadFileRequest{headerMessage(nil), headerMessage(nil)}, codes.InvalidArgument, "header came twice"},
		"a large chunk":     {[]*moviev1.UploadFileRequest{headerMessage(nil), chunkMessage(strings.Repeat("x", 65537))}, codes.InvalidArgument, "chunk has 65537 bytes, want at most 65536"},
		"an empty chunk":    {[]*moviev1.UploadFileRequest{headerMessage(nil), chunkMessage("")}, codes.InvalidArgument, "chunk is empty"},
		"too large":         {with(func(h *moviev1.UploadHeader) { h.Size = 1001 }), codes.ResourceExhausted, "has 1001 bytes, at most 1000 are allowed"},
		"a negative size":   {with(func(h *moviev1.UploadHeader) { h.Size = -1 }), codes.InvalidArgument, "header.size"},
		"beyond the size":   {with(func(h *moviev1.UploadHeader) { h.Offset = 11 }), codes.InvalidArgument, "header.offset is beyond the size"},
		"unknown rest":      {with(func(h *moviev1.UploadHeader) { h.Offset = 5 }), codes.Aborted, "begin it at 0"},
		"a short upload id": {with(func(h *moviev1.UploadHeader) { h.UploadId = "x" }), codes.InvalidArgument, "16 to 128 letters"},
		"an id with a path": {with(func(h *moviev1.UploadHeader) { h.UploadId = "../../0123456789abcdef" }), codes.InvalidArgument, "16 to 128 letters"},
		"another checksum":  {with(func(h *moviev1.UploadHeader) { h.Sha256 = sum("x") }), codes.Aborted, "begin again at 0"},
		"no checksum":       {with(func(h *moviev1.UploadHeader) { h.Sha256 = "x" }), codes.InvalidArgument, "64 lower-case hexadecimal digits"},
		"no name":           {named(""), codes.InvalidArgument, "header.name"},
		"a long name":       {named(strings.Repeat("é", 128)), codes.InvalidArgument, "header.name"},
		"a path up":         {named("../../etc/passwd"), codes.InvalidArgument, "without slashes"},
		"a path":            {named("/etc/passwd"), codes.InvalidArgument, "without slashes"},
		"a Windows path":    {named(`..\x`), codes.InvalidArgument, "without slashes"},
		"two dots":          {named(".."), codes.InvalidArgument, "header.name"},
		"one dot":           {named("."), codes.InvalidArgument, "header.name"},
		"NUL":               {named("a\x00.mp4"), codes.InvalidArgument, "control characters"},
		"a new line":        {named("a\nb"), codes.InvalidArgument, "control characters"},
		"written backwards": {named("a\u202e4pm.exe"), codes.InvalidArgument, "writing direction"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := uploadtest.Serve(t, dir, uploadtest.Options{MaxSize: 1000})
			_, err := upload(t.Context(), t, uploadtest.Client(t, s.Address), tc.messages...)
			if got := status.Convert(err); got.Code() != tc.code || !strings.Contains(got.Message(), tc.says) {
				t.Errorf("UploadFile() = %s %q, want %s with %q", got.Code(), got.Message(), tc.code, tc.says)
			}
			left, err := filepath.Glob(filepath.Join(dir, "*", "*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v, want nothing", left, err)
			}
		})
	}
}

func TestNamesThatAreOnlyNames(t *testing.T) {
	s := uploadtest.Serve(t, t.TempDir(), uploadtest.Options{})
	client := uploadtest.Client(t, s.Address)
	for i, name := range []string{"...", "-rf", "~", "$(reboot).mp4", "%2e%2e%2fpasswd", "Амели.mkv", "👨‍👩‍👧.mp4", "e\u0301.mp4", "CON", " ", strings.Repeat("x", 255)} {
		content := strings.Repeat("x", i)
		got, err := upload(t.Context(), t, client, headerMessage(func(h *moviev1.UploadHeader) {
			h.UploadId, h.Name, h.Size = uploadID+strings.Repeat("x", i), name, int64(i)+1
		}), chunkMessage(content+"y"))
		if err != nil {
			t.Errorf("UploadFile(%q) = %v, want no error", name, err)
			continue
		}
		f, err := client.GetFile(t.Context(), &moviev1.GetFileRequest{FileId: got.GetFileId()})
		if f.GetFile().GetName() != name {
			t.Errorf("GetFile().Name = %q, %v, want %q", f.GetFile().GetName(), err, name)
		}
	}
}

func TestADisconnectLeavesWhatCanGoOn(t *testing.T) {
	dir := t.TempDir()
	s := uploadtest.Serve(t, dir, uploadtest.Options{StreamIdle: time.Second})
	client := uploadtest.Client(t, s.Address)
	offset := func() int64 {
		u, _ := client.GetUpload(t.Context(), &moviev1.GetUploadRequest{UploadId: uploadID})
		return u.GetOffset()
	}
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := client.UploadFile(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(stream.Send(headerMessage(nil)), stream.Send(chunkMessage("0123"))); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return offset() == 4 })
	cancel()
	// The next comes before the service has noticed, or after: it is told to ask again, or goes on.
	var silent error
	until(t, func() bool {
		stream, err := client.UploadFile(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_ = stream.Send(headerMessage(func(h *moviev1.UploadHeader) { h.Offset = 4 }))
		_ = stream.Send(chunkMessage("45")) // and then falls silent
		silent = stream.RecvMsg(&moviev1.UploadFileResponse{})
		return status.Code(silent) != codes.Aborted
	})
	if status.Code(silent) != codes.DeadlineExceeded {
		t.Errorf("a silent stream ended with %v, want DEADLINE_EXCEEDED", silent)
	}
	got, err := upload(t.Context(), t, client, headerMessage(func(h *moviev1.UploadHeader) { h.Offset = 6 }), chunkMessage("6789"))
	if err != nil || got.GetSha256() != sum("0123456789") {
		t.Errorf("UploadFile() of the rest = %v, %v, want the whole content", got, err)
	}
	if n := uploads(t, s.Metrics); n["interrupted"] != 2 || n["stored"] != 1 {
		t.Errorf("uploads_total = %v, want 2 interrupted and 1 stored", n)
	}
}

func until(t *testing.T, ask func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if ask() {
			return
		}
	}
	t.Fatal("not true after 30 s")
}

func TestWithoutAPlaceForFiles(t *testing.T) {
	client := uploadtest.Client(t, uploadtest.Serve(t, "", uploadtest.Options{}).Address)
	_, uploadErr := upload(t.Context(), t, client, headerMessage(nil), chunkMessage("0123456789"))
	_, getErr := client.GetUpload(t.Context(), &moviev1.GetUploadRequest{UploadId: uploadID})
	_, fileErr := client.GetFile(t.Context(), &moviev1.GetFileRequest{FileId: "sha256-" + sum("x")})
	for _, err := range []error{uploadErr, getErr, fileErr} {
		if got := status.Convert(err); got.Code() != codes.Unimplemented || !strings.Contains(got.Message(), "set files.path") {
			t.Errorf("call = %v, want UNIMPLEMENTED and what to set", err)
		}
	}
}

func TestAVolumeThatIsGone(t *testing.T) {
	dir := t.TempDir()
	s := uploadtest.Serve(t, dir, uploadtest.Options{})
	client := uploadtest.Client(t, s.Address)
	if err := os.RemoveAll(filepath.Join(dir, "uploads")); err != nil {
		t.Fatal(err)
	}
	if _, err := upload(t.Context(), t, client, headerMessage(nil), chunkMessage("0123456789")); status.Code(err) != codes.Internal || strings.Contains(err.Error(), "uploads") {
		t.Errorf("UploadFile() = %v, want INTERNAL without internals", err)
	}
	if n := uploads(t, s.Metrics); n["failed"] != 1 {
		t.Errorf("uploads_total = %v, want 1 failed", n)
	}
}
