package serialization

import (
	"encoding/json"
	"encoding/xml"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	metadatav1 "movieexample.com/fleet/services/proto/metadata/v1"
)

// Metadata is the record as a Go program without proto files would have it.
type Metadata struct {
	ID          string `json:"id"`
	Title       string `json:"title"`
	Description string `json:"description"`
	Director    string `json:"director"`
}

func reference() Metadata {
	return Metadata{ID: "123", Title: "The Movie 2", Description: "Sequel of the legendary The Movie", Director: "Foo Bars"}
}

func message() *metadatav1.Metadata {
	r := reference()
	return &metadatav1.Metadata{Id: r.ID, Title: r.Title, Description: r.Description, Director: r.Director}
}

// format writes the reference record and reads it again.
type format struct {
	name  string
	size  int
	write func() ([]byte, error)
	read  func([]byte) (Metadata, error)
}

func formats() []format {
	record, m := reference(), message()
	return []format{
		{"JSON", 106, func() ([]byte, error) { return json.Marshal(record) },
			func(text []byte) (r Metadata, err error) { err = json.Unmarshal(text, &r); return r, err }},
		{"XML", 148, func() ([]byte, error) { return xml.Marshal(record) },
			func(text []byte) (r Metadata, err error) { err = xml.Unmarshal(text, &r); return r, err }},
		{"Protobuf", 63, func() ([]byte, error) { return proto.Marshal(m) }, func(text []byte) (Metadata, error) {
			var got metadatav1.Metadata
			err := proto.Unmarshal(text, &got)
			return Metadata{ID: got.GetId(), Title: got.GetTitle(), Description: got.GetDescription(), Director: got.GetDirector()}, err
		}},
	}
}

func TestSizes(t *testing.T) {
	for _, f := range formats() {
		t.Run(f.name, func(t *testing.T) {
			text, err := f.write()
			if err != nil || len(text) != f.size {
				t.Errorf("%s has %d bytes, %v, want %d", text, len(text), err, f.size)
			}
			got, err := f.read(text)
			if diff := cmp.Diff(reference(), got); err != nil || diff != "" {
				t.Errorf("what was written is read as, %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, f := range formats() {
		b.Run(f.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := f.write(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(f.size), "bytes")
		})
	}
}

func BenchmarkRead(b *testing.B) {
	for _, f := range formats() {
		b.Run(f.name, func(b *testing.B) {
			text, err := f.write()
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := f.read(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
