package proto_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	authv1 "movieexample.com/fleet/services/proto/auth/v1"
	metadatav1 "movieexample.com/fleet/services/proto/metadata/v1"
	moviev1 "movieexample.com/fleet/services/proto/movie/v1"
	ratingv1 "movieexample.com/fleet/services/proto/rating/v1"
)

func files() []protoreflect.FileDescriptor {
	return []protoreflect.FileDescriptor{
		authv1.File_auth_v1_auth_proto, metadatav1.File_metadata_v1_metadata_proto, ratingv1.File_rating_v1_rating_proto,
		moviev1.File_movie_v1_movie_proto, moviev1.File_movie_v1_upload_proto,
	}
}

// What a service says is its own: it can change without another's leave.
func TestServicesKeepApart(t *testing.T) {
	for _, f := range files() {
		own, _, _ := strings.Cut(f.Path(), "/")
		for i := range f.Imports().Len() {
			of, _, _ := strings.Cut(f.Imports().Get(i).Path(), "/")
			for _, other := range files() {
				if name, _, _ := strings.Cut(other.Path(), "/"); of == name && of != own {
					t.Errorf("%s imports %s, which is another service's", f.Path(), f.Imports().Get(i).Path())
				}
			}
		}
	}
}

// Callers repeat a call, or not, by what its method says.
func TestMethodsSayWhetherTheyMayBeRepeated(t *testing.T) {
	for _, f := range files() {
		for i := range f.Services().Len() {
			methods := f.Services().Get(i).Methods()
			for j := range methods.Len() {
				m := methods.Get(j)
				o, ok := m.Options().(*descriptorpb.MethodOptions)
				if !ok || o.IdempotencyLevel == nil {
					t.Errorf("%s has no idempotency_level", m.FullName())
				}
			}
		}
	}
}

func TestEnumsBeginUnspecified(t *testing.T) {
	for _, f := range files() {
		for i := range f.Enums().Len() {
			e := f.Enums().Get(i)
			if zero := e.Values().ByNumber(0); zero == nil || !strings.HasSuffix(string(zero.Name()), "_UNSPECIFIED") {
				t.Errorf("%s begins with %v, want …_UNSPECIFIED", e.FullName(), zero)
			}
		}
	}
}
