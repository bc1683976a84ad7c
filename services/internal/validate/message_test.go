package validate_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"buf.build/go/protovalidate"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/emptypb"

	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/internal/validate"
	metadatav1 "movieexample.com/fleet/services/proto/metadata/v1"
	_ "movieexample.com/fleet/services/proto/movie/v1" // its rules are checked too
	ratingv1 "movieexample.com/fleet/services/proto/rating/v1"
)

func movie(change func(m *metadatav1.Metadata)) *metadatav1.PutMetadataRequest {
	m := &metadatav1.Metadata{Id: "tt1", Title: "T", Year: 1994}
	change(m)
	return &metadatav1.PutMetadataRequest{Metadata: m}
}

func rating(change func(r *ratingv1.PutRatingRequest)) *ratingv1.PutRatingRequest {
	r := &ratingv1.PutRatingRequest{RecordType: "movie", RecordId: "1", UserId: "a+b@c.d", Value: 3}
	change(r)
	return r
}

const (
	anID   = "a letter or digit, then at most 127 letters, digits and - _ . : ~"
	aUser  = anID + " @ +"
	noRule = ""
)

func TestMessage(t *testing.T) {
	long := strings.Repeat("é", 256)
	for name, c := range map[string]struct {
		message proto.Message
		want    string
	}{
		"no rules":           {&emptypb.Empty{}, noRule},
		"movie":              {movie(func(*metadatav1.Metadata) {}), ""},
		"no movie":           {&metadatav1.PutMetadataRequest{}, "metadata is missing"},
		"id with marks":      {movie(func(m *metadatav1.Metadata) { m.Id = "a-b_c.d:e~f" }), ""},
		"id empty":           {movie(func(m *metadatav1.Metadata) { m.Id = "" }), "metadata.id is empty, want " + anID},
		"id longest":         {movie(func(m *metadatav1.Metadata) { m.Id = strings.Repeat("a", 128) }), ""},
		"id too long":        {movie(func(m *metadatav1.Metadata) { m.Id = strings.Repeat("a", 129) }), `metadata.id is "` + strings.Repeat("a", 60) + `…", want ` + anID},
		"id starts wrong":    {movie(func(m *metadatav1.Metadata) { m.Id = ".." }), `metadata.id is "..", want ` + anID},
		"id with a slash":    {movie(func(m *metadatav1.Metadata) { m.Id = "a/b" }), `metadata.id is "a/b", want ` + anID},
		"id with a newline":  {movie(func(m *metadatav1.Metadata) { m.Id = "a\n" }), `metadata.id is "a\n", want ` + anID},
		"id not ASCII":       {movie(func(m *metadatav1.Metadata) { m.Id = "aé" }), `metadata.id is "aé", want ` + anID},
		"id e-mail":          {movie(func(m *metadatav1.Metadata) { m.Id = "a@b" }), `metadata.id is "a@b", want ` + anID},
		"no title":           {movie(func(m *metadatav1.Metadata) { m.Title = "" }), "metadata.title is empty, want at least 1 character"},
		"long title":         {movie(func(m *metadatav1.Metadata) { m.Title = long }), "metadata.title has 256 characters, want at most 255"},
		"longest title":      {movie(func(m *metadatav1.Metadata) { m.Title = long[2:] }), ""},
		"long description":   {movie(func(m *metadatav1.Metadata) { m.Description = strings.Repeat("d", 8193) }), "metadata.description has 8193 characters, want at most 8192"},
		"long director":      {movie(func(m *metadatav1.Metadata) { m.Director = long }), "metadata.director has 256 characters, want at most 255"},
		"year not known":     {movie(func(m *metadatav1.Metadata) { m.Year = 0 }), ""},
		"year before film":   {movie(func(m *metadatav1.Metadata) { m.Year = 1869 }), "metadata.year is 1869, want 1870 to 2200"},
		"year far off":       {movie(func(m *metadatav1.Metadata) { m.Year = 2201 }), "metadata.year is 2201, want 1870 to 2200"},
		"empty actor":        {movie(func(m *metadatav1.Metadata) { m.Actors = []string{"A", ""} }), "metadata.actors[1] is empty, want at least 1 character"},
		"too many actors":    {movie(func(m *metadatav1.Metadata) { m.Actors = strings.Split(strings.Repeat("A ", 100)+"A", " ") }), "metadata.actors has 101 items, want at most 100"},
		"as many as allowed": {movie(func(m *metadatav1.Metadata) { m.Actors = strings.Split(strings.Repeat("A ", 99)+"A", " ") }), ""},
		"all of a movie":     {&metadatav1.PutMetadataRequest{Metadata: &metadatav1.Metadata{Year: 1}}, "metadata.id is empty, want " + anID + "; metadata.title is empty, want at least 1 character; metadata.year is 1, want 1870 to 2200"},

		"batch, bad id":    {&metadatav1.BatchGetMetadataRequest{MovieIds: []string{"a", "-", ""}}, `movie_ids[1] is "-", want ` + anID + "; movie_ids[2] is empty, want " + anID},
		"batch of nothing": {&metadatav1.BatchGetMetadataRequest{}, "movie_ids is empty, want at least 1 item"},

		"rating":         {rating(func(*ratingv1.PutRatingRequest) {}), ""},
		"no record type": {rating(func(r *ratingv1.PutRatingRequest) { r.RecordType = "" }), "record_type is empty, want at least 1 character"},
		"no user":        {rating(func(r *ratingv1.PutRatingRequest) { r.UserId = "" }), "user_id is empty, want " + aUser},
		"user":           {rating(func(r *ratingv1.PutRatingRequest) { r.UserId = "a b" }), `user_id is "a b", want ` + aUser},
		"value 0":        {rating(func(r *ratingv1.PutRatingRequest) { r.Value = 0 }), "value is 0, want 1 to 5"},
		"value 6":        {rating(func(r *ratingv1.PutRatingRequest) { r.Value = 6 }), "value is 6, want 1 to 5"},
		"value ends":     {rating(func(r *ratingv1.PutRatingRequest) { r.Value = 5 }), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := validate.Message(c.message); err != nil {
				got = err.Error()
				if problem.KindOf(err) != problem.Invalid {
					t.Errorf("kind of %v is %v, want Invalid", err, problem.KindOf(err))
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("Message(%v) (-want +got):\n%s", c.message, diff)
			}
		})
	}
}

