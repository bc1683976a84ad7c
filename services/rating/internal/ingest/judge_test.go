package ingest

import (
	"context"
	"testing"
	"time"

	"movieexample.com/fleet/services/rating/internal/controller"
)

// BenchmarkJudge is what an event costs before the database has it.
func BenchmarkJudge(b *testing.B) {
	p := &partition{member: &member{Consumer: &Consumer{Options: Options{
		Rules: controller.Rules{RecordTypes: []string{"movie"}, Retention: controller.DefaultRetention}, Now: time.Now,
		Fault: func(context.Context, int32) error { return nil },
	}}}, life: b.Context()}
	r := put(1, "ann")
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := p.judgeOne(r); err != nil {
			b.Fatal(err)
		}
	}
}