// A pattern is no sentence: each that a proto file of the fleet uses must be known in words.
func TestPatternsHaveWords(t *testing.T) {
	patterns := 0
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		if !strings.HasPrefix(file.Path(), "buf/") && !strings.HasPrefix(file.Path(), "google/") {
			patterns += patternsOf(t, file.Messages())
		}
		return true
	})
	if patterns == 0 {
		t.Error("no proto file has a pattern: this test looks in the wrong place")
	}
}

func patternsOf(t *testing.T, messages protoreflect.MessageDescriptors) int {
	t.Helper()
	found := 0
	for i := range messages.Len() {
		fields := messages.Get(i).Fields()
		found += patternsOf(t, messages.Get(i).Messages())
		for j := range fields.Len() {
			rules, err := protovalidate.ResolveFieldRules(fields.Get(j))
			if err != nil {
				t.Fatal(err)
			}
			for _, pattern := range []string{rules.GetString().GetPattern(), rules.GetRepeated().GetItems().GetString().GetPattern()} {
				if pattern == "" {
					continue
				}
				found++
				if strings.Contains(validate.Words(pattern), pattern) {
					t.Errorf("%s: the pattern %s has no words in sentence.go", fields.Get(j).FullName(), pattern)
				}
			}
		}
	}
	return found
}

func TestUnary(t *testing.T) {
	served := func(context.Context, any) (any, error) { return "served", nil }
	got, err := validate.Unary(t.Context(), rating(func(*ratingv1.PutRatingRequest) {}), nil, served)
	if got != "served" || err != nil {
		t.Errorf("Unary of a good request = %v, %v, want it served", got, err)
	}
	got, err = validate.Unary(t.Context(), &ratingv1.PutRatingRequest{}, nil, served)
	if got != nil || status.Code(err) != codes.InvalidArgument || len(status.Convert(err).Details()) != 1 {
		t.Errorf("Unary of a bad request = %v, %v, want INVALID_ARGUMENT with the fields at fault", got, err)
	}
	if got, err = validate.Unary(t.Context(), "no message", nil, served); got != "served" || err != nil {
		t.Errorf("Unary of what is no message = %v, %v, want it served", got, err)
	}
}

// stream receives what it is told.
type stream struct {
	grpc.ServerStream

	ctx  context.Context
	next proto.Message
	err  error
}

func (s stream) Context() context.Context { return s.ctx }

func (s stream) RecvMsg(m any) error {
	if s.err == nil {
		proto.Merge(m.(proto.Message), s.next)
	}
	return s.err
}

func TestStream(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		next proto.Message
		err  error
		want codes.Code
	}{
		"good":   {rating(func(*ratingv1.PutRatingRequest) {}), nil, codes.OK},
		"bad":    {&ratingv1.PutRatingRequest{Value: 9}, nil, codes.InvalidArgument},
		"broken": {nil, broken, codes.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			err := validate.Stream(nil, stream{ctx: t.Context(), next: c.next, err: c.err}, nil, func(_ any, s grpc.ServerStream) error {
				return s.RecvMsg(&ratingv1.PutRatingRequest{})
			})
			if status.Code(err) != c.want {
				t.Errorf("Stream = %v, want %v", err, c.want)
			}
		})
	}
}

func BenchmarkMessage(b *testing.B) {
	ids := make([]string, 100)
	for i := range ids {
		ids[i] = "tt0111161"
	}
	for name, m := range map[string]proto.Message{
		"get":  &metadatav1.GetMetadataRequest{MovieId: "tt0111161"},
		"rate": rating(func(*ratingv1.PutRatingRequest) {}),
		"put":  movie(func(m *metadatav1.Metadata) { m.Actors = ids[:10] }),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := validate.Message(m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
